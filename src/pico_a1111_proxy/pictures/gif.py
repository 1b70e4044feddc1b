"""GIF: the size of its first frame's canvas, and the blocks that make that frame."""

from __future__ import annotations

import struct

LABEL = "GIF"
MAX_BLOCKS = 10_000  # before the first frame; encoders write two or three
MAX_PIECES = 250_000  # of the first frame's pixels; of 255 bytes each, as encoders write them, they make 60 MB

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
    """Leave out comments and other extensions before the first frame, and all that follows it.

    Pillow, where pixels are missing, reads on through every further frame. IndexError for far too many pieces.
    """
    controls, frame = _first_frame(data)
    pixels = frame + 10 + (3 << (data[frame + 9] & 7) + 1 if data[frame + 9] & 0x80 else 0) + 1
    end = _end_of(data, pixels)
    trailer = b";" if end <= len(data) else b""  # after a cut nothing may follow, lest it be read as pixels
    return b"".join([data[: _palette_end(data)], *controls, data[frame:end], trailer])


def find_exif(data: bytes) -> bytes:
    """Return nothing: a GIF has no EXIF record."""
    return b""


def _palette_end(data: bytes) -> int:
    return 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)


def _end_of(data: bytes, place: int) -> int:
    """Where the run of pieces that starts at `place` is over; beyond the end of a file that is cut off."""
    for _ in range(MAX_PIECES):
        if place >= len(data):
            return len(data) + 1
        length = data[place]
        place += 1 + length
        if not length:
            return place
    raise IndexError("the frame has far too many pieces")


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
