"""WebP: the size of its canvas, and its EXIF record."""

from __future__ import annotations

import struct

LABEL = "WebP"


def recognise(data: bytes) -> bool:
    """Whether these first bytes are a WebP's, and not those of another RIFF file."""
    return data.startswith(b"RIFF") and data[8:16] in {b"WEBPVP8 ", b"WEBPVP8L", b"WEBPVP8X"}


def read_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; zeros, IndexError or struct.error where the header is damaged."""
    form = data[12:16]
    if form == b"VP8X":
        low, high = struct.unpack_from("<IH", data, 24)  # 24 bits each, one less than the size
        return (low & 0xFFFFFF) + 1, (low >> 24 | high << 8) + 1
    if form == b"VP8L" and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def only_pixels(data: bytes, *, keep_alpha: bool) -> bytes:
    """Return the file: Pillow does not look into its metadata, and libwebp checks its structure."""
    return data


def find_exif(data: bytes) -> bytes:
    """Return the EXIF record, empty where there is none."""
    start = 12
    while start + 8 <= len(data):
        end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "little")
        if data[start : start + 4] == b"EXIF":
            return data[start + 8 : end]
        start = end + (end & 1)
    return b""
