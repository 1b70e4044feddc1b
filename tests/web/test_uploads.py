"""Large bodies wait for room before they are read, in their order, and give it back whatever becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response

from fakes.clients import RawClient, open_raw_client, open_slow_client, post
from fakes.visitors import Clock
from pico_a1111_proxy.web.bodies import read_body
from pico_a1111_proxy.web.errors import add_error_handlers
from pico_a1111_proxy.web.protocol import TitleCaseProtocol
from pico_a1111_proxy.web.server import open_socket
from pico_a1111_proxy.web.uploads import FREE, LONGEST_LINE, Room, Uploads

MB = 1_000_000
LIMIT = 4 * MB
LARGE = bytes(3 * MB)
FOREVER = 3600.0  # seconds that no test waits for


@dataclass
class Holder:
    """A service that reads each body whole, notes its length, and answers when `gate` is open."""

    room: Room
    port: int = 0
    read: list[int] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    kept: list[Callable[[], None]] = field(default_factory=list)

    def connect(self) -> AbstractAsyncContextManager[RawClient]:
        return open_raw_client(self.port)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Until `is_so`; the service has turns in between."""
        for _ in range(2000):
            if is_so():
                return
            async with open_raw_client(self.port) as client:
                await client.ask(b"GET /docs/none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        raise AssertionError((self.room.free, self.room.waiting, self.read))

    def app(self) -> FastAPI:
        app = FastAPI()
        add_error_handlers(app)
        app.add_middleware(Uploads, room=self.room)

        @app.post("/{what}")
        async def hold(request: Request, what: str) -> Response:
            if what == "keep":
                self.kept.append(request.state.hold.hand_over())
            body = await read_body(request, LIMIT)
            self.read.append(len(body))
            if what == "fail":
                raise LookupError("on purpose")
            await self.gate.wait()
            return Response(str(len(body)))

        return app


@asynccontextmanager
async def open_holder(size: int, patience: float = FOREVER, lease: float = FOREVER) -> AsyncIterator[Holder]:
    listener = open_socket("127.0.0.1", 0)
    holder = Holder(Room(size, Clock(), patience, lease), listener.getsockname()[1])
    config = uvicorn.Config(
        holder.app(),
        http=TitleCaseProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        # Only a test that fails leaves something behind that would not end by itself.
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    with listener:
        running = asyncio.create_task(server.serve([listener]))
        try:
            yield holder
        finally:
            holder.gate.set()
            server.should_exit = True
            await running


def promise(size: int, path: str = "/hold") -> bytes:
    """The head of a request whose body is still to come."""
    return f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()


async def test_a_large_body_waits_until_there_is_room_and_a_small_one_never() -> None:
    async with open_holder(5 * MB) as holder, AsyncExitStack() as stack:
        first, second, small = [await stack.enter_async_context(open_raw_client(holder.port)) for _ in range(3)]
        await first.send(post("/hold", LARGE))
        await holder.until(lambda: holder.read == [len(LARGE)])
        assert holder.room.free == 2 * MB
        await second.send(promise(len(LARGE)))
        await holder.until(lambda: holder.room.waiting == 1)
        await small.send(post("/hold", bytes(FREE)))
        await holder.until(lambda: len(holder.read) == 2)
        assert holder.read == [len(LARGE), FREE]
        assert holder.room.free == 2 * MB
        holder.gate.set()
        assert (await first.hear()).body == str(len(LARGE)).encode()
        await second.send(LARGE)
        assert (await second.hear()).body == str(len(LARGE)).encode()
        assert (await small.hear()).body == str(FREE).encode()
        assert holder.room.free == 5 * MB


async def test_what_waits_is_not_read() -> None:
    async with open_holder(4 * MB) as holder, AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_raw_client(holder.port))
        await first.send(post("/hold", LARGE))
        await holder.until(lambda: holder.read == [len(LARGE)])
        slow = await stack.enter_async_context(open_slow_client(holder.port))
        body = bytes(range(256)) * (LIMIT // 256)
        slow.pour(post("/hold", body))
        await holder.until(lambda: holder.room.waiting == 1)
        for _ in range(20):
            await holder.until(lambda: True)
            async with open_raw_client(holder.port) as client:
                await client.ask(b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert slow.unsent() > MB
        holder.gate.set()
        assert (await slow.hear()).body == str(len(body)).encode()
        assert holder.room.free == 4 * MB


async def test_the_line_is_in_order() -> None:
    async with open_holder(4 * MB) as holder, AsyncExitStack() as stack:
        sizes = [4 * MB, 3 * MB, 2 * MB, 1 * MB]
        for number, size in enumerate(sizes):
            client = await stack.enter_async_context(open_raw_client(holder.port))
            await client.send(post("/hold", bytes(size)))
            await holder.until(lambda number=number: len(holder.read) + holder.room.waiting == number + 1)  # type: ignore[misc]
        # The third and the fourth would fit together, but not before the second.
        assert (holder.read, holder.room.waiting) == ([4 * MB], 3)
        holder.gate.set()
        await holder.until(lambda: len(holder.read) == 4)
        assert holder.read[:2] == sizes[:2]
        await holder.until(lambda: holder.room.free == 4 * MB)


async def test_who_finds_no_room_in_time_is_told_when_to_come_again() -> None:
    async with open_holder(4 * MB, patience=0) as holder, holder.connect() as first, holder.connect() as second:
        await first.send(post("/hold", LARGE))
        await holder.until(lambda: holder.read == [len(LARGE)])
        got = await second.ask(promise(len(LARGE)))
        words = "The service holds too many large requests"
        assert (got.status, got.json()) == (503, {"error": words, "code": 503, "detail": words})
        assert 1 <= int(got["Retry-After"]) <= 120
        holder.gate.set()
        assert (await first.hear()).status == 200
    assert holder.room.free == 4 * MB


async def test_the_line_is_bounded() -> None:
    async with open_holder(4 * MB) as holder, AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_raw_client(holder.port))
        await first.send(post("/hold", LARGE))
        await holder.until(lambda: holder.read == [len(LARGE)])
        for _ in range(LONGEST_LINE):
            client = await stack.enter_async_context(open_raw_client(holder.port))
            await client.send(promise(len(LARGE)))
        await holder.until(lambda: holder.room.waiting == LONGEST_LINE)
        one_more = await stack.enter_async_context(open_raw_client(holder.port))
        assert (await one_more.ask(promise(len(LARGE)))).status == 503


async def test_who_leaves_the_line_frees_its_place() -> None:
    async with open_holder(4 * MB) as holder, AsyncExitStack() as stack:
        first, leaving, third = [await stack.enter_async_context(open_raw_client(holder.port)) for _ in range(3)]
        await first.send(post("/hold", LARGE))
        await holder.until(lambda: holder.read == [len(LARGE)])
        await leaving.send(promise(LIMIT) + b"a little")
        await holder.until(lambda: holder.room.waiting == 1)
        await third.send(post("/hold", bytes(MB)))
        await holder.until(lambda: holder.room.waiting == 2)
        leaving.leave()
        # There was room for the third all the time, but one before it.
        await holder.until(lambda: holder.read == [len(LARGE), MB])
        assert (holder.room.free, holder.room.waiting) == (0, 0)


async def test_what_came_while_it_waited_is_not_lost() -> None:
    async with open_holder(4 * MB) as holder, AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(open_raw_client(holder.port)) for _ in range(2)]
        await first.send(post("/hold", LARGE))
        await holder.until(lambda: holder.read == [len(LARGE)])
        await second.send(promise(LIMIT) + bytes(1000))
        await holder.until(lambda: holder.room.waiting == 1)
        for size in (1, 999, FREE, MB):
            await second.send(bytes(size))
            await holder.until(lambda: True)
        holder.gate.set()
        await first.hear()
        await second.send(bytes(LIMIT - 1000 - 1 - 999 - FREE - MB))
        assert (await second.hear()).body == str(LIMIT).encode()
        assert holder.room.free == 4 * MB


ENDS = {
    "it fails": [("/fail", len(LARGE), LARGE)],
    "it leaves in the middle": [("/hold", LIMIT, LARGE)],
    "it never began": [("/hold", LIMIT, b"")],
}


@pytest.mark.parametrize("end", ENDS)
async def test_however_it_ends_the_room_is_free_again(end: str) -> None:
    async with open_holder(5 * MB) as holder:
        ((path, length, body),) = ENDS[end]
        async with holder.connect() as client:
            await client.send(promise(length, path) + body)
            if path == "/fail":
                assert (await client.hear_line()).split()[1] == b"500"
            else:
                await holder.until(lambda: holder.room.free == 5 * MB - length)
            client.leave()
        await holder.until(lambda: holder.room.free == 5 * MB)


async def test_a_chunked_body_needs_room_for_what_it_may_become_and_keeps_what_it_is() -> None:
    head = b"POST /hold HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with open_holder(5 * MB) as holder, holder.connect() as client, holder.connect() as small:
        await client.send(head + b"%x\r\n" % MB + bytes(MB) + b"\r\n")
        await holder.until(lambda: holder.room.free == 5 * MB - LIMIT)
        await client.send(b"%x\r\n" % MB + bytes(MB) + b"\r\n0\r\n\r\n")
        await holder.until(lambda: holder.read == [2 * MB])
        assert holder.room.free == 3 * MB
        await small.send(head + b"%x\r\n" % FREE + bytes(FREE) + b"\r\n0\r\n\r\n")
        await holder.until(lambda: holder.read == [2 * MB, FREE])
        assert holder.room.free == 3 * MB
        holder.gate.set()
        assert (await client.hear()).body == str(2 * MB).encode()
        assert (await client.ask(head + b"%x\r\n" % (LIMIT + 1) + bytes(LIMIT + 1))).status == 413
        await holder.until(lambda: holder.room.free == 5 * MB)


async def test_a_slow_body_keeps_only_the_room_that_it_fills() -> None:
    async with open_holder(LIMIT, lease=0) as holder, AsyncExitStack() as stack:
        slow, fast = [await stack.enter_async_context(open_raw_client(holder.port)) for _ in range(2)]
        await slow.send(promise(LIMIT) + bytes(MB))
        await holder.until(lambda: holder.room.free < LIMIT)
        await holder.until(lambda: holder.room.free > LIMIT - 2 * MB)
        await fast.send(post("/hold", bytes(MB)))
        await holder.until(lambda: holder.read == [MB])
        holder.gate.set()
        assert (await fast.hear()).body == str(MB).encode()
        await slow.send(bytes(LIMIT - MB))
        assert (await slow.hear()).body == str(LIMIT).encode()
        assert holder.room.free == LIMIT


async def test_room_can_be_held_beyond_the_answer() -> None:
    async with open_holder(5 * MB) as holder, holder.connect() as client:
        holder.gate.set()
        assert (await client.ask(post("/keep", LARGE))).status == 200
        await holder.until(lambda: True)
        assert holder.room.free == 2 * MB
        (let_go,) = holder.kept
        let_go()
        let_go()
        assert holder.room.free == 5 * MB


def test_retry_after_grows_with_the_line_and_with_the_time_that_bodies_are_held() -> None:
    async def ask(seconds: float) -> int:
        room = Room(10, Clock(), patience=0)
        for _ in range(50):
            room.learn(seconds)
        await room.take(10)
        refused = await asyncio.gather(room.take(10), return_exceptions=True)
        return int(refused[0].retry_after)  # type: ignore[union-attr]

    assert [asyncio.run(ask(seconds)) for seconds in (0.1, 8.0, 1000.0)] == [1, 8, 120]
