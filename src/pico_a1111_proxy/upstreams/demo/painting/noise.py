"""Noise: the smooth chance that clouds, ridges and currents are made of."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

DRAFT_SIDE = 192  # pixels; larger pictures have their noise drawn at half the size
MARGIN = 3  # lattice points outside the picture that the bicubic filter may look at


def smooth(scene: Scene, columns: float, rows: float) -> Pixels:
    """Value noise with so many lattice cells per unit across and down: (h, w), within about -1 to 1."""
    return _enlarged(_octave(scene, columns, rows, _drafted(scene)), scene)


def fractal(scene: Scene, columns: float, rows: float, octaves: int = 5, gain: float = 0.5) -> Pixels:
    """`octaves` of noise, each twice as fine and `gain` times as strong: (h, w), within about -1 to 1."""
    size = _drafted(scene)
    total = _octave(scene, columns, rows, size).copy()
    strength, whole = 1.0, 1.0
    for octave in range(1, octaves):
        strength *= gain
        whole += strength
        total += _octave(scene, columns * 2**octave, rows * 2**octave, size) * np.float32(strength)
    total *= np.float32(1.6 / whole)
    return _enlarged(total, scene)


def _drafted(scene: Scene) -> tuple[int, int]:
    """Noise is smooth, so half the pixels are enough to draw it with, and take a quarter of the time."""
    if min(scene.width, scene.height) < DRAFT_SIDE:
        return scene.width, scene.height
    return scene.width // 2, scene.height // 2


def _octave(scene: Scene, columns: float, rows: float, size: tuple[int, int]) -> Pixels:
    across, down = max(2 * scene.right * columns, 0.01), max(2 * scene.bottom * rows, 0.01)
    shape = (math.ceil(down) + 2 * MARGIN, math.ceil(across) + 2 * MARGIN)
    lattice = scene.rng.uniform(-1, 1, shape).astype(np.float32)
    box = (MARGIN, MARGIN, MARGIN + across, MARGIN + down)
    return np.asarray(Image.fromarray(lattice).resize(size, Image.Resampling.BICUBIC, box))


def _enlarged(field: Pixels, scene: Scene) -> Pixels:
    size = (scene.width, scene.height)
    return np.array(Image.fromarray(field).resize(size, Image.Resampling.BILINEAR))


def line(scene: Scene, frequency: float, octaves: int = 6, gain: float = 0.5) -> Pixels:
    """The same along one line, from left to right: (w,), within about -1 to 1."""
    total = np.zeros(scene.width, np.float32)
    whole = 0.0
    for octave in range(octaves):
        at = (scene.x[0] + scene.right) * (frequency * 2**octave)
        lattice = scene.rng.uniform(-1, 1, math.ceil(2 * scene.right * frequency * 2**octave) + 3)
        total += interpolate(lattice.astype(np.float32), at) * np.float32(gain**octave)
        whole += gain**octave
    return total * np.float32(1.6 / whole)


def interpolate(values: Pixels, at: Pixels) -> Pixels:
    """`values` (n,) read between their places by smoothstep; `at` lies within 0 to n - 2."""
    place = np.floor(at).astype(np.intp)
    part = at - place
    part = part * part * (3 - 2 * part)
    return np.asarray(values[place] * (1 - part) + values[place + 1] * part)


def displaced(field: Pixels, right: Pixels, down: Pixels) -> Pixels:
    """`field` (h, w) read so many pixels further right and down at each place, mirrored at the edges."""
    height, width = field.shape
    x = _mirrored(np.arange(width, dtype=np.float32)[None, :] + right, width)
    y = _mirrored(np.arange(height, dtype=np.float32)[:, None] + down, height)
    column = np.minimum(x.astype(np.int32), width - 2)
    row = np.minimum(y.astype(np.int32), height - 2)
    part_x, part_y = x - column, y - row
    flat = field.ravel()
    start = row * width + column
    upper = flat[start] * (1 - part_x) + flat[start + 1] * part_x
    lower = flat[start + width] * (1 - part_x) + flat[start + width + 1] * part_x
    return np.asarray(upper + (lower - upper) * part_y)


def shifted(field: Pixels, right: int, down: int) -> Pixels:
    """`field` (h, w) moved by whole pixels; its edges fill the gap."""
    height, width = field.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return field[rows][:, columns]


def _mirrored(at: Pixels, size: int) -> Pixels:
    period = 2.0 * (size - 1)
    folded = np.mod(at, np.float32(period))
    return np.asarray(np.minimum(folded, np.float32(period) - folded))
