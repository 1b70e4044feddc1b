"""Newest: the newest picture of each display, and who waits for a newer one."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Coroutine, Hashable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from pico_a1111_proxy.crowds import Crowd
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import PictureError, ShuttingDown
from pico_a1111_proxy.flights import Flight
from pico_a1111_proxy.frames import convert, preview

HELD_BYTES = 64_000_000  # of pictures, all displays together
MOST_MADE = 8  # things kept that were made of one picture
MADE_BYTES = 2_000_000  # of them together


class Made(Protocol):
    """What is made of a picture, as far as it matters here."""

    @property
    def body(self) -> bytes:
        """What of it takes memory."""
        ...


M = TypeVar("M", bound=Made)

_NUMBERS = itertools.count()


def arrival() -> int:
    """The number of a picture that has just arrived: higher than those before."""
    return next(_NUMBERS)


class Published:
    """An encoded picture, and what was last made of it. Two with equal pictures are not the same one.

    `count` is how many pictures the upstream made and `seed` what it drew this one with, None where nobody knows.
    `number` is that of its arrival, None for now.
    """

    def __init__(
        self, picture: bytes, count: int | None = None, seed: int | None = None, number: int | None = None
    ) -> None:
        self.picture = picture
        self.count = count
        self.seed = seed
        self.number = arrival() if number is None else number
        self.may_shrink = True
        self._made: dict[Hashable, Flight[Any]] = {}

    async def make(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, M]]) -> M:
        """What `work` makes of the picture, made once for all who ask for `key`; raises what `work` raises.

        Who is cancelled takes nothing from the others; with the last one the work is cancelled. A failure is not kept.
        """
        known: Flight[M] | None = self._made.pop(key, None)
        making = known or Flight(work())
        self._made[key] = making  # the last asked for is the last to be forgotten
        try:
            made = await making.wait()
        finally:
            if not making.is_of_use and self._made.get(key) is making:
                del self._made[key]
        self._forget()
        return made

    def shrink(self, small: bytes) -> None:
        """Have `small` from now on in the place of the picture. What was made of that is as good as before."""
        old, self.picture = self.picture, small
        kept = [(key, making) for key, making in self._made.items() if making.is_good]
        for key, making in kept:
            if making.result().body is old:
                del self._made[key]

    def _forget(self) -> None:
        """Keep no more than is allowed of what is made; what is being made belongs to those who wait for it."""
        sizes = {key: self._size(making.result()) for key, making in self._made.items() if making.is_good}
        count, size = len(sizes), sum(sizes.values())
        for key, its_size in sizes.items():
            if count <= MOST_MADE and size <= MADE_BYTES:
                return
            del self._made[key]
            count, size = count - 1, size - its_size

    def _size(self, made: Made) -> int:
        return 0 if made.body is self.picture else len(made.body)


class Newest:
    """The newest picture of each of `displays`; `waiting` is how many wait for another.

    Pictures of more than `budget` bytes together are too much: beginning with the one published first, each but the
    last is replaced by the preview of its display's frame, which `converters`, a pool of threads, make.

    `heard` is called with each that becomes the newest of a display, and with the display's name.
    """

    def __init__(self, displays: Mapping[str, Display], converters: Executor, budget: int = HELD_BYTES) -> None:
        self._displays = displays
        self._converters = converters
        self._budget = budget
        self._newest: dict[str, Published] = {}  # in the order of publishing
        self._changes: dict[str, Crowd] = {}
        self._shrinking: asyncio.Task[None] | None = None
        self._closed = False
        self.waiting = 0  # clients
        self.heard: Callable[[str, Published], None] | None = None

    @property
    def names(self) -> Collection[str]:
        """Of all displays, also of those without a picture yet."""
        return self._displays.keys()

    @property
    def held(self) -> int:
        """Bytes of all pictures."""
        return sum(len(published.picture) for published in self._newest.values())

    def get(self, name: str) -> Published | None:
        """The newest of the display `name`, None before the first."""
        return self._newest.get(name)

    def publish(self, name: str, published: Published) -> None:
        """Make it the newest of the display `name`, and wake who waits for that.

        With the picture that is the newest already, nothing is new and nobody is woken; nor with one that arrived
        before the newest and took longer to convert.
        """
        before = self._newest.get(name)
        if before and before.number > published.number:
            return
        self._newest.pop(name, None)
        if before and before.picture == published.picture:
            before.number = published.number
            self._newest[name] = before
            return
        self._newest[name] = published
        self._changes.pop(name, Crowd()).wake()
        if self.heard:
            self.heard(name, published)
        if self.held > self._budget and not self._closed and (self._shrinking is None or self._shrinking.done()):
            self._shrinking = asyncio.create_task(self._shrink())

    async def wait(self, name: str, after: Published | None, seconds: float) -> Published | None:
        """The newest of the display `name` as soon as it is another than `after`; None where it is not in time.

        Raises ShuttingDown, at once or while waiting.
        """
        if self.get(name) is after and not self._closed:
            self.waiting += 1
            try:
                await self._changes.setdefault(name, Crowd()).wait(seconds)
            finally:
                self.waiting -= 1
        if self._closed:
            raise ShuttingDown
        newest = self.get(name)
        return None if newest is after else newest

    def close(self) -> None:
        """Send away who waits; what is published can still be had."""
        self._closed = True
        while self._changes:
            self._changes.popitem()[1].wake()
        if self._shrinking:
            self._shrinking.cancel()

    async def _shrink(self) -> None:
        while self.held > self._budget:
            *older, _last = self._newest.items()
            name, published = next(((name, one) for name, one in older if one.may_shrink), ("", None))
            if published is None:
                return
            published.may_shrink = False
            with suppress(PictureError):  # it stays as it is then
                work = partial(_make_small, published.picture, self._displays[name])
                small = await asyncio.get_running_loop().run_in_executor(self._converters, work)
                if len(small) < len(published.picture):
                    published.shrink(small)


def _make_small(picture: bytes, display: Display) -> bytes:
    # With the corners of a round panel: without them its frame would not be the same again.
    return preview(convert(picture, display), replace(display, round=False))
