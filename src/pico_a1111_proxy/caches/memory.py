"""MemoryCache: answers in memory, as many as there is room for; those not used for the longest time go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.archive import CacheFigures
from pico_a1111_proxy.caches.ages import Found, is_good, is_too_old

ENTRY_BYTES = 500  # of objects around an entry without any headers, measured and rounded up
HEADER_BYTES = 200  # of objects around one header


class _Entry(NamedTuple):
    found: Found
    size: int


class MemoryCache:
    """Keeps at most `most_bytes`, each for `ttl_seconds` of `clock`; an answer larger than all that is not kept."""

    def __init__(self, most_bytes: int, ttl_seconds: float, clock: Callable[[], float]) -> None:
        self._most_bytes = most_bytes
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # the one used last is the last
        self._bytes = 0
        self._hits = 0
        self._misses = 0

    async def get(self, key: str) -> Answer | None:
        """What was set last, if it is still there and not too old."""
        found = await self.find(key)
        return found.answer if found else None

    async def find(self, key: str) -> Found | None:
        """The same, with its age."""
        entry, now = self._entries.get(key), self._clock()
        if entry and is_good(entry.found.stored, now, self._ttl_seconds):
            self._entries.move_to_end(key)
            self._hits += 1
            return entry.found
        if entry and is_too_old(entry.found.stored, now, self._ttl_seconds):
            self._drop(key)
        self._misses += 1
        return None

    async def set(self, key: str, answer: Answer) -> None:
        """Remember `answer`, if there is room for it; others may be forgotten for it."""
        await self.keep(key, Found(answer, self._clock()))

    async def keep(self, key: str, found: Found) -> None:
        """Remember an answer that has an age already."""
        self._drop(key)  # also when the new one is too large: what is older than the last is never an answer
        size = _measure(key, found.answer)
        if size > self._most_bytes:
            return
        while self._bytes + size > self._most_bytes:
            self._drop(next(iter(self._entries)))
        self._entries[key] = _Entry(found, size)
        self._bytes += size

    async def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0

    async def was_forgotten(self) -> bool:
        """Never: nobody else can reach it."""
        return False

    def figures(self) -> CacheFigures:
        """How it goes; `bytes` is memory, so somewhat more than the bodies."""
        return CacheFigures(self._hits, self._misses, entries=len(self._entries), bytes=self._bytes)

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry:
            self._bytes -= entry.size


def _measure(key: str, answer: Answer) -> int:
    headers = sum(len(name) + len(value) + HEADER_BYTES for name, value in answer.headers)
    return ENTRY_BYTES + len(key) + headers + len(answer.body)
