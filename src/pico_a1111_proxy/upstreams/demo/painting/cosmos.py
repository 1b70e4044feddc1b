"""Cosmos: nebulae, stars, ringed planets and spiral galaxies."""

from __future__ import annotations

import math

import numpy as np

from pico_a1111_proxy.upstreams.demo.painting import brush, noise
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

PLANET = ("planet", "planets", "saturn", "jupiter", "mars", "orbit", "moons")
SOLID = ("earth", "world", "mars", "moon", "moons")  # land and sea, or craters, instead of bands
RINGS = ("saturn", "ring", "rings")
GALAXY = ("galaxy", "galaxies", "spiral", "milky", "andromeda")
STARS = 420


def paint_cosmos(scene: Scene) -> Pixels:
    """A nebula and stars, and before them a planet or a galaxy, as the words or the seed have it."""
    galaxy = scene.has(*GALAXY) or (not scene.has(*PLANET, *SOLID, *RINGS) and scene.chance(0.3))
    planet = scene.has(*PLANET, *SOLID, *RINGS) or (not galaxy and scene.chance(0.6))
    half = scene.halved()
    soft = brush.canvas(half, scene.palette.tone(0.0) * np.float32(0.6))
    _nebula(half, soft, 0.45 if galaxy else 1.0)
    suns = _galaxy(half, soft) if galaxy else []
    picture = brush.doubled(scene, soft)
    _stars(scene, picture, suns)
    if planet:
        _planet(scene, picture)
    return picture


def _nebula(scene: Scene, picture: Pixels, strength: float) -> None:
    """Clouds of light along a slanting band, with lanes of dust before them."""
    palette = scene.palette
    pull = noise.fractal(scene, 1.3, 1.3, 3) * np.float32(0.16 / scene.pixel)
    swirl = noise.smooth(scene, 1.1, 1.1) * np.float32(0.16 / scene.pixel)
    cloud = noise.displaced(noise.fractal(scene, 1.5, 1.5, 6, 0.55), pull, swirl)
    dust = noise.displaced(noise.fractal(scene, 2.4, 2.4, 5, 0.6), swirl, pull)
    angle = scene.between(0, math.pi)
    across = scene.x * np.float32(math.sin(angle)) - scene.y * np.float32(math.cos(angle))
    band = np.exp(-(((across - np.float32(scene.between(-0.15, 0.15))) / np.float32(0.3)) ** 2))
    density = np.clip(0.15 + cloud * 0.75 + band * 0.55, 0, 1.6) * (0.35 + 0.65 * band)
    lanes = 1 - 0.75 * brush.step(0.05, 0.6, dust) * brush.step(0.1, 0.7, density)
    glow = density * lanes * strength
    picture += palette.shade(0.08 + glow * 0.68) * np.clip(glow * 1.4, 0, 1)
    hot = brush.step(0.55, 1.3, glow + cloud * 0.25)
    brush.shine(picture, palette.tone(0.95) * 0.8 + palette.accent * 0.2, hot * 0.45)


def _stars(scene: Scene, picture: Pixels, suns: list[tuple[float, float]]) -> None:
    amount = np.zeros((scene.height, scene.width), np.float32)
    number = round(STARS * min(4 * scene.right * scene.bottom, 3))
    spots = scene.rng.uniform(-1, 1, (number, 2)) * (scene.right, scene.bottom)
    sizes = 0.0009 + 0.0032 * scene.rng.random(number) ** 6
    for (x, y), size in zip(spots.tolist(), sizes.tolist(), strict=True):
        brush.dot(scene, amount, (x, y), size)
    for sun in suns:
        brush.dot(scene, amount, sun, 0.0008 + 0.0022 * scene.rng.random() ** 3)
    brush.shine(picture, scene.palette.tone(1.0), amount)
    for x, y in spots[:5].tolist():
        _bright_star(scene, picture, x, y)


def _bright_star(scene: Scene, picture: Pixels, x: float, y: float) -> None:
    size = scene.between(0.3, 1.0)
    dx, dy = np.abs(scene.x - np.float32(x)), np.abs(scene.y - np.float32(y))
    spread = np.float32(0.02 * size)
    thin = np.float32(0.0022 * size + scene.pixel * 0.3)
    rays = np.exp(-dx / spread) * np.exp(-dy / thin) + np.exp(-dy / spread) * np.exp(-dx / thin)
    halo = np.exp(-(dx * dx) / spread**2) * np.exp(-(dy * dy) / spread**2)
    brush.shine(picture, scene.palette.tone(0.9), halo * 0.45 + rays)


