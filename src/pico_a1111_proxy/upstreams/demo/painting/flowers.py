"""Flowers: one bloom of many petals, and mandalas drawn ring by ring."""

from __future__ import annotations

import math

import numpy as np
from PIL import ImageDraw

from pico_a1111_proxy.upstreams.demo.painting import brush, noise
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

# A petal is drawn as shells, one within the other: how wide each is, and how its tone differs. The first is
# the shadow that the petal throws on those below.
SHELLS = ((1.06, -0.36), (1.0, 0.0), (0.9, -0.07), (0.72, -0.02), (0.52, 0.04), (0.3, 0.1), (0.13, 0.15))
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def paint_flower(scene: Scene) -> Pixels:
    """A bloom seen from above: petals set by the golden angle, the outer ones first, over soft lights."""
    image = brush.enlarged(scene, _lights(scene))
    pen = ImageDraw.Draw(image)
    reach = 0.46 if min(scene.right, scene.bottom) >= 0.5 else 0.4
    centre = (scene.right * scene.between(-0.12, 0.12), scene.bottom * scene.between(-0.1, 0.1))
    number, slim = scene.count(46, 110), scene.between(0.42, 0.85)
    shells = _shells(scene.between(0.0, 1.0))
    for nth in range(number, 0, -1):
        out = math.sqrt(nth / number)
        angle = nth * GOLDEN_ANGLE + scene.between(-0.05, 0.05)
        length = reach * (0.2 + 0.8 * out) * scene.between(0.94, 1.05)
        along = np.array([math.cos(angle), math.sin(angle)])
        aside = np.array([-along[1], along[0]]) * (slim * (0.75 - 0.2 * out))
        outlines = centre + length * (shells[..., :1] * along + shells[..., 1:] * aside)
        lit = -0.5 * (along[0] * 0.6 + along[1] * 0.8)
        tone = 0.5 + 0.28 * (1 - out) + 0.2 * lit + scene.between(-0.04, 0.04)
        for (_, change), outline in zip(SHELLS, outlines, strict=True):
            points = brush.to_pixels(scene, outline, brush.fineness(scene))
            pen.polygon(points, fill=scene.palette.ink(tone + change))
    picture = brush.reduced(scene, image)
    _heart(scene, picture, centre, reach * 0.17)
    return picture


def _shells(pointed: float) -> brush.Points:
    """The outlines of one petal of length 1, its shadow first: (shells, points, 2), along it and aside."""
    rim = np.linspace(0, 1, 22)
    bulge = np.sin(math.pi * rim**1.35) ** (0.62 + 0.5 * pointed) / 2
    outlines = []
    for scale, _ in SHELLS:
        spine = 0.08 + rim * min(0.5 + 0.5 * scale, 1.015)
        side = np.stack([spine, bulge * scale], axis=1)
        outlines.append(np.concatenate([side, (side * (1, -1))[::-1]]))
    return np.stack(outlines)


def _lights(scene: Scene) -> Pixels:
    """A blurred garden: leaves of the palette's dark half and discs of light out of focus."""
    palette = scene.palette
    picture = palette.shade(0.13 + 0.16 * noise.fractal(scene, 1.6, 1.6, 3))
    for _ in range(scene.count(7, 11)):
        x, y = scene.right * scene.between(-1.1, 1.1), scene.bottom * scene.between(-1.1, 1.1)
        radius = scene.between(0.03, 0.1)
        disc = brush.inside(scene, brush.far(scene, x, y) - np.float32(radius), 0.02)
        brush.shine(picture, palette.tone(scene.between(0.3, 0.75)), disc * np.float32(scene.between(0.1, 0.35)))
    return picture


