"""Skylines: towers behind towers with lit windows, a night sky, and water or wet streets before them."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from pico_a1111_proxy.upstreams.demo.painting import brush, noise
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

LAYERS = 4
DAY = ("daylight", "dawn", "sunny", "day", "noon", "morning", "sunrise")


def paint_skyline(scene: Scene) -> Pixels:
    """The sky and its moon, four rows of towers from haze to near, and their reflection."""
    street = scene.bottom * scene.between(0.5, 0.62)
    picture = _sky(scene, street)
    for layer in range(LAYERS):
        _row(scene, picture, street, layer / (LAYERS - 1))
    _water(scene, picture, street)
    if scene.has("rain", "rainy", "storm"):
        _rain(scene, picture)
    return picture


def _bright(scene: Scene) -> bool:
    return scene.has(*DAY)


def _sky(scene: Scene, street: float) -> Pixels:
    palette = scene.palette
    fall = np.clip((scene.y + scene.bottom) / (street + scene.bottom), 0, 1)
    high, low = (0.45, 0.97) if _bright(scene) else (0.04, 0.66)
    picture = brush.canvas(scene, palette.shade(high + (low - high) * fall**1.7))
    if not _bright(scene):
        stars = np.zeros((scene.height, scene.width), np.float32)
        for x, y in scene.rng.uniform(-1, 1, (110, 2)).tolist():
            brush.dot(scene, stars, (x * scene.right, y * scene.bottom), 0.0014)
        brush.shine(picture, palette.tone(1.0), stars * (1 - fall) ** 2 * 1.4)
    x, y = scene.right * scene.between(-0.6, 0.6), -scene.bottom * scene.between(0.25, 0.6)
    radius = scene.between(0.06, 0.17)
    distance = brush.far(scene, x, y)
    brush.shine(picture, palette.tone(0.9), np.exp(-distance / (2.0 * radius)) * 0.35)
    face = 0.93 + 0.05 * noise.fractal(scene, 9, 9, 3)
    brush.lay(picture, palette.shade(face), brush.inside(scene, distance - radius) * 0.95)
    clouds = brush.step(0.2, 0.9, noise.fractal(scene, 1.0, 5, 5, 0.55))
    brush.lay(picture, palette.shade(0.2 + 0.55 * np.broadcast_to(fall, clouds.shape)), clouds * 0.4)
    return picture


def _row(scene: Scene, picture: Pixels, street: float, depth: float) -> None:
    """One row of towers; the nearer, the darker and the larger, and the brighter its windows."""
    times = brush.fineness(scene)
    size = (scene.width * times, scene.height * times)
    walls, lights = Image.new("L", size), Image.new("L", size)
    tallest = 0.62 * scene.bottom + 0.28
    hill = scene.right * scene.between(-0.5, 0.5)
    x = -scene.right - 0.05
    while x < scene.right:
        wide = scene.between(0.05, 0.1) * (0.8 + 0.75 * depth)
        centre = math.exp(-(((x - hill) / (0.45 * scene.right + 0.1)) ** 2))
        height = tallest * (1 - 0.52 * depth) * scene.between(0.3, 1.0) * (0.45 + 0.55 * centre) + 0.04
        _tower(scene, ImageDraw.Draw(walls), (x, street, wide, height))
        _windows(scene, ImageDraw.Draw(lights), (x, street - height, wide, height), 0.0125 + 0.010 * depth)
        x += wide * scene.between(0.75, 1.0)
    top, low = (int((v + scene.bottom) / scene.pixel) for v in (street - tallest - 0.25, street + 0.03))
    rows = slice(max(top, 0), low)
    mask, lit = brush.reduced(scene, walls)[rows], brush.reduced(scene, lights)
    haze = brush.step(street - tallest * 1.1, street, scene.y[rows]) * (1 - depth)
    far_tone, near_tone = (0.72, 0.12) if _bright(scene) else (0.36, 0.015)
    tone = far_tone + (near_tone - far_tone) * depth**0.7 + 0.2 * haze
    brush.lay(picture[:, rows], scene.palette.shade(tone), mask)
    strength = (0.25 if _bright(scene) else 1.0) * (0.25 + 0.75 * depth)
    glow = brush.blurred(scene, lit, 0.012)[rows] * np.float32(0.45 * strength)
    _light(scene, picture[:, rows], lit[rows] * np.float32(strength), glow)


def _light(scene: Scene, picture: Pixels, lit: Pixels, glow: Pixels) -> None:
    """The windows, and the light that they throw around."""
    warm = scene.palette.tone(0.97) * 0.6 + scene.palette.accent * 0.4
    brush.lay(picture, warm, lit)
    brush.shine(picture, scene.palette.accent * 0.5 + warm * 0.5, glow)


def _tower(scene: Scene, pen: ImageDraw.ImageDraw, place: tuple[float, float, float, float]) -> None:
    """Walls, and a roof of one of five kinds."""
    x, street, wide, height = place
    top = street - height

    def fill(*corners: tuple[float, float]) -> None:
        pen.polygon(brush.to_pixels(scene, np.array(corners), brush.fineness(scene)), fill=255)

    fill((x, top), (x + wide, top), (x + wide, street + 0.02), (x, street + 0.02))
    roof = scene.count(0, 4)
    if roof == 0:
        fill((x + wide * 0.46, top), (x + wide * 0.5, top - wide * 1.3), (x + wide * 0.54, top))
    if roof in (0, 1):
        up = top - wide * 0.3
        fill((x + wide * 0.2, up), (x + wide * 0.8, up), (x + wide * 0.8, top), (x + wide * 0.2, top))
    if roof == 2:
        fill((x, top), (x + wide, top - wide * 0.6), (x + wide, top))


def _windows(scene: Scene, pen: ImageDraw.ImageDraw, place: tuple[float, float, float, float], cell: float) -> None:
    """A grid of windows, of which the seed lights some."""
    x, top, wide, height = place
    columns, rows = int((wide - cell * 0.6) / cell), int((height - cell) / (cell * 1.35))
    if columns < 1 or rows < 1:
        return
    dice = scene.rng.random((rows, columns))
    share = scene.between(0.18, 0.6)
    row, column = np.nonzero(dice < share)
    left = x + (wide - columns * cell) / 2 + (column + 0.2) * cell
    up = top + cell * (0.6 + 1.35 * row)
    corners = np.stack([left, up, left + 0.6 * cell, up + 0.75 * cell], axis=1).reshape(-1, 2)
    spots = np.array(brush.to_pixels(scene, corners, brush.fineness(scene))).reshape(-1, 4).round().tolist()
    bright = (130 + 125 * dice[row, column] / share).astype(int).tolist()
    for (west, north, east, south), light in zip(spots, bright, strict=True):
        pen.rectangle((west, north, max(east - 1, west), max(south - 1, north)), fill=light)


def _water(scene: Scene, picture: Pixels, street: float) -> None:
    """What stands above the street, upside down in long shaken streaks."""
    shore = min(max(round((street + scene.bottom) / scene.pixel), 1), scene.height - 1)
    depth = (np.arange(shore, scene.height, dtype=np.float32)[:, None] - shore) * scene.pixel
    shake = noise.fractal(scene, 4, 46, 3)[shore:] * (0.012 + 0.09 * depth)
    row = np.clip(shore - 1 - (depth * 1.5 + np.abs(shake)) / scene.pixel, 0, shore - 1).astype(np.intp)
    aside = noise.fractal(scene, 2, 60, 2)[shore:] * (0.004 + 0.03 * depth) / scene.pixel
    column = np.arange(scene.width, dtype=np.float32)[None, :] + aside
    water = picture[:, row, np.clip(column, 0, scene.width - 1).astype(np.intp)]
    dim = 0.72 - 0.3 * depth / max(scene.bottom - street, 1e-6)
    picture[:, shore:] = water * dim + scene.palette.tone(0.08) * (1 - dim)
    bank = np.exp(-((np.abs(scene.y - np.float32(street)) / np.float32(0.006)) ** 2))
    brush.lay(picture, scene.palette.tone(0.0), np.broadcast_to(bank, picture.shape[1:]) * np.float32(0.7))


def _rain(scene: Scene, picture: Pixels) -> None:
    strokes = []
    for _ in range(160):
        x, y = scene.between(-1.1, 1.1) * scene.right, scene.between(-1.1, 1.0) * scene.bottom
        length = scene.between(0.03, 0.09)
        path = np.array([[x, y], [x - 0.16 * length, y + length]])
        strokes.append(brush.ribbon(path, np.array([0.0012, 0.0022])))
    brush.shine(picture, scene.palette.tone(0.9), brush.drawn(scene, strokes) * np.float32(0.4))
