"""Scene: all that a style is told about the picture it paints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pico_a1111_proxy.upstreams.demo.painting.palettes import Palette, Pixels


@dataclass(frozen=True)
class Scene:
    """A picture to be painted, `width` by `height` pixels, from the `words` of its prompt.

    Lengths are in units of the shorter side, so that a style looks the same at every size: the middle
    is (0, 0), x grows to the right and y downwards.
    """

    width: int
    height: int
    words: frozenset[str]
    palette: Palette
    rng: np.random.Generator

    @property
    def pixel(self) -> float:
        """The side of a pixel."""
        return 1.0 / min(self.width, self.height)

    @property
    def right(self) -> float:
        """x of the right edge; the left one is at `-right`."""
        return self.width * self.pixel / 2

    @property
    def bottom(self) -> float:
        """y of the lower edge; the upper one is at `-bottom`."""
        return self.height * self.pixel / 2

    @cached_property
    def x(self) -> Pixels:
        """x of every column: (1, w)."""
        return ((np.arange(self.width, dtype=np.float32) + 0.5) * self.pixel - self.right)[None, :]

    @cached_property
    def y(self) -> Pixels:
        """y of every row: (h, 1)."""
        return ((np.arange(self.height, dtype=np.float32) + 0.5) * self.pixel - self.bottom)[:, None]

    def halved(self) -> Scene:
        """The same picture with half the pixels a side, for what is soft anyway; its numbers go on from here."""
        return replace(self, width=(self.width + 1) // 2, height=(self.height + 1) // 2)

    def has(self, *words: str) -> bool:
        """Whether the prompt holds any of `words`."""
        return not self.words.isdisjoint(words)

    def between(self, low: float, high: float) -> float:
        """A number from `low` to `high` that the seed chooses."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """True in `share` of all seeds."""
        return bool(self.rng.random() < share)

    def count(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included, that the seed chooses."""
        return int(self.rng.integers(low, high + 1))
