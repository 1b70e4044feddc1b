"""EXIF: which way up a picture was taken."""

from __future__ import annotations

import struct

from PIL.Image import Transpose

_ORIENTATION = 0x0112
_SHORT = 3
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def turn_upright(record: bytes) -> Transpose | None:
    """Return the turn that undoes an EXIF record's Orientation.

    None where the picture is upright, and where the record does not tell or is damaged: a picture is not lost to
    its metadata. Pillow's own reader would warn.
    """
    record = record.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(record[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", record, 4)
        (count,) = struct.unpack_from(order + "H", record, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, sort, _, value = struct.unpack_from(order + "HHIH", record, entry)
            if tag == _ORIENTATION and sort == _SHORT:
                return _TURNS.get(value)
    except struct.error:
        pass
    return None
