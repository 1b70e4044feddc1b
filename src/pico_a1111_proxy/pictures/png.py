"""PNG: its size, its EXIF record, and the chunks that make pixels."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LABEL = "PNG"
MAX_CHUNKS = 25_000  # of 8 KB each, as libpng writes them, they make 200 MB
MAX_GROWTH = 1032  # deflate can't make more of a byte

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # a pixel's, by colour type
_END = b"\0\0\0\0IEND\xaeB`\x82"


def recognise(data: bytes) -> bool:
    """Whether these first bytes are a PNG's."""
    return data.startswith(_SIGNATURE)


def read_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; zeros, IndexError or struct.error where the header is damaged."""
    if data[8:16] != b"\0\0\0\x0dIHDR":
        return 0, 0
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def depth(data: bytes) -> int:
    """Bits a sample, of a PNG whose size could be read."""
    return data[24]


def is_plain(data: bytes) -> bool:
    """Whether what `only_pixels` gave is 8-bit RGB, not interlaced, without a palette or a transparent colour."""
    return data[24:29] == b"\x08\x02\0\0\0" and data[37:41] == b"IDAT"


def only_pixels(data: bytes, *, keep_alpha: bool) -> bytes:
    """Leave out all chunks but those of the pixels. ValueError if one of them is missing, or can't hold them all.

    Texts and profiles can inflate to megabytes, and Pillow loses the picture when one of them is damaged or too
    large; animation chunks can make it warn.
    """
    kept = {b"IHDR": data[:33]}  # and the signature
    first = last = 0
    for name, start, end in _chunks(data):
        if name == b"IDAT":
            first, last = first or start, end
        elif first:
            break  # the pixels are one run of chunks
        elif name == b"PLTE" or (keep_alpha and name == b"tRNS"):
            kept[name] = data[start:end]
    if not first or (data[25] == _PALETTE and b"PLTE" not in kept):
        raise ValueError("there is no IDAT chunk, or no palette")
    if (last - first) * MAX_GROWTH < _least_bytes(data):
        raise ValueError("the pixels can't be whole")  # and no memory is taken for them
    end_chunk = _END if last <= len(data) else b""  # after a cut nothing may follow, lest it be read as pixels
    return b"".join([*kept.values(), data[first:last], end_chunk])


def _least_bytes(data: bytes) -> int:
    """How long the rows are at least, inflated; interlaced ones are longer. LookupError for an unknown colour type."""
    width, height = read_size(data)
    return height * (width * _SAMPLES[data[25]] * depth(data) + 7) // 8


def find_exif(data: bytes) -> bytes:
    """Return the EXIF record, empty where there is none."""
    return next((data[start + 8 : end - 4] for name, start, end in _chunks(data) if name == b"eXIf"), b"")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk, length and CRC included; the last one's end may lie beyond a cut file's."""
    start = len(_SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if start + 8 > len(data):
            return
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        yield data[start + 4 : start + 8], start, end
        start = end
