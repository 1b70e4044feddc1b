"""Clients that send too slowly or read nothing are closed, and nobody else is: with short deadlines, over real sockets.

That a deadline has passed is not slept for: another connection that came later has been closed by it.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from fakes.bare import Bare, open_bare
from fakes.clients import PATIENCE, RawClient, open_raw_client, open_slow_client, understand
from fakes.turns import turns
from pico_a1111_proxy.web.deadlines import Patience
from pico_a1111_proxy.web.protocol import TitleCaseProtocol
from pico_a1111_proxy.web.transport import CarefulTransport

SHORT = 0.3


class Hasty(TitleCaseProtocol):
    """Everything has to come soon."""

    head_patience = Patience(SHORT)
    body_patience = Patience(SHORT, silence=SHORT, rate=1000)
    most_spread = 0  # so that who came first is late first


HEAD = b"POST /first HTTP/1.1\r\nHost: a\r\n"
GOOD = HEAD + b"Content-Length: 2\r\n\r\nhi"
HALVES = {
    "half a request line": b"POST /fir",
    "half the headers": HEAD + b"Content-Le",
    "a head without its end": HEAD + b"\r",
    "no body": HEAD + b"Content-Length: 2\r\n\r\n",
    "half a body": HEAD + b"Content-Length: 2\r\n\r\nh",
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nh",
    "chunks without an end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n",
    "no end of trailers": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n",
}


async def a_deadline_passes(port: int) -> None:
    """Until somebody who came only now has been closed for sending half a body."""
    async with open_raw_client(port) as client:
        await client.send(HALVES["half a body"])
        assert understand(await client.hear_rest()).status == 408


@pytest.mark.parametrize("before", [b"", GOOD], ids=["at once", "after a request"])
@pytest.mark.parametrize("name", HALVES)
async def test_what_stays_half_is_a_408(name: str, before: bytes, caplog: pytest.LogCaptureFixture) -> None:
    class Changing(Hasty):
        """In no haste before it is told to be: what is whole need not come soon."""

        head_patience = body_patience = Patience(PATIENCE)

    async with open_bare(Changing if before else Hasty) as bare, open_raw_client(bare.port) as client:
        if before:
            assert (await client.ask(before)).status == 200
        Changing.head_patience, Changing.body_patience = Hasty.head_patience, Hasty.body_patience
        await client.send(HALVES[name])
        heard = understand(await client.hear_rest())
        assert (heard.status, heard.json()["code"], heard["Connection"]) == (408, 408, "close")
        assert set(heard.json()) == {"error", "code", "detail"}
        if b"\r\n\r\n" in HALVES[name]:  # then somebody is at work on it, and is told
            assert await asyncio.wait_for(bare.left.get(), PATIENCE) == "/first"
    assert len(bare.seen) == bool(before)
    assert not [record for record in caplog.records if record.exc_info]


async def test_who_sends_nothing_is_let_go_without_a_word() -> None:
    async with open_bare(Hasty) as bare, open_raw_client(bare.port) as client:
        assert await client.hear_rest() == b""


async def drip(client: RawClient, piece: bytes) -> bytes:
    """Send this over and over until the service closes; what it said."""
    hearing = asyncio.create_task(client.hear_until_cut())
    with suppress(ConnectionError):
        while not hearing.done():
            await client.send(piece)
            await asyncio.wait({hearing}, timeout=SHORT / 10)
    return await hearing


async def test_a_head_that_drips_is_late() -> None:
    async with open_bare(Hasty) as bare, open_raw_client(bare.port) as client:
        await client.send(HEAD)
        assert understand(await drip(client, b"X: y\r\n")).status == 408


async def test_a_body_that_drips_is_late() -> None:
    class Demanding(Hasty):
        body_patience = Patience(SHORT, silence=1000, rate=1e9)

    async with open_bare(Demanding) as bare, open_raw_client(bare.port) as client:
        await client.send(HEAD + b"Content-Length: 100000000\r\n\r\n")
        assert understand(await drip(client, b"h")).status == 408
        assert await asyncio.wait_for(bare.left.get(), PATIENCE) == "/first"


async def test_a_complete_request_may_wait_for_its_answer() -> None:
    async with open_bare(Hasty) as bare, open_raw_client(bare.port) as client:
        await client.send(GOOD.replace(b"/first", b"/later"))
        await bare.begun.get()
        await a_deadline_passes(bare.port)
        bare.go.set()
        assert (await client.hear()).status == 200
        assert (await client.ask(GOOD)).status == 200


async def test_who_is_not_read_is_not_late() -> None:
    body = b"h" * 300_000  # more than is read for an application that does not ask for it
    async with open_bare(Hasty) as bare, open_raw_client(bare.port) as client:
        await client.send(HEAD.replace(b"/first", b"/later") + b"Content-Length: 300000\r\n\r\n" + body)
        await bare.begun.get()
        await a_deadline_passes(bare.port)
        bare.go.set()
        assert (await client.hear()).status == 200
    assert [len(body) for _, target, body in bare.seen if target == "/later"] == [300_000]


async def test_who_was_not_told_to_continue_is_not_late() -> None:
    head = HEAD.replace(b"/first", b"/later") + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    async with open_bare(Hasty) as bare, open_raw_client(bare.port) as client:
        await client.send(head)
        await bare.begun.get()
        await a_deadline_passes(bare.port)
        bare.go.set()
        assert (await client.hear_line()).startswith(b"HTTP/1.1 100 ")
        assert await client.hear_line() == b"\r\n"
        # And having been told, it has as long as everybody.
        assert understand(await client.hear_rest()).status == 408


async def test_who_hears_an_answer_need_not_finish_its_request() -> None:
    """Its body is late when the answer is out, and then it is closed without another."""
    async with open_bare(Hasty) as bare, open_slow_client(bare.port) as client:
        await client.send(HEAD.replace(b"/first", b"/early/large") + b"Content-Length: 2\r\n\r\nh")
        await a_deadline_passes(bare.port)
        said = await client.hear_rest()
    assert len(said.partition(b"\r\n\r\n")[2]) == 60_000_000


async def test_an_idle_connection_after_an_early_answer_is_closed() -> None:
    """uvicorn forgets its own limit when the body goes on after the answer."""

    class Short(Hasty):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self.timeout_keep_alive = SHORT

    async with open_bare(Short) as bare, open_raw_client(bare.port) as client:
        head = HEAD.replace(b"/first", b"/early") + b"Content-Length: 2\r\n\r\n"
        assert (await client.ask(head)).status == 401
        await client.send(b"hi")
        assert await client.hear_rest() == b""
    assert len(bare.seen) == 1


# --- Who does not read --------------------------------------------------------------------------------------------


class Unread(TitleCaseProtocol):
    """Something of an answer has to be taken soon."""

    send_seconds = SHORT


@pytest.mark.parametrize("path", [b"/large", b"/early/large"])
async def test_who_reads_nothing_is_cut_off(caplog: pytest.LogCaptureFixture, path: bytes) -> None:
    async with open_bare(Unread) as bare, open_slow_client(bare.port) as client:
        await client.send(GOOD.replace(b"/first", path))
        # The application is not held for ever: it goes on and hears that the client has left.
        assert await asyncio.wait_for(bare.left.get(), PATIENCE) == path.decode()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.hear_exactly(60_000_000)
    told = [record for record in caplog.records if "read nothing" in record.message]
    assert len(told) == 1
    assert not [record for record in caplog.records if record.exc_info]


@dataclass
class Window:
    """What a transport holds; `takes` bytes of it leave between two looks at it."""

    takes: int
    held: int = 0
    looks: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    aborted: bool = False

    def write(self, data: bytes) -> None:
        self.held += len(data)

    def get_write_buffer_size(self) -> int:
        self.held = max(0, self.held - self.takes)
        self.looks += 1
        if not self.held:
            self.ended.set()
        return self.held

    def get_extra_info(self, _: str) -> None:
        return None

    def abort(self) -> None:
        self.aborted = True
        self.ended.set()


@pytest.mark.parametrize(("takes", "aborted"), [(0, True), (1, False)])
async def test_a_byte_now_and_then_is_enough(takes: int, aborted: bool) -> None:
    window = Window(takes)
    transport = CarefulTransport(window, Bare(), 0.01)  # type: ignore[arg-type]
    transport.write(b"x" * 200)
    await asyncio.wait_for(window.ended.wait(), PATIENCE)
    assert window.aborted is aborted
    assert aborted or window.looks > 100


async def test_what_leaves_the_kernel_counts_too() -> None:
    """The kernel may hold megabytes, and take nothing from us until a third of them has been read."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for _ in range(50):
            ours.send(b"x")

        class Full(Window):
            def get_write_buffer_size(self) -> int:
                if self.looks < 50:
                    theirs.recv(1)
                return super().get_write_buffer_size() if self.looks < 50 else 0

            def get_extra_info(self, _: str) -> socket.socket:  # type: ignore[override]
                return ours

        window = Full(0)
        transport = CarefulTransport(window, Bare(), 0.01)  # type: ignore[arg-type]
        transport.write(b"x")
        while window.looks < 50 and not window.ended.is_set():
            await turns()
    assert not window.aborted


async def test_a_connection_leaves_nothing_for_the_garbage_collector() -> None:
    """Thousands of them come and go, and a collection holds up every answer."""
    made: list[weakref.ref[TitleCaseProtocol]] = []

    class Counted(TitleCaseProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            made.append(weakref.ref(self))

    gc.collect()
    gc.disable()
    try:
        async with open_bare(Counted) as bare:
            for request in (GOOD, HALVES["half a body"], HALVES["half the headers"], b""):
                async with open_raw_client(bare.port) as client:
                    await client.send(request)
        assert len(made) == 4
        assert [one() for one in made] == [None] * 4
    finally:
        gc.enable()
