"""LayeredCache: small fast caches over large slow ones, as one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.archive import Cache, CacheFigures
from pico_a1111_proxy.caches.ages import Found


class Layer(Cache, Protocol):
    """A cache that knows the age of what it holds, so that an answer does not become young by moving up."""

    async def find(self, key: str) -> Found | None:
        """As `get`, with the age; by the same clock as that of the other layers."""
        ...

    async def keep(self, key: str, found: Found) -> None:
        """As `set`, of an answer that has an age already."""
        ...

    async def was_forgotten(self) -> bool:
        """Whether somebody else has forgotten everything in it since this was asked last."""
        ...


class LayeredCache:
    """`layers` as one, the fastest first; what is found in one fills those above it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = tuple(layers)
        self._changes = 0  # by set and clear
        self._hits = 0
        self._misses = 0

    async def get(self, key: str) -> Answer | None:
        """What was set last, if one of the layers still has it and it is not too old."""
        changes = self._changes
        for depth, layer in enumerate(self._layers):
            found = await layer.find(key)
            if found is None:
                continue
            for above in self._layers[:depth]:
                if changes == self._changes:  # else it may be old by now
                    await above.keep(key, found)
            self._hits += 1
            return found.answer
        self._misses += 1
        return None

    async def set(self, key: str, answer: Answer) -> None:
        """Remember it in all layers."""
        self._changes += 1
        for layer in self._layers:
            await layer.set(key, answer)

    async def clear(self) -> None:
        """Forget everything, in all layers at once: what one has forgotten must not come back from another."""
        self._changes += 1
        await _clear(self._layers)

    async def was_forgotten(self) -> bool:
        """Whether somebody else has forgotten everything in a layer since this was asked last, as a command may.

        What is above that layer is forgotten then, too, and whoever asks should forget what came from here. What is
        below is not: a layer that several hosts share is the lowest, so that one host does not forget for all of them.
        """
        forgotten = False
        for depth, layer in enumerate(self._layers):
            if await layer.was_forgotten():
                forgotten = True
                self._changes += 1
                await _clear(self._layers[:depth])
        return forgotten

    def figures(self) -> CacheFigures:
        """How it goes: each get is one hit or one miss, wherever it was found; trouble is that of all layers together.

        `entries` and `bytes` are those of the layer that holds most, which is the lowest one as long as it works: the
        others hold some of the same.
        """
        below = [layer.figures() for layer in self._layers]
        most = max(below, key=lambda figures: (figures.entries, figures.bytes), default=CacheFigures())
        trouble = sum(figures.trouble for figures in below)
        return CacheFigures(self._hits, self._misses, trouble, most.entries, most.bytes)


async def _clear(layers: Sequence[Layer]) -> None:
    if layers:
        # Who is cancelled cancels nothing: to forget everything must not be forgotten.
        await asyncio.wait([asyncio.ensure_future(layer.clear()) for layer in layers])
