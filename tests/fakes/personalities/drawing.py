"""Pictures as the servers draw them: cheap, the same for the same seed, with the words that they carry inside."""

from __future__ import annotations

import base64
import binascii
import io
import math
from functools import lru_cache

from PIL import ExifTags, Image, PngImagePlugin

from fakes.pictures import encode

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
LARGEST = 4096 * 4096  # pixels
Size = tuple[int, int]


def paint(size: Size, seed: int) -> Image.Image:
    """Two flat colours that tell the seed; the corner is smaller than a quarter, so it shows which way is up."""
    if size[0] * size[1] > LARGEST:
        raise ValueError("too large a picture")
    number = (seed * 2654435761 + 97) % 2**24
    back = (number >> 16, number >> 8 & 255, number & 255)
    image = Image.new("RGB", size, back)
    image.paste((back[2], 255 - back[0], back[1]), (0, 0, math.ceil(size[0] / 3), math.ceil(size[1] / 3)))
    return image


@lru_cache(maxsize=256)
def picture(form: str, size: Size, seed: int, words: str) -> bytes:
    """One picture, encoded."""
    return _encode(paint(size, seed), form, words)


@lru_cache(maxsize=64)
def grid(form: str, size: Size, seeds: tuple[int, ...], words: str) -> bytes:
    """All pictures side by side, as A1111 puts them: rows are the rounded root of their number."""
    rows = round(math.sqrt(len(seeds)))
    columns = math.ceil(len(seeds) / rows)
    image = Image.new("RGB", (columns * size[0], rows * size[1]))
    for place, seed in enumerate(seeds):
        image.paste(paint(size, seed), (place % columns * size[0], place // columns * size[1]))
    return _encode(image, form, words)


@lru_cache(maxsize=16)
def detect_map(size: Size) -> bytes:
    """What ControlNet appends: grey, without words."""
    return _encode(Image.linear_gradient("L").resize(size), "PNG", "")


@lru_cache(maxsize=16)
def preview(form: str, size: Size = (64, 64)) -> bytes:
    """A half-done picture, as progress shows it."""
    return _encode(paint(size, 1).resize((16, 16)).resize(size), form, "")


def read_picture(text: str) -> Image.Image:
    """From base64, with or without a `data:` prefix. Raises ValueError."""
    if text.startswith("data:image/"):
        text = text.partition(",")[2]
    try:
        image = Image.open(io.BytesIO(base64.b64decode(text)))
        image.load()
    except (binascii.Error, OSError, SyntaxError) as error:
        raise ValueError("no picture") from error
    return image


def read_words(image: Image.Image) -> tuple[str | None, dict[str, str]]:
    """The parameters that a picture carries, and its other texts."""
    items = {str(key): value for key, value in image.info.items() if isinstance(value, str)}
    words = items.pop("parameters", None)
    comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if isinstance(comment, bytes) and comment.startswith(b"UNICODE\0"):
        words = comment[8:].decode("utf-16-be")
    return words, items


def _encode(image: Image.Image, form: str, words: str) -> bytes:
    if form == "PNG":
        texts = PngImagePlugin.PngInfo()
        if words:
            texts.add_text("parameters", words)
        return encode(image, "PNG", pnginfo=texts, compress_level=1)
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + words.encode("utf-16-be")
    return encode(image, form, quality=80, exif=exif.tobytes())
