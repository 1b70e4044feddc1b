"""Crystals: a cluster of lit prisms, or a pane of facets like cut or stained glass."""

from __future__ import annotations

import math

import numpy as np
from PIL import ImageDraw

from pico_a1111_proxy.upstreams.demo.painting import brush, noise
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

PANE = ("mosaic", "stained", "facet", "facets", "polygon", "polygons", "poly", "voronoi", "shards", "glass")
STRIPS = np.linspace(0, 0.9, 10)[:, None]  # where along a face each strip of its own tone begins
CLUSTER = ("crystal", "crystals", "quartz", "gem", "gems", "gemstone", "diamond", "mineral", "amethyst")


def paint_crystals(scene: Scene) -> Pixels:
    """A pane where the words speak of one, a cluster where they speak of that, else as the seed has it."""
    if scene.has(*PANE) or (not scene.has(*CLUSTER) and scene.chance(0.4)):
        return _pane(scene)
    return _cluster(scene)


def _pane(scene: Scene) -> Pixels:
    """Voronoi cells, each tilted its own way under one light, with a bevel along its edges."""
    scale = scene.between(5.5, 8.0)
    bend = noise.smooth(scene, 1.4, 1.4) * 0.25
    x, y = scene.x * np.float32(scale) + bend, scene.y * np.float32(scale) - bend
    near, edge, cell, across, down = _voronoi(scene, x, y)
    seeds = scene.rng.random((4, 4096)).astype(np.float32)
    tilt_x, tilt_y = (seeds[0] - 0.5)[cell], (seeds[1] - 0.5)[cell]
    x0, y0 = scene.right * scene.between(-0.5, 0.5), scene.bottom * scene.between(-0.6, 0.1)
    light = np.exp(-((brush.far(scene, x0, y0) / np.float32(0.62)) ** 2))
    facet = 0.55 * (tilt_x * across + tilt_y * down) + 0.3 * tilt_x - 0.25 * tilt_y
    sharp = 0.75 * scale * scene.pixel
    bevel = brush.step(0.085 + sharp, 0.085 - sharp, edge)
    towards = (across * 0.5 + down * 0.85) / np.maximum(near, np.float32(1e-3))
    tone = 0.12 + 0.56 * light + facet + (seeds[2][cell] - 0.5) * 0.26 - bevel * towards * 0.24
    picture = scene.palette.shade(tone)
    brush.lay(picture, scene.palette.accent, (seeds[3][cell] > 0.94) * (0.25 + 0.35 * light) * (1 - bevel * 0.5))
    thin = 0.012 + 0.8 * scale * scene.pixel
    if scene.has("stained", "mosaic"):
        brush.lay(picture, scene.palette.tone(0.0), brush.step(0.05 + sharp, 0.05 - sharp, edge))
    else:
        brush.shine(picture, scene.palette.tone(1.0), brush.step(thin, 0.0, edge) * (0.1 + 0.6 * light))
    return picture


def _voronoi(scene: Scene, x: Pixels, y: Pixels) -> tuple[Pixels, Pixels, brush.Cells, Pixels, Pixels]:
    """Of the nearest jittered lattice point: distance, distance to its cell's edge, number, offset x and y."""
    wide = 128
    jitter = scene.rng.uniform(0.08, 0.92, (2, wide, wide)).astype(np.float32)
    column, row = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    first = np.full(x.shape, 9.0, np.float32)
    second = first.copy()
    cell = np.zeros(x.shape, np.int32)
    across, down = np.zeros_like(first), np.zeros_like(first)
    for move_y in (-1, 0, 1):
        for move_x in (-1, 0, 1):
            index = ((row + move_y) % wide) * wide + (column + move_x) % wide
            dx = x - (column + move_x) - jitter[0].ravel()[index]
            dy = y - (row + move_y) - jitter[1].ravel()[index]
            distance = np.hypot(dx, dy)
            closer = distance < first
            np.minimum(second, np.maximum(distance, first), out=second)
            first = np.minimum(first, distance)
            cell = np.where(closer, index, cell)
            across, down = np.where(closer, dx, across), np.where(closer, dy, down)
    return first, (second - first) * np.float32(0.5), cell % 4096, across, down


