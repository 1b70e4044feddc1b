"""Brush: soft edges, light and shapes laid on a picture of (3, h, w)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

Points = npt.NDArray[np.floating[Any]]
Cells = npt.NDArray[np.int32]
FINE_SIDE = 1536  # pixels; what is drawn with Pillow is drawn up to so large, then made smaller


def canvas(scene: Scene, colour: Pixels) -> Pixels:
    """A picture of one colour (3, 1, 1), or of a colour for each row (3, h, 1)."""
    return np.ascontiguousarray(np.broadcast_to(colour, (3, scene.height, scene.width)), np.float32)


def step(low: float, high: float, at: Pixels) -> Pixels:
    """0 below `low`, 1 above `high`, smooth between; `high` may be the smaller one."""
    part = at - np.float32(low)
    part *= np.float32(1 / (high - low))
    np.clip(part, 0, 1, out=part)
    curve = 3 - 2 * part
    curve *= part
    curve *= part
    return curve


def inside(scene: Scene, distance: Pixels, softness: float = 0.0) -> Pixels:
    """How much of each pixel lies where `distance` is below 0; `softness` widens the edge, in units."""
    part = distance * np.float32(-1 / max(scene.pixel, softness))
    part += np.float32(0.5)
    return np.clip(part, 0, 1, out=part)


def lay(picture: Pixels, colour: Pixels, mask: Pixels) -> None:
    """Paint `colour`, (3, 1, 1) or (3, h, w), over `picture` where `mask` (h, w) is 1."""
    colours = np.broadcast_to(colour, picture.shape)
    for nth in range(3):  # one after the other: the intermediate results then stay in the cache
        part = colours[nth] - picture[nth]
        part *= mask
        picture[nth] += part


def shine(picture: Pixels, colour: Pixels, amount: Pixels) -> None:
    """Add light of `colour`, as bright as `amount` (h, w); what is bright already takes less of it."""
    colours = np.broadcast_to(colour, picture.shape)
    for nth in range(3):
        part = colours[nth] * amount
        np.clip(part, 0, 1, out=part)
        part *= 1 - picture[nth]
        picture[nth] += part


def far(scene: Scene, x: float, y: float, stretch: float = 1.0) -> Pixels:
    """Distance of every pixel from a point, (h, w); heights count `stretch` times."""
    square = (scene.x - np.float32(x)) ** 2 + ((scene.y - np.float32(y)) * np.float32(stretch)) ** 2
    return np.asarray(np.sqrt(square, out=square))


def dot(scene: Scene, amount: Pixels, at: tuple[float, float], radius: float) -> None:
    """Add a round spot of light to `amount` (h, w); smaller than a pixel, it is dim instead."""
    x = (at[0] + scene.right) / scene.pixel - 0.5
    y = (at[1] + scene.bottom) / scene.pixel - 0.5
    size = radius / scene.pixel
    reach = int(size * 2.5) + 2
    left, top = max(round(x) - reach, 0), max(round(y) - reach, 0)
    part = amount[top : max(round(y) + reach + 1, 0), left : max(round(x) + reach + 1, 0)]
    rows = np.arange(top, top + part.shape[0], dtype=np.float32)[:, None] - np.float32(y)
    columns = np.arange(left, left + part.shape[1], dtype=np.float32)[None, :] - np.float32(x)
    spread = np.float32(1 / (size * size + 0.35))
    part += np.exp(-(rows * rows + columns * columns) * spread) * np.float32(min(size * size + 0.35, 1.0))


def drawn(scene: Scene, shapes: Iterable[Points]) -> Pixels:
    """Coverage of polygons with soft edges, their points (n, 2) in units: (h, w)."""
    times = fineness(scene)
    image = Image.new("L", (scene.width * times, scene.height * times))
    pen = ImageDraw.Draw(image)
    for shape in shapes:
        pen.polygon(to_pixels(scene, shape, times), fill=255)
    return reduced(scene, image)


def enlarged(scene: Scene, picture: Pixels) -> Image.Image:
    """`picture` for Pillow to draw on, so many times as large; `reduced` gives the same pixels back."""
    times = fineness(scene)
    image = Image.fromarray((np.clip(picture, 0, 1).transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))
    return image.resize((scene.width * times, scene.height * times), Image.Resampling.NEAREST)


def reduced(scene: Scene, image: Image.Image) -> Pixels:
    """A finely drawn image at the picture's size, with soft edges: (3, h, w), or (h, w) if it is grey."""
    small = np.asarray(image.reduce(fineness(scene)), np.float32) * np.float32(1 / 255)
    return np.ascontiguousarray(small.transpose(2, 0, 1) if small.ndim == 3 else small)


def doubled(scene: Scene, picture: Pixels) -> Pixels:
    """A picture that was painted on `scene.halved()`, at the size of `scene`."""
    size = (scene.width, scene.height)
    return np.stack([np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC)) for plane in picture])


def fineness(scene: Scene) -> int:
    """How many times finer than the picture Pillow, whose edges are hard, draws."""
    return min(max(FINE_SIDE // max(scene.width, scene.height), 2), 4)


def to_pixels(scene: Scene, points: Points, times: int) -> list[float]:
    """Points (n, 2) in units as Pillow wants them, x and y in turn, on a picture `times` as fine."""
    corner = np.array([scene.right, scene.bottom])
    scaled: list[float] = ((points + corner) * (times / scene.pixel)).ravel().tolist()
    return scaled


def blurred(scene: Scene, mask: Pixels, radius: float) -> Pixels:
    """`mask` (h, w) from 0 to 1, blurred; `radius` in units."""
    image = Image.fromarray((np.clip(mask, 0, 1) * 255 + 0.5).astype(np.uint8))
    wide = radius / scene.pixel
    if wide < 4:
        image = image.filter(ImageFilter.GaussianBlur(wide))
    else:  # at half the size it takes a quarter of the time
        small = image.reduce(2).filter(ImageFilter.GaussianBlur(wide / 2))
        image = small.resize(image.size, Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32) * np.float32(1 / 255)


def curve(points: Sequence[tuple[float, float]] | Points, closed: bool = True, parts: int = 8) -> Points:
    """A smooth line (Catmull-Rom) through `points`, `parts` pieces between two of them: (n, 2)."""
    knots = np.asarray(points, np.float64)
    if closed:
        before, after = np.roll(knots, 1, 0), np.roll(knots, -1, 0)
        beyond = np.roll(knots, -2, 0)
    else:
        padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
        before, knots, after, beyond = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(parts) / parts)[None, :, None]
    a, b, c, d = (part[:, None, :] for part in (before, knots, after, beyond))
    path = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return path.reshape(-1, 2)


def ribbon(path: Points, widths: Points) -> Points:
    """The outline of a stroke along `path` (n, 2) that is `widths` (n,) wide: (2n, 2)."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.hypot(along[:, :1], along[:, 1:]), 1e-9)
    aside = np.stack([-along[:, 1], along[:, 0]], axis=1) * (widths / 2)[:, None]
    return np.concatenate([path + aside, (path - aside)[::-1]])
