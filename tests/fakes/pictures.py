"""Pictures as upstreams send them: of one colour, or with something on them that shows which way is up."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def encode(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def png(colour: Any = RED, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    """A PNG of one colour."""
    return encode(Image.new(mode, size, colour))


def corners(size: tuple[int, int] = (64, 64)) -> Image.Image:
    """Four quarters: red and green above, blue and white below; no two turns of it are alike."""
    width, height = size
    image = Image.new("RGB", size, WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def gradient(size: tuple[int, int] = (64, 48), mode: str = "RGB") -> Image.Image:
    """Every pixel differs from its neighbours, in every mode."""
    width, height = size
    image = Image.new("RGB", size)
    image.putdata(
        [(x * 255 // width, y * 255 // height, (x * 7 + y * 3) % 256) for y in range(height) for x in range(width)]
    )
    return image if mode == "RGB" else image.convert(mode)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def levels(image: Image.Image) -> np.ndarray[Any, Any]:
    """What is left of each pixel in 5, 6 and 5 bits."""
    return np.asarray(image.convert("RGB")) >> np.array([3, 2, 3], np.uint8)
