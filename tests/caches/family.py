"""The family of caches for its tests: how each is made, a clock to set, and answers to put in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fakes.redis import open_redis
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.caches.disk import open_disk_cache
from pico_a1111_proxy.caches.layers import LayeredCache
from pico_a1111_proxy.caches.memory import MemoryCache
from pico_a1111_proxy.caches.redis import RedisCache
from pico_a1111_proxy.fleet.link import open_link

MB = 1_000_000
DAY = 86400.0


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


Make = Callable[..., AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def open_memory(
    _folder: Path, clock: Clock, most_bytes: int = 10 * MB, ttl: float = DAY
) -> AsyncIterator[MemoryCache]:
    yield MemoryCache(most_bytes, ttl, clock)


@asynccontextmanager
async def open_disk(folder: Path, clock: Clock, most_bytes: int = 10 * MB, ttl: float = DAY) -> AsyncIterator[Any]:
    async with open_disk_cache(str(folder / "cache"), most_bytes, ttl, clock) as cache:
        yield cache


@asynccontextmanager
async def open_layered(folder: Path, clock: Clock, most_bytes: int = 10 * MB, ttl: float = DAY) -> AsyncIterator[Any]:
    async with open_disk(folder, clock, most_bytes, ttl) as disk:
        # Too small for all, so that the lower one is asked as well.
        yield LayeredCache([MemoryCache(most_bytes // 4, ttl, clock), disk])


@asynccontextmanager
async def open_shared(folder: Path, clock: Clock, most_bytes: int = 10 * MB, ttl: float = DAY) -> AsyncIterator[Any]:
    """With a Redis of its own, which is killed at the end, and knows the next time what it has written."""
    (folder / "redis").mkdir(exist_ok=True)
    # A killed process loses nothing that the kernel has.
    async with (
        open_redis(folder / "redis", "--appendfsync", "no") as server,
        open_link(server.url, time.monotonic) as link,
    ):
        yield RedisCache(link, most_bytes, ttl, clock)


FAMILY: dict[str, Make] = {
    "memory": open_memory,
    "disk": open_disk,
    "layered": open_layered,
    "redis": open_shared,
}


def answer(letter: str = "a", size: int = 1000, **headers: str) -> Answer:
    return Answer(200, tuple(headers.items()) or (("Content-Type", "application/json"),), letter.encode() * size)


def answer_files(folder: Path) -> list[Path]:
    """The files of answers in the cache that `open_disk` made in `folder`."""
    return sorted((folder / "cache").glob("pico-*.answer"))


def bytes_in(folder: Path) -> int:
    total = 0
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # the cache's thread may be removing some
            total += file.lstat().st_size
    return total
