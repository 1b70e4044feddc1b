"""Figures: flat shapes laid over each other, then lit from one side; faces, animals and robots are made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pico_a1111_proxy.upstreams.demo.painting import brush, noise
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

Spots = Sequence[tuple[float, float]]


class Figure:
    """A figure in the making, in its own units: the middle of its head is (0, 0), v grows downwards.

    `side` is 1 where the light comes from the left, and mirrors the figure where it is -1.
    """

    def __init__(self, scene: Scene, backdrop: Pixels, centre: tuple[float, float], size: float) -> None:
        self.scene = scene
        self.side = 1 if scene.chance(0.5) else -1
        self.size = size
        self._centre = np.array(centre)
        self._times = brush.fineness(scene)
        self._image = brush.enlarged(scene, backdrop)
        self._cover = Image.new("L", self._image.size)
        self._pen, self._cover_pen = ImageDraw.Draw(self._image), ImageDraw.Draw(self._cover)

    def shape(self, spots: Spots | brush.Points, colour: Pixels, smooth: bool = True) -> None:
        """A closed shape through `spots`, round or with corners."""
        outline = brush.curve(spots) if smooth else np.asarray(spots, np.float64)
        points = self._place(outline)
        self._pen.polygon(points, fill=_ink(colour))
        self._cover_pen.polygon(points, fill=255)

    def both(self, spots: Spots, colour: Pixels, smooth: bool = True) -> None:
        """The same shape on both sides of the figure's axis."""
        self.shape(spots, colour, smooth)
        self.shape([(-u, v) for u, v in spots], colour, smooth)

    def disc(self, at: tuple[float, float], radius: float, colour: Pixels, stretch: float = 1.0) -> None:
        """A round spot, `stretch` times as high as it is wide."""
        turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        circle = np.stack([at[0] + radius * np.cos(turns), at[1] + radius * stretch * np.sin(turns)], axis=1)
        self.shape(circle, colour, smooth=False)

    def stroke(self, spots: Spots, width: float, colour: Pixels, taper: float = 0.5) -> None:
        """A line through `spots` that grows thin towards its ends; `taper` 0 keeps it as wide."""
        path = brush.curve(spots, closed=False)
        share = np.sin(np.linspace(0.04, np.pi - 0.04, len(path))) ** taper
        self._pen.polygon(self._place(brush.ribbon(path, width * share)), fill=_ink(colour))

    def lit(self, terminator: Spots, strength: float = 0.5) -> Pixels:
        """The finished picture: beyond `terminator`, from top to bottom, lies shade; the other edge shines."""
        scene = self.scene
        picture = brush.reduced(scene, self._image)
        cover = brush.reduced(scene, self._cover)
        edge = brush.curve(terminator, closed=False)
        beyond = np.array([[9.0, edge[-1, 1]], [9.0, edge[0, 1]]])
        shade = brush.drawn(scene, [self._points(np.concatenate([edge, beyond]))])
        brush.lay(picture, scene.palette.tone(0.04), shade * cover * np.float32(strength))
        across = (scene.x - np.float32(self._centre[0])) * np.float32(self.side / self.size)
        brush.lay(picture, scene.palette.tone(0.0), cover * brush.step(-0.1, 0.55, across) * np.float32(0.22))
        self._rim(picture, cover)
        return picture

    def _rim(self, picture: Pixels, cover: Pixels) -> None:
        """Light along the edge that looks to the light, by what the shifted figure does not cover."""
        scene = self.scene
        wide = max(round(0.012 * self.size / scene.pixel), 1)
        soft = brush.blurred(scene, cover, 0.006 * self.size)
        edge = np.clip(soft - noise.shifted(soft, self.side * wide, wide // 2), 0, 1)
        brush.shine(picture, scene.palette.tone(1.0), cover * edge * np.float32(0.55))

    def _points(self, outline: brush.Points) -> brush.Points:
        return np.asarray(self._centre + outline * (self.side * self.size, self.size))

    def _place(self, outline: brush.Points) -> list[float]:
        return brush.to_pixels(self.scene, self._points(outline), self._times)


def mirrored(half: Spots) -> list[tuple[float, float]]:
    """A whole outline from its right half, whose first and last spot may lie on the axis."""
    return [*half, *((-u, v) for u, v in reversed(half) if u != 0)]


def _ink(colour: Pixels) -> tuple[int, int, int]:
    red, green, blue = (np.clip(colour.ravel(), 0, 1) * 255 + 0.5).astype(int).tolist()
    return red, green, blue


def stage(scene: Scene, centre: tuple[float, float], radius: float) -> Pixels:
    """What is behind a figure: a quiet wall, a disc of light behind the head, and soft leaves or stripes."""
    palette = scene.palette
    dark = scene.chance(0.5)
    low, high = (0.1, 0.34) if dark else (0.5, 0.74)
    tone = low + (high - low) * (0.5 - scene.y / (2 * scene.bottom)) + 0.03 * noise.fractal(scene, 1.4, 1.4, 4)
    picture = palette.shade(tone)
    distance = brush.far(scene, *centre)
    brush.shine(picture, palette.tone(0.8), np.exp(-((distance / np.float32(radius * 1.7)) ** 2)) * np.float32(0.3))
    halo = palette.accent if scene.chance(0.35) else palette.tone(0.72 if dark else 0.96)
    brush.lay(picture, halo, brush.inside(scene, distance - np.float32(radius)) * np.float32(0.85))
    ring = brush.inside(scene, np.abs(distance - np.float32(radius * 1.12)) - np.float32(0.0025))
    brush.lay(picture, halo, ring * np.float32(0.7))
    return picture
