"""BMP: its size, and a limit to one costly form of it."""

from __future__ import annotations

import struct

LABEL = "BMP"
MAX_RUN_LENGTH_PIXELS = 4_000_000  # Pillow unpacks these in Python, a quarter of a second for each million

_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes: the versions of the header that Pillow reads
_RUN_LENGTHS = (1, 2)  # the header's compression: 8 or 4 bits a pixel


def recognise(data: bytes) -> bool:
    """Whether these first bytes are a BMP's; two letters alone would take many a text for one."""
    return data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _HEADERS


def read_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; zeros, IndexError or struct.error where the header is damaged."""
    width, height = struct.unpack_from("<HH" if data[14] == 12 else "<ii", data, 18)
    return width, abs(height)  # negative: the rows go from top to bottom


def only_pixels(data: bytes, *, keep_alpha: bool) -> bytes:
    """Return the file: a BMP is little else than pixels. ValueError for a compressed one that is very large."""
    width, height = read_size(data)
    if data[14] != 12 and data[30] in _RUN_LENGTHS and width * height > MAX_RUN_LENGTH_PIXELS:
        raise ValueError("more run-length pixels than are worth their time")
    return data


def find_exif(data: bytes) -> bytes:
    """Return nothing: a BMP has no EXIF record."""
    return b""
