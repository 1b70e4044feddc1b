"""Landscapes: ridge behind ridge under a sky, with mist, water, snow, dunes or firs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pico_a1111_proxy.upstreams.demo.painting import brush, noise
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

NIGHT = ("night", "midnight", "moon", "moonlight", "moonlit", "star", "stars", "starry", "aurora")
SEA = ("sea", "ocean", "beach", "coast", "island", "islands", "seascape", "seaside")
WATER = (*SEA, "lake", "water", "river", "reflection", "fjord", "bay")
SNOW = ("snow", "snowy", "winter", "ice", "icy", "frozen", "glacier", "arctic", "christmas")
DESERT = ("desert", "dune", "dunes", "sand", "sahara", "savanna")
FOREST = ("forest", "tree", "trees", "pine", "pines", "wood", "woods", "jungle", "fir", "firs")


@dataclass(frozen=True)
class Land:
    """What the prompt and the seed say of a landscape; heights in units."""

    night: bool
    water: bool
    height: float
    snow: bool
    desert: bool
    forest: bool
    horizon: float
    sun: tuple[float, float, float]

    @classmethod
    def of(cls, scene: Scene) -> Land:
        """Read the words, and leave to the seed what they don't say."""
        desert = scene.has(*DESERT)
        water = scene.has(*WATER) or (scene.chance(0.4) and not desert and not scene.has(*FOREST))
        horizon = scene.bottom * scene.between(0.3, 0.42) if water else scene.bottom * scene.between(0.05, 0.25)
        radius = scene.between(0.05, 0.11)
        height = max(horizon - scene.between(0.22, 0.5), -scene.bottom + 1.7 * radius)
        sun = (scene.right * scene.between(-0.55, 0.55), height, radius)
        return cls(
            night=scene.has(*NIGHT) or scene.palette.name == "midnight",
            water=water,
            height=0.3 if scene.has(*SEA) else 0.8 if water else 1.0,
            snow=scene.has(*SNOW),
            desert=desert,
            forest=scene.has(*FOREST),
            horizon=horizon,
            sun=sun,
        )


def paint_landscape(scene: Scene) -> Pixels:
    """Sky, sun or moon, far to near ridges; the lake mirrors what stands above it."""
    land = Land.of(scene)
    picture = _sky(scene, land)
    _ridges(scene, land, picture)
    if land.water:
        _mirror(scene, land, picture)
        _shore(scene, land, picture)
    if land.snow:
        _snowfall(scene, picture)
    return picture


def _sky(scene: Scene, land: Land) -> Pixels:
    palette = scene.palette
    fall = np.clip((scene.y + scene.bottom) / (land.horizon + scene.bottom), 0, 1)
    high, low = (0.06, 0.52) if land.night else (0.42, 0.93)
    picture = brush.canvas(scene, palette.shade(high + (low - high) * fall**1.4))
    if land.night:
        _stars(scene, picture, 1 - fall)
    _sun(scene, land, picture)
    clouds = noise.fractal(scene, 1.1, 4.5, 5, 0.55) + noise.smooth(scene, 0.6, 1.2) * 0.5
    cover = brush.step(0.12, 0.75, clouds) * (0.25 + 0.6 * fall)
    near_sun = np.exp(-3.0 * brush.far(scene, land.sun[0], land.sun[1], 1.6))
    tone = (0.2 if land.night else 0.72) + near_sun * 0.35 + clouds * 0.08
    brush.lay(picture, palette.shade(tone), cover * (0.45 if land.night else 0.6))
    if scene.has("aurora", "borealis"):
        _aurora(scene, land, picture)
    return picture


def _sun(scene: Scene, land: Land, picture: Pixels) -> None:
    x, y, radius = land.sun
    distance = brush.far(scene, x, y)
    light = scene.palette.tone(1.0)
    if not land.night and scene.palette.accent.mean() > 0.6:  # bright enough for a sun
        light = light * 0.6 + scene.palette.accent * 0.4
    glow = np.exp(-distance / (2.2 * radius)) * 0.55 + np.exp(-distance / 0.45) * 0.35
    brush.shine(picture, light, glow * (0.55 if land.night else 1.0))
    disc = brush.inside(scene, distance - radius)
    if land.night and scene.chance(0.5):
        shadow = brush.far(scene, x + radius * 0.55, y - radius * 0.25) - radius * 0.92
        disc *= 1 - brush.inside(scene, shadow, 0.01)
    brush.lay(picture, light, disc)


