"""Frame: convert makes a picture the bytes that one display takes; preview shows what its panel shows."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.pictures import decode
from pico_a1111_proxy.pixels import FORMATS

LANCZOS = Image.Resampling.LANCZOS

_TURNS = {
    90: Image.Transpose.ROTATE_270,  # Pillow counts counter-clockwise
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
_TURNS_BACK = {90: _TURNS[270], 180: _TURNS[180], 270: _TURNS[90]}


@dataclass(frozen=True)
class Frame:
    """The pixels of one picture, packed for one display."""

    data: bytes
    width: int
    height: int
    format: str

    @cached_property
    def etag(self) -> str:
        """A strong ETag: equal for equal bytes."""
        return f'"{hashlib.sha256(self.data).hexdigest()[:24]}"'


def describe(display: Display) -> dict[str, Any]:
    """What the frames of `display` are, for a client that reads JSON."""
    form = FORMATS[display.format]
    return {
        "width": display.width,
        "height": display.height,
        "format": display.format,
        "bytes": form.size(display.width, display.height),
        "description": f"{display.width}x{display.height} {form.label} format for Pico LCD",
    }


def convert(picture: bytes, display: Display) -> Frame:
    """Make an encoded picture the frame of `display`. Raises PictureError.

    For the default display the bytes equal the definition bit for bit: Pillow's `convert("RGB")`,
    `resize` with Lanczos, `255 - c` where inverted, five, six and five high bits, high byte first.
    """
    image = decode(picture, None if display.as_stored else display.background_rgb)
    image = _FITS[display.fit](image, display)
    if display.rotate:
        image = image.transpose(_TURNS[display.rotate])
    rgb = np.asarray(image)
    if display.invert:
        rgb = 255 - rgb
    data = FORMATS[display.format].pack(rgb)
    return Frame(data, display.width, display.height, display.format)


def preview(frame: Frame, display: Display) -> bytes:
    """A PNG of what the panel shows of `frame`: its quantised pixels, upright, the inversion undone."""
    rgb = FORMATS[frame.format].unpack(frame.data, frame.width, frame.height)
    if display.invert:
        rgb = 255 - rgb
    image = Image.fromarray(rgb)
    if display.rotate:
        image = image.transpose(_TURNS_BACK[display.rotate])
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    return out.getvalue()


def read_frame(data: bytes, display: Display) -> Frame:
    """Take raw bytes as a frame of `display`. Raises PictureError if there are too many or too few."""
    expected = FORMATS[display.format].size(display.width, display.height)
    if len(data) != expected:
        raise PictureError(
            f"Failed to process image: {len(data)} bytes are no {display.width}x{display.height} "
            f"{display.format} frame, which has {expected}"
        )
    return Frame(data, display.width, display.height, display.format)


def _stretch(image: Image.Image, display: Display) -> Image.Image:
    return image.resize(display.upright_size, LANCZOS)


def _cover(image: Image.Image, display: Display) -> Image.Image:
    """Fill the panel and cut off what hangs over, the same on both sides."""
    width, height = display.upright_size
    scale = max(width / image.width, height / image.height)
    left = (image.width - width / scale) / 2
    top = (image.height - height / scale) / 2
    # Rounding may put the box a hair outside of the picture, which Pillow refuses.
    box = (max(left, 0), max(top, 0), min(image.width - left, image.width), min(image.height - top, image.height))
    return image.resize((width, height), LANCZOS, box)


def _contain(image: Image.Image, display: Display) -> Image.Image:
    """Show the whole picture and fill what is left with the background."""
    width, height = display.upright_size
    scale = min(width / image.width, height / image.height)
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = Image.new("RGB", (width, height), display.background_rgb)
    canvas.paste(image.resize(inner, LANCZOS), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


_FITS: dict[str, Callable[[Image.Image, Display], Image.Image]] = {
    "stretch": _stretch,
    "cover": _cover,
    "contain": _contain,
}
