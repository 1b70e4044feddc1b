"""PixelFormat: an RGB image becomes the packed bytes a panel takes, and packed bytes an RGB image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]  # shape (height, width, 3)


@dataclass(frozen=True)
class PixelFormat:
    """One way to write pixels down.

    `pack` takes an array of shape (height, width, 3), uint8, and gives `size(width, height)` bytes, rows from
    the top. `unpack` takes those bytes, the width and the height, and gives the array as the panel shows it.
    """

    name: str
    label: str
    bits: int
    pack: Callable[[Rgb], bytes]
    unpack: Callable[[bytes, int, int], Rgb]

    def size(self, width: int, height: int) -> int:
        """Bytes of a whole frame."""
        return (width * height * self.bits + 7) // 8


def _pack_565(word: str, first: int, last: int) -> Callable[[Rgb], bytes]:
    """`word` is a NumPy type with its byte order; `first` and `last` are the channels at its ends."""

    def pack(rgb: Rgb) -> bytes:
        words = (rgb[..., first] >> 3).astype(np.uint16) << 11
        words |= (rgb[..., 1] >> 2).astype(np.uint16) << 5
        words |= rgb[..., last] >> 3
        return words.astype(word, copy=False).tobytes()

    return pack


def _unpack_565(word: str, first: int, last: int) -> Callable[[bytes, int, int], Rgb]:
    def unpack(data: bytes, width: int, height: int) -> Rgb:
        words = np.frombuffer(data, word).reshape(height, width)
        rgb = np.empty((height, width, 3), np.uint8)
        rgb[..., first] = _widen(words >> 11, 5)
        rgb[..., 1] = _widen(words >> 5 & 63, 6)
        rgb[..., last] = _widen(words & 31, 5)
        return rgb

    return unpack


def _widen(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Stretch `bits` bits to eight by repeating the high ones, so that the brightest stays 255."""
    return values << (8 - bits) | values >> (2 * bits - 8)


def _rgb565(name: str, word: str, first: int, last: int) -> PixelFormat:
    label = "BGR565" if first else "RGB565"
    return PixelFormat(name, label, 16, _pack_565(word, first, last), _unpack_565(word, first, last))


_KNOWN = (
    _rgb565("rgb565-be", ">u2", 0, 2),
    _rgb565("rgb565-le", "<u2", 0, 2),
    _rgb565("bgr565-be", ">u2", 2, 0),
    _rgb565("bgr565-le", "<u2", 2, 0),
)

FORMATS: dict[str, PixelFormat] = {form.name: form for form in _KNOWN}