def _stars(scene: Scene, picture: Pixels, height: Pixels) -> None:
    amount = np.zeros((scene.height, scene.width), np.float32)
    spots = scene.rng.uniform(-1, 1, (220, 2))
    sizes = 0.0012 + 0.0025 * scene.rng.random(220) ** 5
    for (x, y), size in zip(spots.tolist(), sizes.tolist(), strict=True):
        brush.dot(scene, amount, (x * scene.right, y * scene.bottom), size)
    brush.shine(picture, scene.palette.tone(1.0), amount * np.clip(height * 1.6, 0, 1))


def _aurora(scene: Scene, land: Land, picture: Pixels) -> None:
    for turn in range(3):
        foot = land.horizon - scene.between(0.25, 0.45) - 0.13 * noise.line(scene, 1.1, 3)
        above = (foot - scene.y) / scene.between(0.25, 0.5)
        rays = 0.6 + 0.4 * noise.line(scene, 14, 3)
        veil = brush.step(-0.06, 0.05, above) * np.exp(-np.maximum(above, 0) * 2.4) * rays
        colour = scene.palette.tone(0.75) if turn < 2 else scene.palette.accent
        brush.shine(picture, colour, veil * 0.75)


def _ridges(scene: Scene, land: Land, picture: Pixels) -> None:
    """Tones first, one layer over the other, colours at the end: that is several times faster."""
    layers = 4 if land.water else 6
    ground = scene.bottom - land.horizon
    tone = np.zeros((scene.height, scene.width), np.float32)
    cover = np.zeros_like(tone)
    far_tone, near_tone = (0.45, 0.04) if land.night else (0.8, 0.03)
    if land.snow:
        near_tone += 0.2 if land.night else 0.45
    for layer in range(layers):
        depth = layer / (layers - 1)
        crest = _crest(scene, land, depth)
        crest = crest + land.horizon + (0.0 if land.water else ground * 0.8 * depth**1.3)
        below = scene.y - crest[None, :]
        mask = brush.inside(scene, -below)
        here = far_tone + (near_tone - far_tone) * (0.12 + 0.88 * depth**0.75)
        shade = here + _relief(scene, land, below, depth) + 0.16 * (1 - depth) * brush.step(0.0, 0.3, below)
        _stack(tone, cover, shade, mask)
        if land.forest and depth > 0.35:
            trees = _firs(scene, crest, depth)
            _stack(tone, cover, np.float32(here - (0.28 if land.snow else 0.05)), trees)
    brush.lay(picture, scene.palette.shade(tone), cover)


def _crest(scene: Scene, land: Land, depth: float) -> Pixels:
    """How far above its foot, as negative y, a ridge runs: (w,)."""
    if land.desert:
        swing = noise.line(scene, 0.7 + 0.5 * depth, 3, 0.3)
        return np.asarray(-0.1 - 0.09 * (1 - np.abs(swing)) ** 2 * (1.2 - 0.4 * depth))
    rough = noise.line(scene, 1.0 + 1.2 * depth, 7, 0.48)
    peaks = np.maximum(1 - np.abs(noise.line(scene, 1.4, 6, 0.45)), 0)
    steep = 1 - depth
    height = (0.34 * peaks**1.6 + 0.05 * rough) * steep + (0.10 + 0.08 * rough) * depth
    return np.asarray(-height * land.height)


def _relief(scene: Scene, land: Land, below: Pixels, depth: float) -> Pixels:
    """Light and shade on the slopes, (h, w): sun side against shadow side, snow towards the crest."""
    if land.desert:
        return _dunes(scene, land, below)
    if depth > 0.6:
        return noise.smooth(scene, 6, 9) * 0.015
    folds = 1 - np.abs(noise.fractal(scene, 2.6, 2.2, 5, 0.5))
    shift = max(round(0.012 / scene.pixel), 1)
    slope = folds - noise.shifted(folds, shift if land.sun[0] < 0 else -shift, shift)
    light = np.clip(slope * 2.2, -1, 1) * (0.16 * (1 - depth))
    if land.snow:
        snow = brush.step(0.17, 0.03, below + folds * 0.07)
        light = light * 1.6 + snow * (0.3 if land.night else 0.2)
    return np.asarray(light)


