"""Pictures drawn for the quality tables: smooth gradients, where banding shows, and fine bright detail."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

# The colours of two corners; light falls off between them, with a slow wave across.
_GRADIENTS = {
    "sky": ((38, 92, 178), (236, 214, 190)),
    "grey": ((40, 40, 40), (216, 216, 216)),
    "dark": ((2, 2, 4), (46, 40, 52)),
    "skin": ((168, 116, 92), (240, 204, 184)),
}


def gradients(side: int) -> dict[str, bytes]:
    """Smooth gradients by name, each a PNG of `side` by `side` pixels."""
    return {name: as_png(_gradient(side, *ends)) for name, ends in _GRADIENTS.items()}


def fine_detail(side: int) -> dict[str, bytes]:
    """Pictures of details thinner than a panel's pixel, each a PNG of `side` by `side` pixels."""
    drawn = {"stars": _stars, "white lines": _lines, "small text": _text, "foliage": _foliage}
    return {name: as_png(draw(side)) for name, draw in drawn.items()}


def as_png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _gradient(side: int, first: tuple[int, int, int], last: tuple[int, int, int]) -> Image.Image:
    y, x = np.mgrid[:side, :side] / (side - 1)
    way = np.clip(0.85 * y + 0.15 * x + 0.02 * np.sin(5 * x + 2 * y), 0, 1)[..., np.newaxis]
    return _rounded(np.array(first) + way * (np.array(last) - np.array(first)))


def _stars(side: int) -> Image.Image:
    random = np.random.RandomState(1)
    sky = np.full((side, side, 3), (4.0, 5.0, 12.0))
    for _ in range(side * side // 300):
        y, x = random.randint(0, side - 1, 2)
        colour = np.array([255, 235, 210]) if random.rand() < 0.5 else np.array([215, 230, 255])
        sky[y, x] = np.maximum(sky[y, x], colour * random.rand() ** 2)
    return _rounded(sky)


def _lines(side: int) -> Image.Image:
    image = Image.new("RGB", (side, side), (24, 30, 44))
    draw = ImageDraw.Draw(image)
    for turn in range(40):
        angle = np.pi * turn / 40
        across, down = side * np.cos(angle), side * np.sin(angle)
        middle = side / 2
        draw.line((middle - across, middle - down, middle + across, middle + down), fill="white", width=side // 480)
    return image


def _text(side: int) -> Image.Image:
    image = Image.new("RGB", (side, side), (16, 18, 24))
    draw = ImageDraw.Draw(image)
    size = side // 30
    font = ImageFont.load_default(size)
    for line in range(side // (size * 3 // 2)):
        text = f"{line:02} The quick brown fox jumps over the lazy dog. 0123456789"
        draw.text((size // 2, line * size * 3 // 2), text, fill=(240, 240, 230), font=font)
    return image


def _foliage(side: int) -> Image.Image:
    """Leaves upon leaves, the later the brighter, with the sky shining through."""
    random = np.random.RandomState(2)
    image = Image.new("RGB", (side, side), (190, 215, 240))
    draw = ImageDraw.Draw(image)
    leaf = side / 100
    count = 12000
    for number in range(count):
        x, y, angle = random.rand() * side, random.rand() * side, random.rand() * np.pi
        bright = 0.15 + 0.85 * (number / count) * random.rand()
        along, across = (
            leaf * np.array([np.cos(angle), np.sin(angle)]),
            leaf / 3 * np.array([-np.sin(angle), np.cos(angle)]),
        )
        middle = np.array([x, y])
        corners = [tuple(middle + corner) for corner in (along, across, -along, -across)]
        draw.polygon(corners, fill=(int(140 * bright), int(220 * bright), int(60 * bright)))
    return image


def _rounded(values: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8))
