"""Dithering: 8-bit pixels become the fewer levels of a panel, and what is lost in one pixel is made up for near it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pico_a1111_proxy.blue_noise import blue_noise
from pico_a1111_proxy.pixels import Levels, shades

Table = NDArray[np.uint8]  # something for each of the values from 0 to 255

_MARGIN = 16  # columns; twelve are enough for greys to stay grey


def quantise(image: Image.Image, depths: tuple[int, ...], dither: str) -> Levels:
    """The levels of an image of mode RGB or L, for channels of `depths` bits, dithered as `dither` says.

    `none` takes the nearest level. Every other way chooses for each channel of each pixel one of the two levels
    around its value, the brighter one the more often the nearer it is.
    """
    if dither == "none" or min(depths) == 8:  # with all levels there nothing is lost
        return _look_up(image, [_nearest(depth) for depth in depths])
    between = [_between(depth) for depth in depths]
    lower = _look_up(image, [level for level, _ in between])
    fractions = image.point(b"".join(fraction.tobytes() for _, fraction in between))
    return lower + _CHOOSE[dither](fractions)


def truncate(image: Image.Image, depths: tuple[int, ...]) -> Levels:
    """The levels that are left when the low bits are cut off: darker by half a level than `quantise`."""
    return _look_up(image, [(np.arange(256) >> (8 - depth)).astype(np.uint8) for depth in depths])


def _look_up(image: Image.Image, tables: list[Table]) -> Levels:
    return _as_levels(image.point(b"".join(table.tobytes() for table in tables)))


def _as_levels(image: Image.Image) -> Levels:
    levels: Levels = np.asarray(image)
    return levels if levels.ndim == 3 else levels[..., np.newaxis]


@cache
def _nearest(depth: int) -> Table:
    """The level whose shade is nearest to each value."""
    distances = np.abs(np.arange(256)[:, np.newaxis] - shades(depth).astype(int))
    nearest: Table = distances.argmin(axis=1).astype(np.uint8)
    return nearest


@cache
def _between(depth: int) -> tuple[Table, Table]:
    """Each value's place between two levels: the lower one, and how far it is on its way to the next, 63 to 191."""
    shown = shades(depth).astype(int)
    values = np.arange(256)
    lower = np.clip(np.searchsorted(shown, values, side="right") - 1, 0, len(shown) - 2)
    fraction = (values - shown[lower]) / (shown[lower + 1] - shown[lower])
    return lower.astype(np.uint8), (63 + np.rint(128 * fraction)).astype(np.uint8)


def _above(thresholds: NDArray[np.uint8], fractions: Image.Image) -> Levels:
    """Where the fractions lie above a tile of thresholds: the same tile for all channels, lest colours get noisy."""
    levels = _as_levels(fractions)
    height, width, _ = levels.shape
    side = len(thresholds)
    tiled = np.tile(thresholds, (-(-height // side), -(-width // side)))[:height, :width, np.newaxis]
    return (levels > tiled).view(np.uint8)


def _ordered(fractions: Image.Image) -> Levels:
    return _above(_thresholds(_bayer(3)), fractions)


def _blue_noise(fractions: Image.Image) -> Levels:
    return _above(_thresholds(blue_noise()), fractions)


def _floyd_steinberg(fractions: Image.Image) -> Levels:
    """Let Pillow's compiled quantiser choose, for the three channels in one pass.

    An error is never more than half a step, so the level nearest to a value with its neighbours' errors is always one
    of the two around the value alone: a palette of the two ends of the step, for each channel, is all it takes. They
    lie at 63 and 191: half of a step, 64, is clipped at neither end, and the boxes of four values in which Pillow
    looks colours up, each by its first value, part at 128, right above the middle. Pillow hands the last column's
    errors to another channel in the next row, which tints greys: in some columns more, cut off after, they die away.
    """
    three = fractions if fractions.mode == "RGB" else Image.merge("RGB", (fractions,) * 3)
    wider = ImageOps.expand(three, (0, 0, _MARGIN, 0), (63, 63, 63))
    ends = np.asarray(wider.quantize(palette=_ends(), dither=Image.Dither.FLOYDSTEINBERG))[:, :-_MARGIN]
    return np.stack([ends >> channel & 1 for channel in range(len(fractions.getbands()))], axis=-1)


@cache
def _ends() -> Image.Image:
    """A palette of the eight corners of the cube from 63 to 191; a colour's index has a bit for each channel."""
    palette = Image.new("P", (1, 1))
    palette.putpalette([191 if colour >> channel & 1 else 63 for colour in range(8) for channel in range(3)])
    return palette


_CHOOSE: dict[str, Callable[[Image.Image], Levels]] = {
    "ordered": _ordered,
    "blue-noise": _blue_noise,
    "floyd-steinberg": _floyd_steinberg,
}


def _thresholds(ranks: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Spread the ranks of a tile, from 0, evenly over the fractions' 63 to 191."""
    return (63 + (128 * ranks + 64) // ranks.size).astype(np.uint8)


def _bayer(doublings: int) -> NDArray[np.int64]:
    """Bayer's matrix: each rank as far as it can be from the ranks before it."""
    ranks: NDArray[np.int64] = np.zeros((1, 1), np.int64)
    for _ in range(doublings):
        ranks = np.block([[4 * ranks, 4 * ranks + 2], [4 * ranks + 3, 4 * ranks + 1]])
    return ranks
