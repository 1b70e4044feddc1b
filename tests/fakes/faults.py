"""A fault proxy: a TCP port before any server of HTTP/1.1, each of whose connections fails in a way of its own.

What a fault does, it does to the first request of its connection, and then the connection is over. It keeps to HTTP's
framing, so that "the server has the whole request" is true where it is said, and false where it is not. What fails in
its answer must be a request whose answer has a body.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

JUNK = bytes(range(256)) * 4
LARGEST_PIECE = 2**16
DRIPS = 20  # pieces of an answer that drips

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


@dataclass(frozen=True)
class Fault:
    """What goes wrong on one connection; `seconds` is for how long, where it takes time."""

    kind: str
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind} is no fault; there are {', '.join(KINDS)}")


# Nothing fails; what is late is late by `seconds`.
NONE, LATE_REQUEST, LATE_ANSWER = "none", "late request", "late answer"
# The server has not got the request, or not whole.
REFUSED = "refused"  # reset before a byte was read; for a port where nobody listens see `refusing`
RESET_AT_HEAD = "reset at the head"  # of which the server has got all but the empty line
# The server has the whole request, and works on it to the end.
RESET_AT_END = "reset at the end"  # of the request, before any answer
HALF_THEN_CLOSED, HALF_THEN_RESET = "half an answer, closed", "half an answer, reset"
JUNK_ANSWER = "junk"
DRIP = "drip"  # the answer is whole after `seconds`
SILENCE = "silence"  # until the client leaves

KINDS = (
    *(NONE, LATE_REQUEST, LATE_ANSWER, REFUSED, RESET_AT_HEAD),
    *(RESET_AT_END, HALF_THEN_CLOSED, HALF_THEN_RESET, JUNK_ANSWER, DRIP, SILENCE),
)

Choice = Callable[[], Fault]


def by_chance(seed: int, weights: Mapping[Fault, float]) -> Choice:
    """Faults at random, each as often as its weight says; the same ones in the same order for the same seed."""
    chance, faults, each = random.Random(seed), list(weights), list(weights.values())
    return lambda: chance.choices(faults, each)[0]


@dataclass
class FaultProxy:
    """Connections get the faults of `script` in turn, then what `standing` is or chooses.

    `met` counts connections by kind of fault. `whole` counts the requests that were handed to the server whole, `begun`
    those of which it has got at least the head.
    """

    server: int
    script: list[Fault] = field(default_factory=list)
    standing: Fault | Choice = field(default_factory=lambda: Fault(NONE))
    met: Counter[str] = field(default_factory=Counter)
    begun: int = 0
    whole: int = 0
    port: int = 0
    _serving: set[asyncio.Task[Any]] = field(default_factory=set)
    _listening: asyncio.AbstractServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**26, backlog=1024)
        self._listening = server
        self.port = server.sockets[0].getsockname()[1]

    @asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Nobody listens on the port, so the kernel refuses; connections that are open stay so."""
        assert self._listening
        self._listening.close()
        try:
            yield
        finally:
            await self.listen()

    async def stop(self) -> None:
        assert self._listening
        self._listening.close()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _choose(self) -> Fault:
        if self.script:
            return self.script.pop(0)
        return self.standing if isinstance(self.standing, Fault) else self.standing()

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        fault = self._choose()
        self.met[fault.kind] += 1
        if fault.kind == REFUSED:
            _reset(writer)
            return
        above: Writer | None = None
        try:
            answers, above = await asyncio.open_connection("127.0.0.1", self.server, limit=2**26)
            await _Exchange(self, fault, _Side(reader, writer), _Side(answers, above)).run()
        except (ConnectionError, asyncio.IncompleteReadError):
            for side in (writer, above):
                if side:
                    _reset(side)
        except asyncio.CancelledError:
            pass  # the proxy ends
        finally:
            writer.close()
            if above:
                above.close()


@asynccontextmanager
async def open_fault_proxy(server: int) -> AsyncIterator[FaultProxy]:
    """A fault proxy on a free port of loopback, before the port `server` there."""
    proxy = FaultProxy(server)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.stop()


@dataclass(frozen=True)
class _Side:
    reader: Reader
    writer: Writer

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


