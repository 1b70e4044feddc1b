"""Frame: convert makes a picture the bytes that one display takes; preview shows what its panel shows."""

from __future__ import annotations

import hashlib
import io
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from PIL import Image, ImageDraw

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.dithers import quantise, truncate
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.fits import fit
from pico_a1111_proxy.pictures import decode, read_header
from pico_a1111_proxy.pixels import FORMATS

MANY_PIXELS = 8_000_000  # from here on a picture is large
_LARGE = threading.Lock()

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
    def digest(self) -> str:
        """Equal for equal pixels; worked out once, and kept with them."""
        return hashlib.sha256(self.data).hexdigest()


def describe(display: Display) -> dict[str, Any]:
    """What the frames of `display` are, for a client that reads JSON."""
    return {
        "width": display.width,
        "height": display.height,
        "format": display.format,
        "bytes": display.frame_bytes,
        "description": f"{display.width}x{display.height} {FORMATS[display.format].label} format for Pico LCD",
    }


def convert(picture: bytes, display: Display) -> Frame:
    """Make an encoded picture the frame of `display`. Raises PictureError.

    For the default display the bytes equal the definition bit for bit: Pillow's `convert("RGB")`,
    `resize` with Lanczos, `255 - c` where inverted, five, six and five high bits, high byte first.
    """
    form = FORMATS[display.format]
    header = read_header(picture)
    # What is decoded of a large one takes hundreds of megabytes: one at a time.
    with _LARGE if header.width * header.height > MANY_PIXELS else nullcontext():
        image = fit(decode(picture, None if display.as_stored else display.background_rgb), display)
    if display.rotate:
        image = image.transpose(_TURNS[display.rotate])
    if form.is_grey:
        image = image.convert("L")
    if display.as_stored and display.dither == "none":
        levels = truncate(image, form.depths)
    else:
        levels = quantise(image, form.depths, display.dither)
    data = form.pack(levels)
    if display.invert:
        data = form.negative(data)
    return Frame(data, display.width, display.height, display.format)


def preview(frame: Frame, display: Display) -> bytes:
    """A PNG of what the panel shows of `frame`: its quantised pixels, upright, the inversion undone.

    Of a round panel the corners, which it has not got, are transparent.
    """
    form = FORMATS[frame.format]
    data = form.negative(frame.data) if display.invert else frame.data
    image = Image.fromarray(form.show(data, frame.width, frame.height))
    if display.round:
        image = image.convert("RGB")
        image.putalpha(_disc(image.size))
    if display.rotate:
        image = image.transpose(_TURNS_BACK[display.rotate])
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    return out.getvalue()


def read_frame(data: bytes, display: Display) -> Frame:
    """Take raw bytes as a frame of `display`. Raises PictureError if there are too many or too few."""
    if len(data) != display.frame_bytes:
        raise PictureError(
            f"Failed to process image: {len(data)} bytes are no {display.width}x{display.height} "
            f"{display.format} frame, which has {display.frame_bytes}"
        )
    return Frame(data, display.width, display.height, display.format)


def _disc(size: tuple[int, int]) -> Image.Image:
    """A mask that is set where a round panel of this size has pixels."""
    disc = Image.new("L", size)
    ImageDraw.Draw(disc).ellipse((0, 0, size[0] - 1, size[1] - 1), fill=255)
    return disc
