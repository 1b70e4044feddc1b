"""Archive: what was drawn before and need not be drawn again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.renderings import Rendering

RECENT_BYTES = 32_000_000  # of renderings that are ready to be sent
KNOWN_SECONDS = 60.0  # for which one is ready that was made of what the cache knew


@dataclass(frozen=True)
class CacheFigures:
    """What a cache has done since the start, and what it holds: `trouble` counts what went wrong, each a miss."""

    hits: int = 0
    misses: int = 0
    trouble: int = 0
    entries: int = 0
    bytes: int = 0


class Cache(Protocol):
    """Remembers an upstream's answers by the key of their job; trouble with it is a counted miss, never an error."""

    async def get(self, key: str) -> Answer | None:
        """What was set last, if it is still there and not too old."""
        ...

    async def set(self, key: str, answer: Answer) -> None:
        """Remember `answer`, if there is room for it; others may be forgotten for it."""
        ...

    async def clear(self) -> None:
        """Forget everything. What is set after the call stays."""
        ...

    async def was_forgotten(self) -> bool:
        """Whether somebody else has had it forget everything since this was asked last, as a command may."""
        ...

    def figures(self) -> CacheFigures:
        """How it goes; from memory, at once."""
        ...


class Lease(Protocol):
    """Nobody else draws it, until this is given up; if its owner dies it ends by itself."""

    async def give_up(self) -> None:
        """Let others draw it; a second time does nothing. Never raises."""
        ...


class Locks(Protocol):
    """Who draws what, of all who share the cache; where nobody can tell, everybody draws for himself."""

    async def take(self, key: str, seconds: float = 0.0) -> Lease | None:
        """Have it drawn by nobody else; None where somebody else is drawing it still after `seconds`. Never raises."""
        ...

    async def close(self) -> None:
        """Give up all that is held still."""
        ...


@dataclass(frozen=True)
class _Recent:
    key: str | None
    rendering: Rendering
    size: int
    until: float


class Archive:
    """Generations in `cache`, and the last renderings made of them, ready to be sent; None keeps nothing at all.

    What is kept is good for `seconds` of `clock`. `moment` changes with whatever may change the pictures: what was
    begun before is not kept, and nobody may join it. `locks` are those of a cache that others share.
    """

    def __init__(
        self, cache: Cache | None, seconds: float, clock: Callable[[], float], locks: Locks | None = None
    ) -> None:
        self.moment = 0
        self._locks = locks
        self._cache = cache
        self._seconds = seconds
        self._clock = clock
        self._recent: OrderedDict[Hashable, _Recent] = OrderedDict()
        self._size = 0
        self._hits = 0
        self._looked_again = 0

    @property
    def is_on(self) -> bool:
        """Whether anything is kept."""
        return self._cache is not None

    def recall(self, job: Job) -> Rendering | None:
        """The rendering of `job`, if it is ready to be sent."""
        if not self.may_know(job):
            return None
        shape = _shape(job)
        recent = self._recent.get(shape)
        if recent is None or recent.until < self._clock():
            return None
        self._recent.move_to_end(shape)
        self._hits += 1
        return recent.rendering

    def may_know(self, job: Job) -> bool:
        """Whether it is worth looking."""
        return self.is_on and job.key is not None and job.caching == "use"

    async def find(self, job: Job, *, again: bool = False) -> Answer | None:
        """The upstream's answer to `job`, if it is known. Who looks `again` in vain misses but once."""
        if not self._cache or not job.key or not self.may_know(job):
            return None
        answer = await self._cache.get(job.key)
        self._looked_again += again and answer is None
        return answer

    def is_shared(self, job: Job) -> bool:
        """Whether somebody else may be drawing `job` now, and what comes of it will be found here."""
        return self._locks is not None and job.repeatable and self.may_know(job)

    async def alone(self, job: Job, seconds: float = 0.0) -> Lease | None:
        """Have `job`, which is shared, drawn by nobody else; None where somebody else does still after `seconds`."""
        return await self._locks.take(job.key, seconds) if self._locks and job.key else None

    async def keep(self, job: Job, answer: Answer, moment: int) -> None:
        """Remember what the upstream answered to `job`, which began at `moment`."""
        if self._cache is None or job.key is None or not self._may_keep(job, moment):
            return
        if self._locks and await self._cache.was_forgotten():  # by another proxy, since the last look
            self._forget_all()
        if self._may_keep(job, moment):
            await self._cache.set(job.key, answer)

    def renew(self, job: Job) -> None:
        """Let go of what was made of an older generation of `job`: it has just been drawn anew."""
        for shape in [shape for shape, recent in self._recent.items() if recent.key == job.key]:
            self._forget(shape)

    def keep_recent(self, job: Job, rendering: Rendering, moment: int, *, known: bool = False) -> None:
        """Have what was made for `job`, which began at `moment`, ready for the next who asks for the same.

        Of what was `known`, and came from the cache, only the cache knows the age, and is asked again soon.
        """
        if not self.is_on or not self._may_keep(job, moment) or not rendering.frames:
            return
        rendering = replace(rendering, answer=None, origin="hit")
        shape, size = _shape(job), rendering.size
        self._forget(shape)
        if size <= RECENT_BYTES:
            seconds = min(self._seconds, KNOWN_SECONDS) if known else self._seconds
            self._recent[shape] = _Recent(job.key, rendering, size, self._clock() + seconds)
            self._size += size
        while self._size > RECENT_BYTES:
            self._forget(next(iter(self._recent)))

    def disturb(self) -> None:
        """Keep nothing of what is being drawn now: somebody has changed it, or ended it before its time."""
        self.moment += 1

    async def clear(self) -> None:
        """Forget everything: the same words may give other pictures from now on."""
        self._forget_all()
        if self._cache is not None:
            await self._cache.clear()

    @asynccontextmanager
    async def heeding(self, job: Job) -> AsyncIterator[None]:
        """Around the generation of `job`: forget everything where it leaves other options behind."""
        if job.changes_options:
            await self.clear()
        try:
            yield
        finally:
            if job.changes_options:
                await self.clear()

    @asynccontextmanager
    async def looking(self, every_seconds: float) -> AsyncIterator[None]:
        """Until the block ends, forget what somebody else has had the cache forget; then give up all locks."""
        task = asyncio.create_task(self._look(every_seconds))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            if self._locks:
                await self._locks.close()

    def figures(self) -> CacheFigures:
        """How it goes: a rendering that was ready counts as a hit too."""
        figures = self._cache.figures() if self._cache else CacheFigures()
        return replace(figures, hits=figures.hits + self._hits, misses=figures.misses - self._looked_again)

    async def _look(self, every_seconds: float) -> None:
        while self._cache is not None:
            if await self._cache.was_forgotten():
                self._forget_all()
            await asyncio.sleep(every_seconds)

    def _forget_all(self) -> None:
        self.disturb()
        self._recent.clear()
        self._size = 0

    def _may_keep(self, job: Job, moment: int) -> bool:
        return job.key is not None and job.caching != "avoid" and moment == self.moment

    def _forget(self, shape: Hashable) -> None:
        old = self._recent.pop(shape, None)
        self._size -= old.size if old else 0


def _shape(job: Job) -> Hashable:
    """What makes a rendering of one generation another."""
    return (job.key, job.display, job.wanted, job.index)
