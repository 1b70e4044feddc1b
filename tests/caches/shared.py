"""Several proxies on one Redis: their links, and a way to Redis that can be held up or cut for one of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from caches.family import DAY, MB, Clock, open_disk
from fakes.redis import RedisServer
from pico_a1111_proxy.caches.layers import LayeredCache
from pico_a1111_proxy.caches.memory import MemoryCache
from pico_a1111_proxy.caches.redis import RedisCache
from pico_a1111_proxy.fleet.link import open_link

TRIES = 2000


@asynccontextmanager
async def open_caches(
    url: str, count: int = 2, most_bytes: int = 10 * MB, ttl: float = DAY, clock: Clock | None = None
) -> AsyncIterator[list[RedisCache]]:
    """As many as there are proxies, each with a link of its own."""
    async with AsyncExitStack() as stack:
        links = [await stack.enter_async_context(open_link(url, time.monotonic)) for _ in range(count)]
        yield [RedisCache(link, most_bytes, ttl, clock or Clock()) for link in links]


@asynccontextmanager
async def open_proxys_cache(folder: Path, url: str, clock: Clock) -> AsyncIterator[LayeredCache]:
    """As a proxy has it: memory and disk are its own."""
    async with open_disk(folder, clock) as disk, open_caches(url, 1, clock=clock) as (shared,):
        yield LayeredCache([MemoryCache(MB, DAY, clock), disk, shared])


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """After Redis is back, a link leaves it alone for a moment."""
    for _ in range(TRIES):
        if await is_so():
            return
        await asyncio.sleep(0.01)
    pytest.fail("It never was so.")


class Way:
    """A port before a Redis. What holds `marker` goes no further until `may_go` is set; `cut` ends all there is."""

    def __init__(self, server: RedisServer) -> None:
        self.marker = b""
        self.held = asyncio.Event()
        self.may_go = asyncio.Event()
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def open(self, port: int = 0) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def mend(self) -> None:
        await self.open(self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        with suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection("127.0.0.1", self._server.port)
            try:
                await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
            finally:
                back.close()
        writer.close()
        self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**20):
            if self.marker and self.marker in data:
                self.held.set()
                await self.may_go.wait()
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def open_way(server: RedisServer) -> AsyncIterator[Way]:
    way = Way(server)
    await way.open()
    try:
        yield way
    finally:
        await way.cut()