def _dunes(scene: Scene, land: Land, below: Pixels) -> Pixels:
    """One side of a dune is lit; the edge between light and shade winds down from its top."""
    steep = np.gradient(below[0]) * np.float32(-1 / scene.pixel)
    side = 1 if land.sun[0] < 0 else -1
    bend = np.maximum(below, 0) * (1.1 * side) + noise.smooth(scene, 1.5, 4) * 0.03
    at = np.arange(scene.width, dtype=np.float32)[None, :] + bend * np.float32(1 / scene.pixel)
    lit = steep[np.clip(at, 0, scene.width - 1).astype(np.intp)] * np.float32(side)
    ripples = noise.smooth(scene, 3, 30) * 0.012
    return np.asarray(0.13 * brush.step(-0.12, 0.12, -lit) - 0.05 + ripples)


def _stack(tone: Pixels, cover: Pixels, shade: Pixels | np.float32, mask: Pixels) -> None:
    """Lay one layer's tones over those behind it; where nothing is behind, they count in full."""
    cover += (1 - cover) * mask
    tone += (shade - tone) * (mask / np.maximum(cover, np.float32(1e-6)))


def _firs(scene: Scene, crest: Pixels, depth: float) -> Pixels:
    size = 0.05 + 0.17 * depth**2
    shapes = []
    for _ in range(round(2 * scene.right * 34 * (1.15 - depth)) + 4):
        x = scene.between(-scene.right, scene.right)
        column = min(int((x + scene.right) / scene.pixel), scene.width - 1)
        height = size * scene.between(0.55, 1.25)
        shapes.append(_fir(x, float(crest[column]) + 0.3 * size, height))
    return brush.drawn(scene, shapes)


def _fir(x: float, foot: float, height: float) -> brush.Points:
    """A fir of seven tiers of branches, its trunk's foot at (x, foot)."""
    tiers = np.linspace(0, 1, 8)[1:]
    reach = 0.2 * height * tiers
    side = np.stack([np.stack([reach, tiers], 1), np.stack([reach * 0.55, tiers - 0.025], 1)], 1).reshape(-1, 2)
    right = np.stack([x + side[:, 0], foot - height * (1 - side[:, 1])], 1)
    left = np.stack([x - side[:, 0], foot - height * (1 - side[:, 1])], 1)[::-1]
    return np.concatenate([[[x, foot - height]], right, left])


def _mirror(scene: Scene, land: Land, picture: Pixels) -> None:
    """The water below the horizon: what is above it, upside down, broken by waves."""
    shore = min(max(round((land.horizon + scene.bottom) / scene.pixel), 1), scene.height - 1)
    depth = (np.arange(shore, scene.height, dtype=np.float32)[:, None] - shore) * scene.pixel
    waves = noise.fractal(scene, 3, 40, 3)[shore:] * (0.006 + 0.10 * depth)
    row = shore - 1 - (depth * 1.15 + np.abs(waves)) / scene.pixel
    row = np.clip(row, 0, shore - 1).astype(np.intp)
    water = picture[:, row, np.arange(scene.width)[None, :]]
    dim = 0.9 - 0.35 * np.clip(depth / max(scene.bottom - land.horizon, 1e-6), 0, 1)
    water = water * dim + scene.palette.tone(0.15) * (1 - dim)
    x, _, radius = land.sun
    path = np.exp(-(((scene.x - x) / (radius * 0.9 + depth * 0.5)) ** 2))
    glitter = brush.step(0.15, 0.6, noise.fractal(scene, 7, 70, 2)[shore:] + path * 0.35 - 0.15)
    brush.shine(water, scene.palette.tone(1.0), path * glitter * (0.4 if land.night else 0.6))
    picture[:, shore:] = water


def _shore(scene: Scene, land: Land, picture: Pixels) -> None:
    """A dark bank in front frames the water."""
    side = 1 if scene.chance(0.5) else -1
    slant = np.clip(side * scene.x[0] / scene.right, -1, 1)
    crest = scene.bottom + 0.03 - 0.16 * np.clip(slant, 0, 1) ** 1.5 + 0.02 * noise.line(scene, 3, 5)
    tone = 0.45 if land.snow and not land.night else 0.02
    brush.lay(picture, scene.palette.tone(tone), brush.inside(scene, crest[None, :] - scene.y))


def _snowfall(scene: Scene, picture: Pixels) -> None:
    amount = np.zeros((scene.height, scene.width), np.float32)
    spots = scene.rng.uniform(-1, 1, (140, 2))
    sizes = 0.0015 + 0.006 * scene.rng.random(140) ** 3
    for (x, y), size in zip(spots.tolist(), sizes.tolist(), strict=True):
        brush.dot(scene, amount, (x * scene.right, y * scene.bottom), size)
    brush.shine(picture, scene.palette.tone(1.0), amount * 0.75)