def _cluster(scene: Scene) -> Pixels:
    """Prisms that grow from one root, the far and dark ones first, in a glow."""
    palette = scene.palette
    root = (scene.between(-0.12, 0.12) * scene.right, scene.bottom * 0.86)
    glow = np.exp(-brush.far(scene, root[0], root[1] - 0.42, 0.8) / np.float32(0.38))
    back = noise.fractal(scene, 1.2, 1.2, 4) * 0.06
    picture = palette.shade(0.05 + 0.42 * glow + back)
    reach = max(min(scene.bottom * 1.75, 1.15), 0.5)
    number = scene.count(19, 26)
    light = -1 if scene.chance(0.5) else 1
    image = brush.enlarged(scene, picture)
    pen = ImageDraw.Draw(image)
    for nth in range(number):
        depth = nth / (number - 1)
        lean = scene.rng.normal(0, 0.62) if depth < 0.75 else scene.between(-1.15, 1.15)
        length = reach * (1 - 0.5 * depth) * scene.between(0.55, 1.0) * (1 - 0.28 * abs(lean))
        foot = (root[0] + 0.34 * lean * (0.6 + 0.5 * depth), root[1] + 0.08 * depth)
        _prism(scene, pen, (foot, length, lean), (depth, light * lean + 0.1))
    picture = brush.reduced(scene, image)
    mound = scene.y - (scene.bottom * 0.9 - 0.05 + 0.5 * (scene.x - np.float32(root[0])) ** 2)
    rock = brush.inside(scene, noise.fractal(scene, 7, 7, 4, 0.6) * np.float32(0.04) - mound)
    brush.lay(picture, palette.shade(0.05 + 0.1 * noise.smooth(scene, 9, 14)), rock)
    _sparkle(scene, picture, root, reach)
    brush.shine(picture, palette.tone(0.9), glow**2 * 0.35)
    return picture


def _prism(
    scene: Scene, pen: ImageDraw.ImageDraw, shape: tuple[tuple[float, float], float, float], look: tuple[float, float]
) -> None:
    """One prism: three sides and the faces of its tip, each with its own light."""
    (x, y), length, lean = shape
    depth, turned = look
    wide = length * scene.between(0.11, 0.19) + 0.025
    up = np.array([math.sin(lean), -math.cos(lean)])
    aside = np.array([math.cos(lean), math.sin(lean)])
    foot = np.array([x, y])
    cut = np.array([-1.0, scene.between(-0.55, -0.15), scene.between(0.2, 0.6), 1.0]) * wide / 2
    shoulder = length - wide * np.array([1.05, 0.8, 0.75, 1.1]) * scene.between(0.8, 1.1)
    tip = foot + up * length + aside * (wide * scene.between(-0.18, 0.18))
    low = [foot + aside * at for at in cut]
    high = [foot + aside * at + up * height for at, height in zip(cut, shoulder, strict=True)]
    base = 0.18 + 0.34 * depth + scene.between(-0.05, 0.05)
    lights = [base + swing + 0.08 * turned for swing in ((0.34, 0.12, -0.14) if turned < 0 else (-0.14, 0.1, 0.34))]
    for face in range(3):
        side = np.array([low[face], low[face + 1], high[face + 1], high[face]])
        _shaded(scene, pen, side, (lights[face] - 0.16, lights[face]))
        point = np.array([high[face], high[face + 1], tip])
        _shaded(scene, pen, point, (lights[face] + 0.14, lights[face] + 0.2))
    times = brush.fineness(scene)
    for face in (1, 2):
        edge = brush.to_pixels(scene, np.array([low[face], high[face], tip]), times)
        pen.line(edge, fill=scene.palette.ink(max(lights) + 0.22), width=max(round(0.0022 * times / scene.pixel), 1))


def _shaded(scene: Scene, pen: ImageDraw.ImageDraw, shape: brush.Points, tones: tuple[float, float]) -> None:
    """Fill a face of four corners in strips from its foot's tone to its head's, one of three at once."""
    times = brush.fineness(scene)
    if len(shape) == 3:
        pen.polygon(brush.to_pixels(scene, shape, times), fill=scene.palette.ink(tones[1]))
        return
    foot = shape[0] + (shape[3] - shape[0]) * STRIPS, shape[1] + (shape[2] - shape[1]) * STRIPS
    head = np.broadcast_to(shape[2], foot[0].shape), np.broadcast_to(shape[3], foot[0].shape)
    corners = np.stack([*foot, *head], axis=1).reshape(-1, 2)
    points = brush.to_pixels(scene, corners, times)
    for nth, part in enumerate(STRIPS.ravel().tolist()):
        tone = tones[0] + (tones[1] - tones[0]) * part
        pen.polygon(points[8 * nth : 8 * nth + 8], fill=scene.palette.ink(tone))


def _sparkle(scene: Scene, picture: Pixels, root: tuple[float, float], reach: float) -> None:
    amount = np.zeros((scene.height, scene.width), np.float32)
    for _ in range(60):
        angle, distance = scene.between(-1.2, 1.2), reach * scene.between(0.1, 1.1)
        at = (root[0] + math.sin(angle) * distance, root[1] - math.cos(angle) * distance)
        brush.dot(scene, amount, at, scene.between(0.0006, 0.0032))
    brush.shine(picture, scene.palette.tone(1.0), amount)
