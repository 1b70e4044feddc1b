"""DiskCache: answers on disk, from a thread of its own; all that goes wrong there is a miss."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.archive import CacheFigures
from pico_a1111_proxy.caches.ages import Found
from pico_a1111_proxy.caches.keeper import Keeper

MOST_WRITES = 8  # that wait for the disk, in memory
PATIENCE = 3.0  # seconds for a look into the cache; more than a look at a locked index takes
CLOSING_SECONDS = 10.0  # for what is still being written at the end

T = TypeVar("T")


@asynccontextmanager
async def open_disk_cache(
    folder: str, most_bytes: int, ttl_seconds: float, clock: Callable[[], float] = time.time
) -> AsyncIterator[DiskCache]:
    """The cache in `folder`, which need not be there; never raises. What waits to be written is written at the end.

    `clock` gives seconds since the epoch: answers outlive the process.
    """
    cache = DiskCache(folder, most_bytes, ttl_seconds, clock)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


class DiskCache:
    """Keeps at most `most_bytes` of files in `folder`, each answer for `ttl_seconds`. Made by `open_disk_cache`.

    Calls are done one after the other, in the order in which they came. `set` returns before its answer is written, and
    drops it, which is counted as trouble, when too much is waiting already.
    """

    def __init__(self, folder: str, most_bytes: int, ttl_seconds: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cache")
        self._keeper = Keeper(folder, (most_bytes, ttl_seconds), clock, self._later)
        self._writes = threading.BoundedSemaphore(MOST_WRITES)
        self._calls = 0  # of set
        self._late: Future[Any] | None = None
        self._closed = False
        self._eras = 0  # that were told
        self._hits = self._misses = self._trouble = 0

    async def open(self) -> None:
        """See what is there."""
        await self._do(self._keeper.look)

    async def close(self) -> None:
        """Write what is waiting, and end the thread; one that hangs is not waited for."""
        if not self._closed:
            self._closed = True
            await asyncio.wait([asyncio.wrap_future(self._thread.submit(self._keeper.finish))], timeout=CLOSING_SECONDS)
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def get(self, key: str) -> Answer | None:
        """What was set last, if it is still there and not too old."""
        found = await self.find(key)
        return found.answer if found else None

    async def find(self, key: str) -> Found | None:
        """The same, with its age."""
        clears = self._keeper.clears
        found = await self._do(lambda: self._keeper.find(key))
        if clears != self._keeper.clears or key in self._keeper.owed:
            found = None
        self._hits += found is not None
        self._misses += found is None
        return found

    async def set(self, key: str, answer: Answer) -> None:
        """Remember `answer`, if there is room for it; others may be forgotten for it."""
        await self.keep(key, Found(answer, self._clock()))

    async def keep(self, key: str, found: Found) -> None:
        """Remember an answer that has an age already. Returns at once."""
        self._calls += 1
        call, clears = self._calls, self._keeper.clears
        if self._closed or not self._writes.acquire(blocking=False):
            self._trouble += 1
            self._keeper.owe(key, call)
            return

        def write() -> None:
            """Keep it, and make place for another one."""
            try:
                self._keeper.put(key, found, call, clears)
            finally:
                self._writes.release()

        self._thread.submit(write)

    async def clear(self) -> None:
        """Forget everything. Returns when a service that starts now would have forgotten it, too."""
        self._keeper.forget_all()
        await self._do(self._keeper.look, even_if_late=True)

    async def was_forgotten(self) -> bool:
        """Whether another process has forgotten everything since this was asked last: what came from here is old then.

        A folder that was emptied, or an index that was made anew, may count as well.
        """
        await self._do(self._keeper.look)
        before, self._eras = self._eras, self._keeper.eras
        return before != self._eras

    def figures(self) -> CacheFigures:
        """How it goes; from memory, at once. `bytes` are those of the answers' files."""
        entries, size = self._keeper.held
        return CacheFigures(self._hits, self._misses, self._trouble + self._keeper.trouble, entries, size)

    async def _do(self, work: Callable[[], T], *, even_if_late: bool = False) -> T | None:
        """What `work` returns in the thread; None, and trouble, where that takes too long."""
        # Where one has waited in vain already, nobody else has to, and nothing piles up.
        if not self._closed and (even_if_late or self._late is None or self._late.done()):
            future = self._thread.submit(work)
            # Who is cancelled cancels nothing: to forget everything must not be forgotten.
            done = asyncio.wrap_future(future)
            await asyncio.wait([done], timeout=PATIENCE)
            if done.done():
                return done.result()
            self._late = future
        self._trouble += 1
        return None

    def _later(self, work: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # it is closed: whoever opens the folder next does it
            if not self._closed:
                self._thread.submit(work)
