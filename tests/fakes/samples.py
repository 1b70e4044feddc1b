"""One picture of every kind and mode that an upstream or a person may send, and what becomes of them."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from fakes.pictures import encode
from fakes.pngs import chunk, ihdr, png
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.pictures import decode


def noise(mode: str, size: tuple[int, int] = (23, 19), seed: int = 0) -> Image.Image:
    """Noise of any mode, and for mode P a palette of it."""
    bands = {"LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}.get(mode, 1)
    data = random.Random(seed).randbytes(size[0] * size[1] * bands)
    image = Image.frombytes(mode if bands > 1 else "L", size, data)
    if mode == "P":
        image.putpalette(random.Random(seed).randbytes(768))
    return image.convert("1") if mode == "1" else image


def bmp(bits: int, size: tuple[int, int], rest: bytes, compression: int = 0) -> bytes:
    """A BMP with the header of Windows 3; `rest` is the palette and the pixels."""
    header = struct.pack("<IiiHHIIiiII", 40, *size, 1, bits, compression, 0, 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 0, 0, 0, len(header) + 14 + (1024 if bits == 8 else 0)) + header + rest


def ycck() -> bytes:
    """A JPEG of four channels, marked as Adobe's YCCK."""
    data = encode(noise("CMYK"), "JPEG")
    adobe = data.index(b"Adobe")
    return data[: adobe + 11] + b"\x02" + data[adobe + 12 :]


def animation(form: str, **options: Any) -> bytes:
    return encode(noise("RGB"), form, save_all=True, append_images=[noise("RGB", seed=1)], **options)


MAPS = bytes(range(256)) * 4
RUNS = b"".join(bytes([5, i, 0, 4, 1, 2, 3, 4, 14, 9, 0, 0]) for i in range(19)) + b"\0\1"
PALETTE = chunk(b"PLTE", random.Random(1).randbytes(768))

PICTURES: dict[str, bytes] = {
    **{f"png {mode}": encode(noise(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")},
    "png palette with alpha": encode(noise("P"), "PNG", transparency=bytes(range(255))),
    "png palette with a key": encode(noise("P"), "PNG", transparency=7),
    "png rgb with a key": encode(noise("RGB"), "PNG", transparency=(1, 2, 3)),
    "png interlaced": png(ihdr(21, 13, interlace=1)),
    "png animated": animation("PNG"),
    **{f"jpeg {mode}": encode(noise(mode), "JPEG") for mode in ("L", "RGB", "CMYK")},
    "jpeg ycck": ycck(),
    "jpeg progressive": encode(noise("RGB"), "JPEG", progressive=True, comment=b"a comment"),
    "jpeg of two": animation("MPO"),
    **{f"gif {mode}": encode(noise(mode), "GIF", comment=b"c" * 300) for mode in ("1", "L", "P", "RGB", "RGBA")},
    "gif animated": animation("GIF", duration=50, loop=0),
    "webp lossy": encode(noise("RGB"), "WEBP"),
    "webp lossless": encode(noise("RGB"), "WEBP", lossless=True),
    "webp lossy with alpha": encode(noise("RGBA"), "WEBP"),
    "webp lossless with alpha": encode(noise("RGBA"), "WEBP", lossless=True),
    "webp animated": animation("WEBP"),
    **{f"bmp {mode}": encode(noise(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")},
    "bmp run lengths": bmp(8, (23, 19), MAPS + RUNS, compression=1),
    "bmp of 16 bits, top row first": bmp(16, (6, -4), bytes(range(48))),
    "bmp of 1987": struct.pack("<2sIHHIIHHHH", b"BM", 0, 0, 0, 26, 12, 5, 4, 1, 24) + bytes(range(64)),
}


def outcome(
    read: Callable[[bytes, tuple[int, int, int] | None], Image.Image],
    data: bytes,
    background: tuple[int, int, int] | None = None,
) -> tuple[Any, ...]:
    """Mode, size and pixels, or the refusal. Anything else that is raised, a warning too, fails the test."""
    try:
        image = read(data, background)
    except PictureError as error:
        return ("refused", str(error))
    return (image.mode, image.size, image.tobytes())


def why_refused(data: bytes) -> str:
    """What `decode` has against a picture, without the words that always stand before it."""
    with pytest.raises(PictureError, match=r"^Failed to process image: ") as caught:
        decode(data)
    return str(caught.value).removeprefix("Failed to process image: ")
