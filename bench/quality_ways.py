"""Ways to bring a picture of 8 bits to RGB565 in this process: ours, and rules of others written anew.

Each is a function of an image of mode RGB that returns the levels of every pixel, shape (height, width, 3).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import partial

import numpy as np
from metrics import Values, light_of
from numpy.typing import NDArray
from PIL import Image

from pico_a1111_proxy.dithers import quantise, truncate
from pico_a1111_proxy.pixels import Levels, shades

Way = Callable[[Image.Image], Levels]

DEPTHS = (5, 6, 5)
OURS = {
    "ours: none (nearest level)": "none",
    "ours: ordered": "ordered",
    "ours: blue-noise": "blue-noise",
    "ours: floyd-steinberg": "floyd-steinberg",
}


def in_process() -> dict[str, Way]:
    """The ways by name."""
    ways: dict[str, Way] = {"truncation (the default display)": lambda image: truncate(image, DEPTHS)}
    ways |= {name: partial(_ours, dither=dither) for name, dither in OURS.items()}
    ways |= {
        "white noise": _white_noise,
        "Pillow quantize, a channel at a time": _pillow,
        "LVGL's rule, RGB565": partial(_lvgl, dither=False),
        "LVGL's rule, RGB565 dithered": partial(_lvgl, dither=True),
        "LVGL's rule, RGB565A8 dithered": partial(_lvgl, dither=True, opaque_loses_one=False),
    }
    return ways


def replicated(image: Image.Image) -> NDArray[np.uint8]:
    """What is shown of truncated levels by a panel that fills up to 8 bits by repeating the highest ones."""
    levels = truncate(image, DEPTHS)
    shown = [levels[..., c] << (8 - depth) | levels[..., c] >> (2 * depth - 8) for c, depth in enumerate(DEPTHS)]
    return np.stack(shown, axis=-1)


def yardsticks() -> dict[str, Way]:
    """Error diffusion in 64-bit floating point and plain Python: what ours should come near to."""
    return {
        "Floyd-Steinberg, float64": diffuse,
        "the same, every other row backwards": partial(diffuse, serpentine=True),
        "the same, of light": partial(diffuse, of_light=True),
    }


def _ours(image: Image.Image, dither: str) -> Levels:
    return quantise(image, DEPTHS, dither)


def _white_noise(image: Image.Image) -> Levels:
    values = np.asarray(image) / 255 * (np.array([1 << depth for depth in DEPTHS]) - 1)
    return np.floor(values + np.random.RandomState(1).random_sample(values.shape)).astype(np.uint8)


def _pillow(image: Image.Image) -> Levels:
    """Each channel as a grey picture, dithered to a palette of its shades."""
    channels = []
    for channel, depth in zip(image.split(), DEPTHS, strict=True):
        palette = Image.new("P", (1, 1))
        palette.putpalette([int(shade) for shade in shades(depth) for _ in range(3)])
        grey = Image.merge("RGB", (channel,) * 3)
        channels.append(np.asarray(grey.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)))
    return np.stack(channels, axis=-1)


def _lvgl(image: Image.Image, dither: bool, opaque_loses_one: bool = True) -> Levels:
    """LVGLImage.py: opaque pixels go through `c * 255 >> 8`, which takes one off, and then lose their low bits.

    With --rgb565dither a threshold from an 8x8 tile is added before, 0 to 8 for red and blue and 0 to 4 for green, and
    the low bits are cut, so that the one that is taken off then takes a whole level. RGB565A8 does not take it off.
    """
    values = np.asarray(image).astype(int)
    if dither:
        tile = np.tile(_bayer_8(), (-(-image.height // 8), -(-image.width // 8)))[: image.height, : image.width]
        added = np.stack([np.rint(8 * tile), np.rint(4 * tile), np.rint(8 * tile[:, ::-1])], axis=-1)
        values = np.minimum(values + added.astype(int), 255) & np.array([0xF8, 0xFC, 0xF8])
    if opaque_loses_one:
        values = values * 255 >> 8
    return (values >> np.array([3, 2, 3])).astype(np.uint8)


def _bayer_8() -> Values:
    tile = np.zeros((1, 1))
    for _ in range(3):
        tile = np.block([[4 * tile, 4 * tile + 2], [4 * tile + 3, 4 * tile + 1]])
    return tile / 63


def diffuse(
    image: Image.Image, depths: tuple[int, ...] = DEPTHS, serpentine: bool = False, of_light: bool = False
) -> Levels:
    """Floyd and Steinberg's way as their paper has it, with the nearest of all levels for each value."""
    values = np.asarray(image).astype(np.float64).reshape(image.height, image.width, -1)
    channels = []
    for channel, depth in enumerate(depths):
        steps = shades(depth).astype(np.float64)
        plane = values[..., channel]
        if of_light:
            steps, plane = light_of(steps), light_of(plane)
        channels.append(_diffuse_plane(plane, steps, serpentine))
    return np.stack(channels, axis=-1)


def _diffuse_plane(plane: Values, steps: NDArray[np.float64], serpentine: bool) -> NDArray[np.uint8]:
    height, width = plane.shape
    borders = ((steps[1:] + steps[:-1]) / 2).tolist()
    shown = steps.tolist()
    rows = np.pad(plane, ((0, 1), (1, 1))).tolist()
    levels = np.empty((height, width), np.uint8)
    for y in range(height):
        ahead = -1 if serpentine and y % 2 else 1
        row, below = rows[y], rows[y + 1]
        for x in range(1, width + 1) if ahead == 1 else range(width, 0, -1):
            level = bisect_right(borders, row[x])
            levels[y, x - 1] = level
            error = (row[x] - shown[level]) / 16
            row[x + ahead] += 7 * error
            below[x - ahead] += 3 * error
            below[x] += 5 * error
            below[x + ahead] += error
    return levels