def _galaxy(scene: Scene, picture: Pixels) -> list[tuple[float, float]]:
    """A spiral seen aslant: arms by the logarithm of the radius, and a core; returns where its suns are."""
    turn, slant = scene.between(0, math.pi), scene.between(0.35, 0.75)
    x0, y0 = scene.between(-0.08, 0.08), scene.between(-0.08, 0.08)
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    dx, dy = scene.x - np.float32(x0), scene.y - np.float32(y0)
    along, across = dx * cos + dy * sin, (dy * cos - dx * sin) / np.float32(slant)
    radius = np.sqrt(along * along + across * across)
    angle = np.arctan2(across, along)
    grain = noise.fractal(scene, 5, 5, 5, 0.6)
    wind = np.float32(scene.between(3.4, 4.6) * (1 if scene.chance(0.5) else -1))
    phase = 2 * angle + wind * np.log(radius + np.float32(0.05)) + grain * 0.8
    arms = (0.5 + 0.5 * np.cos(phase)) ** 1.6
    gaps = brush.step(0.55, 1.0, 0.5 + 0.5 * np.cos(phase + 1.4) + grain * 0.25) * brush.step(0.04, 0.12, radius)
    fade = np.exp(-((radius / np.float32(0.42)) ** 2))
    light = np.clip(fade * (0.12 + 0.85 * arms) * (1 - 0.6 * gaps) * (1 + 0.6 * grain), 0, 1)
    picture += (1 - np.clip(picture, 0, 1)) * scene.palette.shade(0.22 + 0.65 * light) * light
    core = np.exp(-((radius / np.float32(0.06)) ** 2)) + 0.6 * np.exp(-radius / np.float32(0.08))
    brush.shine(picture, scene.palette.tone(1.0) * 0.7 + scene.palette.accent * 0.3, core)
    suns = []
    for _ in range(260):
        out = scene.rng.gamma(4, 0.065)
        at = (scene.rng.normal(0, 0.28) - float(wind) * math.log(out + 0.05)) / 2 + math.pi * scene.count(0, 1)
        u, v = out * math.cos(at), out * math.sin(at) * slant
        suns.append((x0 + u * float(cos) - v * float(sin), y0 + u * float(sin) + v * float(cos)))
    return suns


def _planet(scene: Scene, picture: Pixels) -> None:
    radius = scene.between(0.17, 0.3)
    x0, y0 = scene.between(-0.18, 0.18) * 2 * scene.right, scene.between(-0.15, 0.15) * 2 * scene.bottom
    x, y = (scene.x - np.float32(x0)) / np.float32(radius), (scene.y - np.float32(y0)) / np.float32(radius)
    square = x * x + y * y
    z = np.sqrt(np.clip(1 - square, 0, 1))
    tilt = scene.between(-0.5, 0.5)
    light = np.array([scene.between(0.5, 0.8) * (1 if scene.chance(0.5) else -1), -0.45, 0.45])
    light /= np.linalg.norm(light)
    lx, ly, lz = light.astype(np.float32)
    lit = np.clip(x * lx + y * ly + z * lz, 0, 1)
    ringed = scene.has(*RINGS) or scene.chance(0.5)
    ring = _ring(scene, x, y, tilt) if ringed else None
    air = np.exp(-np.clip(np.sqrt(square) - 1, 0, None) / np.float32(0.07)) * np.clip(x * lx + y * ly + 0.35, 0, 1)
    brush.shine(picture, scene.palette.tone(0.7), air * 0.55)
    ball = scene.palette.shade(_surface(scene, x, y, z, tilt)) * (0.035 + lit**0.8)
    rim = (1 - z) ** 3 * lit
    ball += scene.palette.tone(0.85) * rim * 0.5
    disc = brush.inside(scene, (np.sqrt(square) - 1) * np.float32(radius))
    if ring is None:
        brush.lay(picture, ball, disc)
        return
    tone, cover, behind = ring
    glow = scene.palette.shade(tone)
    brush.lay(picture, glow, cover)
    brush.lay(picture, ball, disc * (1 - cover * (1 - behind)))


def _surface(scene: Scene, x: Pixels, y: Pixels, z: Pixels, tilt: float) -> Pixels:
    """Tones of the ball: bands along the latitudes, or land and sea."""
    latitude = y * np.float32(math.cos(tilt)) - x * np.float32(math.sin(tilt))
    mottle = noise.fractal(scene, 3.5, 3.5, 6, 0.55)
    if scene.has(*SOLID) or scene.chance(0.4):
        return np.asarray(0.42 + 0.5 * brush.step(-0.25, 0.35, mottle) - 0.1 * np.abs(latitude) + 0.12 * mottle)
    bands = scene.rng.uniform(0.3, 0.9, 24).astype(np.float32)
    swirl = mottle * 0.055 * (0.4 + z)
    return noise.interpolate(bands, np.clip((latitude + swirl) * 9 + 10, 0, 22)) + mottle * 0.04


def _ring(scene: Scene, x: Pixels, y: Pixels, tilt: float) -> tuple[Pixels, Pixels, Pixels]:
    """Tones and cover of a ring in radii of its planet, and where (1) it passes behind the planet."""
    cos, sin = np.float32(math.cos(tilt)), np.float32(math.sin(tilt))
    along, across = x * cos + y * sin, y * cos - x * sin
    radius = np.hypot(along, across / np.float32(scene.between(0.16, 0.34)))
    grooves = scene.rng.uniform(0.25, 1.0, 40).astype(np.float32)
    density = noise.interpolate(grooves, np.clip((radius - 1.3) * 34, 0, 38))
    cover = brush.step(1.32, 1.38, radius) * brush.step(2.18, 2.1, radius) * density
    return np.asarray(0.35 + 0.55 * density), cover * 0.85, (across < 0).astype(np.float32)
