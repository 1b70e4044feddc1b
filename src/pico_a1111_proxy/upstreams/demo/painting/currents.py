"""Currents: broad strokes that follow a flow field without touching, and folds of silk, smoke or marble."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pico_a1111_proxy.upstreams.demo.painting import brush, noise
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

GRID = 128  # cells per unit of the grid that keeps strokes apart
STRIDE = 0.015  # units between two points of a stroke
SHORTEST = 8  # points; what is cut shorter is left out
MARGIN = 8  # cells around the grid that no path enters
POINTS = 56  # of the longest stroke


def paint_strokes(scene: Scene) -> Pixels:
    """Wide strokes first, thinner ones in what room they leave, on paper."""
    palette = scene.palette
    night = palette.name in ("neon", "black", "midnight", "aurora") or scene.has("night", "dark")
    paper = palette.tone(0.0 if night else 0.97)
    ink = scene.has("ink", "calligraphy", "brush")
    times = brush.fineness(scene)
    colour = tuple((paper.ravel() * 255).astype(int).tolist())
    image = Image.new("RGB", (scene.width * times, scene.height * times), colour)
    pen = ImageDraw.Draw(image)
    bands = noise.smooth(scene, 1.3, 1.3)
    for path, width in _apart(scene, _traced(scene), 0.014 if ink else 0.05):
        fill = _colour(scene, bands, path, night)
        share = np.sin(np.linspace(0, math.pi, len(path))) if ink else np.ones(len(path))
        pen.polygon(brush.to_pixels(scene, brush.ribbon(path, width * share), times), fill=fill)
        if not ink:
            ends = np.concatenate([path[[0, -1]] - width / 2, path[[0, -1]] + width / 2], axis=1)
            for end in ends.reshape(2, 2, 2):
                pen.ellipse(brush.to_pixels(scene, end, times), fill=fill)
    return brush.reduced(scene, image) * (1 + 0.025 * noise.fractal(scene, 30, 30, 2))


def _colour(scene: Scene, bands: Pixels, path: brush.Points, night: bool) -> tuple[int, int, int]:
    if scene.chance(0.09):
        red, green, blue = (scene.palette.accent.ravel() * 255).astype(int).tolist()
        return red, green, blue
    column, row = ((path[len(path) // 2] + (scene.right, scene.bottom)) / scene.pixel).astype(int).tolist()
    here = bands[min(max(row, 0), scene.height - 1), min(max(column, 0), scene.width - 1)]
    low, high = (0.3, 0.95) if night else (0.08, 0.78)
    return scene.palette.ink(low + (high - low) * (0.5 + 0.75 * float(here)) + scene.between(-0.12, 0.12))


def _traced(scene: Scene) -> brush.Points:
    """Many paths through one flow field, forwards from random starts: (number, POINTS, 2)."""
    number = round(2400 * min(4 * scene.right * scene.bottom, 2.5))
    at = np.asarray(scene.rng.uniform(-1.08, 1.08, (number, 2)) * (scene.right, scene.bottom), np.float32)
    waves = np.asarray(scene.rng.normal(0, 1, (5, 2)) * [[1.6], [2.2], [3.0], [3.8], [5.0]], np.float32)
    phases = np.asarray(scene.rng.uniform(0, 2 * math.pi, 5), np.float32)
    weights = np.array([1.0, 0.8, 0.5, 0.35, 0.2], np.float32) * np.float32(scene.between(0.7, 1.3))
    whirl = np.asarray(scene.rng.uniform(-0.6, 0.6, 2) * (scene.right, scene.bottom), np.float32)
    turn, base = scene.between(-1, 1), scene.between(0, 2 * math.pi)
    paths = np.empty((number, POINTS, 2), np.float32)
    for point in range(POINTS):
        paths[:, point] = at
        angle = base + np.sin(at @ waves.T + phases) @ weights
        offset = at - whirl
        angle += turn * 2.2 * np.exp(-np.hypot(offset[:, 0], offset[:, 1]) / 0.3)
        at += np.float32(STRIDE) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return paths


def _apart(scene: Scene, paths: brush.Points, widest: float) -> list[tuple[brush.Points, float]]:
    """The paths with their widths, each cut where it would come too near to an earlier one."""
    margin = (scene.right + 0.2, scene.bottom + 0.2)
    columns, rows = (math.ceil(2 * side * GRID) + 1 for side in margin)
    taken = np.zeros(rows * columns, bool)
    place = np.clip(((paths + margin) * GRID).astype(np.intp), MARGIN, (columns - MARGIN - 1, rows - MARGIN - 1))
    cells = place[:, :, 1] * columns + place[:, :, 0]
    kept = []
    for nth, (path, cell) in enumerate(zip(paths, cells, strict=True)):
        if taken[cell[SHORTEST]]:
            continue
        hit = taken[cell]
        length = int(hit.argmax()) if hit.any() else POINTS
        if length < SHORTEST:
            continue
        width = widest * max(0.14, (1 - nth / len(paths)) ** 2.6)
        kept.append((path[:length], width))
        around = _disc(min(round((0.93 * width + 0.004) * GRID), MARGIN), columns)
        taken[cell[:length, None] + around] = True
    return kept


@lru_cache(maxsize=32)
def _disc(reach: int, columns: int) -> npt.NDArray[np.intp]:
    """Where the cells within `reach` of one lie, counted from it, in a grid of so many columns."""
    rows, aside = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    within = rows * rows + aside * aside <= reach * reach
    return np.asarray(rows[within] * columns + aside[within])


def paint_silk(scene: Scene) -> Pixels:
    """Noise bent by noise bent by noise, lit from one side like cloth."""
    palette = scene.palette
    scale = scene.between(1.0, 1.5)
    unit = np.float32(1 / scene.pixel)
    first = noise.fractal(scene, scale, scale, 3, 0.42)
    second = noise.fractal(scene, scale, scale, 3, 0.42)
    bent = noise.displaced(first, second * (0.33 * unit), first * (0.33 * unit))
    again = noise.displaced(second, bent * (0.36 * unit), (second + 0.4) * (0.30 * unit))
    field = 0.55 * again + 0.45 * bent
    folds = np.sin(field * np.float32(scene.between(9, 14)))
    slope_y, slope_x = np.gradient(folds, np.float32(scene.pixel))
    side = 1 if scene.chance(0.5) else -1
    steep = np.sqrt(slope_x**2 + slope_y**2 + 90)
    light = (slope_x * np.float32(0.7 * side) + slope_y * np.float32(-0.7)) / steep
    tone = 0.47 + 0.32 * field + 0.27 * light + 0.07 * folds
    picture = palette.shade(tone)
    veins = brush.step(0.12, 0.0, np.abs(again + np.float32(0.12)))
    brush.lay(picture, palette.accent, veins * (0.12 + 0.5 * np.clip(light, 0, 1)))
    brush.shine(picture, palette.tone(1.0), np.clip(light, 0, 1) ** 5 * 0.55)
    corner = 1 - 0.35 * np.clip(brush.far(scene, 0, 0) - 0.35, 0, 1)
    return np.asarray(picture * corner)
