"""JPEG: its size, its EXIF record, and the segments that make pixels."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LABEL = "JPEG"
MAX_SEGMENTS = 10_000  # before the first scan; a camera writes about twenty
MAX_SCANS = 100  # each scan of a progressive JPEG visits every pixel; encoders write about ten

_BARE = frozenset((0x00, 0x01, *range(0xD0, 0xDA)))  # markers without a payload
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xDE}  # markers whose payload tells a size
_SCAN = 0xDA
_EXIF = 0xE1
# Frames, tables, the restart interval, and what tells the colour space: APP0 and APP14.
_PIXELS = _FRAMES | {0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE}


def recognise(data: bytes) -> bool:
    """Whether these first bytes are a JPEG's."""
    return data.startswith(b"\xff\xd8\xff")


def read_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; zeros, IndexError or struct.error where the header is damaged."""
    width = height = 0
    for marker, start, _ in _segments(data):
        if marker in _FRAMES:  # of several the last one counts, for Pillow too
            height, width = struct.unpack_from(">HH", data, start + 5)
    return width, height


def only_pixels(data: bytes, *, keep_alpha: bool) -> bytes:
    """Leave out what makes no pixels before the first scan. ValueError if there is no scan, or far too many.

    Pillow reads EXIF and the index of further pictures as it opens a file, and warns when they are damaged.
    """
    kept = [data[:2]]
    for marker, start, end in _segments(data):
        if marker == _SCAN:
            if data.count(b"\xff\xda", start) > MAX_SCANS:
                raise ValueError(f"there are more than {MAX_SCANS} scans")
            return b"".join([*kept, data[start:]])
        if marker in _PIXELS:
            kept.append(data[start:end])
    raise ValueError("there is no scan")


def find_exif(data: bytes) -> bytes:
    """Return the EXIF record, empty where there is none."""
    segments = (data[start + 4 : end] for marker, start, end in _segments(data) if marker == _EXIF)
    return next((segment[6:] for segment in segments if segment.startswith(b"Exif\0\0")), b"")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment, up to the header of the first scan."""
    start = 2
    for _ in range(MAX_SEGMENTS):
        start = data.find(b"\xff", start)  # stray bytes between segments are skipped, as decoders do
        if start < 0 or start + 4 > len(data):
            return
        marker = data[start + 1]
        if marker == 0xFF:
            start += 1
        elif marker in _BARE:
            start += 2
        else:
            end = start + 2 + max(2, int.from_bytes(data[start + 2 : start + 4], "big"))
            yield marker, start, end
            if marker == _SCAN:
                return
            start = end
