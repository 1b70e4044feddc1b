"""Robots: a head with lamps for eyes, an antenna and bolts, lit from one side, in flat shapes."""

from __future__ import annotations

import numpy as np

from pico_a1111_proxy.upstreams.demo.painting import brush
from pico_a1111_proxy.upstreams.demo.painting.figures import Figure, Spots, mirrored, stage
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

MIDDLE = ((0.03, -0.6), (0.03, -0.2), (0.03, 0.2), (0.02, 0.3), (0.04, 0.4), (0.04, 1.6))


def paint_robot(scene: Scene) -> Pixels:
    """A robot's bust; the seed has its head, eyes, mouth and antennas."""
    palette = scene.palette
    size = 1.08 if scene.bottom <= scene.right else 1.2
    centre = (scene.right * scene.between(-0.06, 0.06), -0.02 - 0.22 * (scene.bottom - 0.5))
    figure = Figure(scene, stage(scene, (centre[0], centre[1] - 0.01), 0.39 * size), centre, size)
    steel = palette.tone(scene.between(0.42, 0.8))
    wide, high = scene.between(0.17, 0.22), scene.between(0.14, 0.19)
    _body(scene, figure, steel)
    _antennas(scene, figure, steel, high)
    for way in (-1, 1):
        ear = _box((way * (wide + 0.018), 0.0), (0.03, 0.06), 0.012)
        figure.shape(ear, steel * 0.62, smooth=False)
        figure.disc((way * (wide + 0.028), 0.0), 0.022, palette.accent)
    figure.shape(_box((0.0, 0.0), (wide, high), scene.between(0.04, 0.11)), steel, smooth=False)
    figure.shape(_box((0.0, -0.005), (wide * 0.86, high * 0.78), 0.05), palette.tone(0.05), smooth=False)
    lamps = _face(scene, figure, wide, high)
    for u in (-1, 1):
        for v in (-1, 1):
            figure.disc((u * (wide - 0.008), v * 0.035), 0.0055, steel * 0.6)
    picture = figure.lit(MIDDLE, 0.22)
    _shine(scene, figure, picture, (centre, size), lamps)
    return picture


def _box(at: tuple[float, float], half: tuple[float, float], corner: float) -> brush.Points:
    """A box with round corners, by its middle and half its sides."""
    corner = min(corner, *half)
    turns = np.linspace(0, np.pi / 2, 8)
    arc = np.stack([np.cos(turns), np.sin(turns)], axis=1) * corner
    inner = np.array(half) - corner
    parts = [arc * (1, 1) + inner, arc[::-1] * (-1, 1) + inner * (-1, 1)]
    parts += [arc * (-1, -1) - inner, arc[::-1] * (1, -1) + inner * (1, -1)]
    return np.asarray(np.concatenate(parts) + at)


def _body(scene: Scene, figure: Figure, steel: Pixels) -> None:
    palette = scene.palette
    for ring in range(4):
        disc = _box((0.0, 0.19 + 0.026 * ring), (0.07 + 0.008 * ring, 0.011), 0.01)
        figure.shape(disc, steel * (0.5 + 0.05 * ring), smooth=False)
    half: Spots = [(0.0, 0.29), (0.2, 0.295), (0.29, 0.33), (0.33, 0.42), (0.345, 0.6), (0.36, 1.7)]
    figure.shape(mirrored(half), steel * 0.9)
    plate = _box((0.0, 0.47), (0.15, 0.11), 0.03)
    figure.shape(plate, steel * 0.72, smooth=False)
    figure.disc((-0.085, 0.43), 0.026, palette.tone(0.05))
    figure.disc((-0.085, 0.43), 0.019, palette.accent)
    for row in range(4):
        figure.shape(_box((0.06, 0.405 + 0.022 * row), (0.06, 0.0055), 0.005), palette.tone(0.08), smooth=False)
    for way in (-1, 1):
        figure.stroke([(way * 0.215, 0.31), (way * 0.205, 0.42), (way * 0.215, 0.9)], 0.006, steel * 0.55, 0.0)
        figure.disc((way * 0.27, 0.375), 0.012, steel * 0.6)


def _antennas(scene: Scene, figure: Figure, steel: Pixels, high: float) -> None:
    spread = (0.0,) if scene.chance(0.5) else (-0.09, 0.09)
    for u in spread:
        tip = (u * 1.45, -high - scene.between(0.08, 0.12))
        figure.stroke([(u, -high + 0.01), (u * 1.2, -high - 0.04), tip], 0.011, steel * 0.6, 0.0)
        figure.disc(tip, 0.021, scene.palette.accent)
        figure.disc((tip[0] - 0.006, tip[1] - 0.006), 0.006, scene.palette.tone(1.0))
        figure.shape(_box((u, -high), (0.03, 0.014), 0.01), steel * 0.7, smooth=False)


def _face(scene: Scene, figure: Figure, wide: float, high: float) -> list[tuple[float, float]]:
    """Eyes and mouth; returns where the eyes are."""
    palette = scene.palette
    glow, pale = palette.accent, palette.tone(1.0)
    eye = (wide * 0.43, -high * 0.2)
    kind = scene.count(0, 2)
    radius = scene.between(0.034, 0.046)
    for way in (-1, 1):
        spot = (way * eye[0], eye[1])
        if kind == 1:
            figure.shape(_box(spot, (radius * 0.8, radius * 1.15), 0.02), glow, smooth=False)
        elif kind == 2:
            smile = [(-radius, 0.012), (0.0, -0.022), (radius, 0.012)]
            figure.stroke([(spot[0] + u, spot[1] + v) for u, v in smile], 0.02, glow, 0.1)
            continue
        else:
            figure.disc(spot, radius, glow)
            figure.disc(spot, radius * 0.55, pale * 0.5 + glow * 0.5)
        figure.disc((spot[0] - radius * 0.25, spot[1] - radius * 0.3), radius * 0.2, pale)
    v = high * 0.42
    if scene.chance(0.5):
        figure.stroke([(-0.05, v - 0.012), (0.0, v + 0.012), (0.05, v - 0.012)], 0.012, glow, 0.25)
    else:
        for bar in range(-3, 4):
            tall = 0.008 + 0.011 * scene.rng.random()
            figure.shape(_box((bar * 0.019, v), (0.0055, tall), 0.004), glow, smooth=False)
    return [(-eye[0], eye[1]), eye]


def _shine(
    scene: Scene, figure: Figure, picture: Pixels, place: tuple[tuple[float, float], float], lamps: Spots
) -> None:
    (x, y), size = place
    for u, v in lamps:
        distance = brush.far(scene, x + u * size, y + v * size)
        brush.shine(picture, scene.palette.accent, np.exp(-distance / np.float32(0.05 * size)) * np.float32(0.5))