@dataclass(frozen=True)
class _Exchange:
    """One connection of a client, and the one to the server that belongs to it."""

    proxy: FaultProxy
    fault: Fault
    client: _Side
    server: _Side

    async def run(self) -> None:
        if self.fault.kind in (NONE, LATE_REQUEST, LATE_ANSWER):
            await _both(self._pass_requests(), self._pass_answers())
        elif head := await _read_head(self.client.reader):
            await self._fail(head)

    async def _pass_requests(self) -> None:
        late = self.fault.seconds if self.fault.kind == LATE_REQUEST else 0.0
        while head := await _read_head(self.client.reader):
            if late:
                await asyncio.sleep(late)
            await self._pass_request(head)
        self.server.writer.write_eof()

    async def _pass_request(self, head: bytes) -> None:
        self.proxy.begun += 1
        await self.server.write(head)
        async for piece in _read_body(self.client.reader, head):
            await self.server.write(piece)
        self.proxy.whole += 1

    async def _pass_answers(self) -> None:
        late = self.fault.seconds if self.fault.kind == LATE_ANSWER else 0.0
        while piece := await self.server.reader.read(LARGEST_PIECE):
            if late:
                await asyncio.sleep(late)
                late = 0.0
            await self.client.write(piece)
        self.client.writer.close()

    async def _fail(self, head: bytes) -> None:
        if self.fault.kind == RESET_AT_HEAD:
            self.proxy.begun += 1
            await self.server.write(head.removesuffix(b"\r\n"))  # without a body it would be whole
            _reset(self.client.writer)
            return
        await self._pass_request(head)
        if self.fault.kind == RESET_AT_END:
            _reset(self.client.writer)
        # The server sees nothing of all that: it may work to its end, and is heard out.
        answer = await _read_answer(self.server.reader)
        if ending := _ENDINGS.get(self.fault.kind):
            await ending(self, answer)

    async def junk(self, _: bytes) -> None:
        await self.client.write(JUNK)

    async def half(self, answer: bytes) -> None:
        head, end, body = answer.partition(b"\r\n\r\n")
        await self.client.write(head + end + body[: len(body) // 2])
        if self.fault.kind == HALF_THEN_RESET:
            _reset(self.client.writer)

    async def drip(self, answer: bytes) -> None:
        size = -(-len(answer) // DRIPS)
        for place in range(0, len(answer), size):
            await asyncio.sleep(self.fault.seconds / DRIPS)
            await self.client.write(answer[place : place + size])

    async def keep_silent(self, _: bytes) -> None:
        while await self.client.reader.read(LARGEST_PIECE):
            pass


_ENDINGS: dict[str, Callable[[_Exchange, bytes], Awaitable[None]]] = {
    JUNK_ANSWER: _Exchange.junk,
    HALF_THEN_CLOSED: _Exchange.half,
    HALF_THEN_RESET: _Exchange.half,
    DRIP: _Exchange.drip,
    SILENCE: _Exchange.keep_silent,
}


def _reset(writer: Writer) -> None:
    """End the connection with a RST, whatever has been read of it; without SO_LINGER it may be a FIN."""
    with suppress(OSError):  # it may have ended by itself
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _both(requests: Awaitable[None], answers: Awaitable[None]) -> None:
    """Until the server has closed; a failure of either ends both."""
    tasks = [asyncio.ensure_future(requests), asyncio.ensure_future(answers)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read_head(reader: Reader) -> bytes:
    """All before a body; nothing when the other side has ended instead."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return b""


def _field(head: bytes, name: bytes) -> bytes | None:
    fields = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return next((value.strip().lower() for key, _, value in fields if key.lower() == name), None)


async def _read_body(reader: Reader, head: bytes) -> AsyncIterator[bytes]:
    """The body as it stands on the wire, by its Content-Length or its chunks; without either there is none."""
    if _field(head, b"transfer-encoding") == b"chunked":
        size = -1
        while size:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            yield line + await reader.readexactly(size + 2)
        return
    left = int(_field(head, b"content-length") or 0)
    while left:
        piece = await reader.read(min(left, LARGEST_PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(piece)
        yield piece


async def _read_answer(reader: Reader) -> bytes:
    head = await _read_head(reader)
    framed = _field(head, b"transfer-encoding") or _field(head, b"content-length")
    return head + (b"".join([piece async for piece in _read_body(reader, head)]) if framed else await reader.read())
