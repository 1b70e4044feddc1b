"""GIF: the size of its first frame's canvas, and the blocks that make that frame."""

from __future__ import annotations

import struct

LABEL = "GIF"
MAX_BLOCKS = 10_000  # before the first frame; encoders write two or three

_EXTENSION, _FRAME, _TRAILER = b"!,;"


def recognise(data: bytes) -> bool:
    """Whether these first bytes are a GIF's."""
    return data.startswith((b"GIF87a", b"GIF89a"))


def read_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; zeros, IndexError or struct.error where the header is damaged."""
    width, height = struct.unpack_from("<HH", data, 6)
    _, frame = _first_frame(data)
    left, top, across, down = struct.unpack_from("<4H", data, frame + 1)
    return max(width, left + across), max(height, top + down)  # a frame that hangs over widens the canvas


def only_pixels(data: bytes, *, keep_alpha: bool) -> bytes:
    """Leave out comments and other extensions before the first frame."""
    controls, frame = _first_frame(data)
    return b"".join([data[: _palette_end(data)], *controls, data[frame:]])


def find_exif(data: bytes) -> bytes:
    """Return nothing: a GIF has no EXIF record."""
    return b""


def _palette_end(data: bytes) -> int:
    return 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)


def _first_frame(data: bytes) -> tuple[list[bytes], int]:
    """Find the graphic controls before the first frame, and where the frame starts. IndexError if there is none."""
    controls: list[bytes] = []
    place = _palette_end(data)
    for _ in range(MAX_BLOCKS):
        if data[place] == _FRAME:
            return controls, place
        if data[place] == _TRAILER:
            break
        start, place = place, place + 1  # stray bytes are skipped, as decoders do
        if data[start] == _EXTENSION:
            place += 1
            while data[place]:
                place += 1 + data[place]
            place += 1
            if data[start + 1 : start + 3] == b"\xf9\x04":
                controls.append(data[start:place])
    raise IndexError("there is no frame")