def _heart(scene: Scene, picture: Pixels, centre: tuple[float, float], radius: float) -> None:
    """The disc in the middle: florets along the golden angle."""
    if scene.chance(0.35):
        return
    distance = brush.far(scene, *centre)
    brush.lay(picture, scene.palette.tone(0.08), brush.inside(scene, distance - radius * 1.08, 0.02) * np.float32(0.8))
    florets = np.zeros((scene.height, scene.width), np.float32)
    for nth in range(150):
        out = radius * math.sqrt(nth / 150)
        at = (centre[0] + out * math.cos(nth * GOLDEN_ANGLE), centre[1] + out * math.sin(nth * GOLDEN_ANGLE))
        brush.dot(scene, florets, at, radius * (0.035 + 0.03 * nth / 150))
    light = np.clip(florets, 0, 1)
    brush.lay(picture, scene.palette.accent, light)
    brush.shine(picture, scene.palette.tone(1.0), light**3 * 0.4 * np.clip(1 - distance / np.float32(radius), 0, 1))


def paint_mandala(scene: Scene) -> Pixels:
    """Rings of petals around the middle, the outer ones first; a quarter is painted, and mirrored twice."""
    palette = scene.palette
    x, y = scene.x[:, scene.width // 2 :], scene.y[scene.height // 2 :]
    distance, angle = np.hypot(x, y), np.arctan2(y, x)
    fold = scene.count(4, 8) * 2
    glow = np.exp(-((distance / np.float32(0.6)) ** 2))
    picture = palette.shade(0.02 + 0.22 * glow)
    radius, spin = 0.5 + 0.25 * (math.hypot(scene.right, scene.bottom) - 0.7), 0.5
    nth = 0
    while radius > 0.05:
        number = fold * (2 if radius > 0.36 else 1)
        depth = radius * scene.between(0.26, 0.4)
        _ring(scene, picture, (distance, angle), (radius, depth, number, spin), nth)
        radius -= depth * scene.between(0.5, 0.72)
        spin = 0.5 - spin
        nth += 1
    core = brush.inside(scene, distance - np.float32(radius + 0.03))
    brush.lay(picture, palette.accent, core)
    brush.lay(picture, palette.tone(0.98), brush.inside(scene, distance - np.float32((radius + 0.03) * 0.45)))
    picture = np.concatenate([picture[:, :, ::-1][:, :, : scene.width // 2], picture], axis=2)
    return np.concatenate([picture[:, ::-1][:, : scene.height // 2], picture], axis=1)


def _ring(
    scene: Scene, picture: Pixels, polar: tuple[Pixels, Pixels], shape: tuple[float, float, int, float], nth: int
) -> None:
    distance, angle = polar
    radius, depth, number, spin = shape
    palette = scene.palette
    turn = angle * np.float32(number / (2 * math.pi)) + np.float32(spin)
    part = np.abs(turn - np.floor(turn) - np.float32(0.5)) * 2
    sharp = (0.7, 1.2, 2.0)[scene.count(0, 2)]
    edge = radius - depth * part**sharp
    steep = depth * sharp * np.maximum(part, np.float32(0.02)) ** (sharp - 1) * number / math.pi
    gap = (distance - edge) / np.sqrt(1 + (steep / np.maximum(distance, np.float32(0.02))) ** 2)
    shadow = brush.step(0.035, 0.0, gap)
    brush.lay(picture, palette.tone(0.0), shadow * np.float32(0.5))
    mask = brush.inside(scene, gap)
    base = 0.24 + 0.5 * ((nth * 0.37) % 1.0)
    tone = base + 0.26 * brush.step(-depth * 0.9, 0.0, gap) - 0.14 * part
    brush.lay(picture, palette.shade(tone), mask)
    if nth % 3 == 2:
        brush.lay(picture, palette.accent, mask * brush.step(-depth * 0.2, -depth * 0.75, gap) * np.float32(0.75))
    rim = brush.inside(scene, np.abs(gap + np.float32(0.006)) - np.float32(0.0022))
    brush.lay(picture, palette.tone(0.95), rim * np.float32(0.85))
    vein = brush.inside(scene, np.abs(gap + np.float32(depth * 0.3)) - np.float32(0.0012))
    brush.lay(picture, palette.tone(0.05), vein * np.float32(0.6))
    bead = np.hypot(distance - np.float32(radius - depth * 0.42), part * np.float32(math.pi * radius / number))
    size = np.float32(min(depth * 0.13, 0.016))
    brush.lay(picture, palette.tone(0.98), brush.inside(scene, bead - size))
    brush.lay(picture, palette.tone(0.2), brush.inside(scene, bead - size * np.float32(0.5)))
