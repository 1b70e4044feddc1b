"""PixelFormat: the levels of a panel's pixels become the packed bytes that it takes, and packed bytes levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

# What each channel of each pixel is set to: shape (height, width, channels), from 0 to 2**depth - 1.
Levels = NDArray[np.uint8]


@dataclass(frozen=True)
class PixelFormat:
    """One way to write pixels down.

    `depths` are the bits of red, green and blue, or of grey alone. `bits` is what a pixel takes in all. `pack` takes
    Levels and gives `size(width, height)` bytes, rows from the top; `unpack` takes those bytes, the width and the
    height, and gives the Levels back. With `whole_rows` each row starts a new byte, as in MicroPython's framebuf;
    without, the rows are one run of bits. `mask` has the bits of a byte that hold levels.
    """

    name: str
    label: str
    depths: tuple[int, ...]
    bits: int
    pack: Callable[[Levels], bytes]
    unpack: Callable[[bytes, int, int], Levels]
    whole_rows: bool = False
    mask: int = 0xFF

    @property
    def is_grey(self) -> bool:
        """Whether a pixel has one channel only."""
        return len(self.depths) == 1

    def size(self, width: int, height: int) -> int:
        """Bytes of a whole frame."""
        if self.whole_rows:
            return (width * self.bits + 7) // 8 * height
        return (width * height * self.bits + 7) // 8

    def negative(self, data: bytes) -> bytes:
        """Turn each level of a packed frame into the most less that level, which is the colour negative.

        The bits that pad a row or the end are turned too; nobody shows them.
        """
        return (np.frombuffer(data, np.uint8) ^ self.mask).tobytes()

    def show(self, data: bytes, width: int, height: int) -> NDArray[np.uint8]:
        """Unpack to what the panel shows, 8 bits a channel: shape (height, width, 3), or (height, width) for grey."""
        levels = self.unpack(data, width, height)
        if self.is_grey:
            return shades(self.depths[0])[levels[..., 0]]
        shown = np.empty(levels.shape, np.uint8)
        for channel, depth in enumerate(self.depths):
            shown[..., channel] = shades(depth)[levels[..., channel]]
        return shown


@cache
def shades(depth: int) -> NDArray[np.uint8]:
    """The brightness, from 0 to 255, of each of the `2**depth` levels, which panels space evenly."""
    most = (1 << depth) - 1
    return ((np.arange(most + 1) * 510 + most) // (2 * most)).astype(np.uint8)


def _rgb565(name: str, word: str, first: int, last: int) -> PixelFormat:
    """`word` is a NumPy type with its byte order; `first` and `last` are the channels at its ends."""

    def pack(levels: Levels) -> bytes:
        words = levels[..., first].astype(np.uint16) << 11
        words |= levels[..., 1].astype(np.uint16) << 5
        words |= levels[..., last]
        return words.astype(word, copy=False).tobytes()

    def unpack(data: bytes, width: int, height: int) -> Levels:
        words = np.frombuffer(data, word).reshape(height, width)
        levels = np.empty((height, width, 3), np.uint8)
        levels[..., first] = words >> 11
        levels[..., 1] = words >> 5 & 63
        levels[..., last] = words & 31
        return levels

    return PixelFormat(name, "BGR565" if first else "RGB565", (5, 6, 5), 16, pack, unpack)


def _one_byte_each(name: str, label: str, depths: tuple[int, ...], unused: int) -> PixelFormat:
    """A byte for each channel, whose lowest `unused` bits are zeros."""

    def pack(levels: Levels) -> bytes:
        return (levels << unused).tobytes()

    def unpack(data: bytes, width: int, height: int) -> Levels:
        return np.frombuffer(data, np.uint8).reshape(height, width, len(depths)) >> np.uint8(unused)

    mask = 0xFF << unused & 0xFF
    return PixelFormat(name, label, depths, 8 * len(depths), pack, unpack, mask=mask)


def _pack_332(levels: Levels) -> bytes:
    return (levels[..., 0] << 5 | levels[..., 1] << 2 | levels[..., 2]).tobytes()


def _unpack_332(data: bytes, width: int, height: int) -> Levels:
    pixels = np.frombuffer(data, np.uint8).reshape(height, width)
    return np.stack((pixels >> 5, pixels >> 2 & 7, pixels & 3), axis=-1)


def _pack_nibbles(rows: Levels) -> bytes:
    """Two to a byte, the first in the high half; a row of an odd number ends with an empty half."""
    if rows.shape[1] % 2:
        rows = np.pad(rows, ((0, 0), (0, 1)))
    return (rows[:, ::2] << 4 | rows[:, 1::2]).tobytes()


def _unpack_nibbles(data: bytes, rows: int, across: int) -> Levels:
    pairs = np.frombuffer(data, np.uint8).reshape(rows, -1)
    return np.stack((pairs >> 4, pairs & 15), axis=-1).reshape(rows, -1)[:, :across]


def _pack_444(levels: Levels) -> bytes:
    return _pack_nibbles(levels.reshape(1, -1))


def _unpack_444(data: bytes, width: int, height: int) -> Levels:
    return _unpack_nibbles(data, 1, width * height * 3).reshape(height, width, 3)


def _pack_gs4(levels: Levels) -> bytes:
    return _pack_nibbles(levels[..., 0])


def _unpack_gs4(data: bytes, width: int, height: int) -> Levels:
    return _unpack_nibbles(data, height, width)[..., np.newaxis]


def _pack_mono(levels: Levels) -> bytes:
    return np.packbits(levels[..., 0], axis=1).tobytes()


def _unpack_mono(data: bytes, width: int, height: int) -> Levels:
    rows = np.frombuffer(data, np.uint8).reshape(height, -1)
    return np.unpackbits(rows, axis=1, count=width)[..., np.newaxis]


_KNOWN = (
    _rgb565("rgb565-be", ">u2", 0, 2),
    _rgb565("rgb565-le", "<u2", 0, 2),
    _rgb565("bgr565-be", ">u2", 2, 0),
    _rgb565("bgr565-le", "<u2", 2, 0),
    _one_byte_each("rgb666", "RGB666", (6, 6, 6), unused=2),
    _one_byte_each("rgb888", "RGB888", (8, 8, 8), unused=0),
    PixelFormat("rgb444", "RGB444", (4, 4, 4), 12, _pack_444, _unpack_444),
    PixelFormat("rgb332", "RGB332", (3, 3, 2), 8, _pack_332, _unpack_332),
    _one_byte_each("gs8", "GS8", (8,), unused=0),
    PixelFormat("gs4-hmsb", "GS4_HMSB", (4,), 4, _pack_gs4, _unpack_gs4, whole_rows=True),
    PixelFormat("mono-hlsb", "MONO_HLSB", (1,), 1, _pack_mono, _unpack_mono, whole_rows=True),
)

FORMATS: dict[str, PixelFormat] = {form.name: form for form in _KNOWN}
