"""Controller: a panel's controller chip, with the memory it shows and the commands that fill it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pico_a1111_proxy.pixels import FORMATS

# The memory of a controller: shape (rows, columns, 3), 8 bits a channel.
Gram = NDArray[np.uint8]

# Bits of MADCTL. ML and MH are not here: they say in which order the glass is refreshed, which nobody sees.
MY, MX, MV, BGR = 0x80, 0x40, 0x20, 0x08

_SWRESET, _SLPIN, _SLPOUT = 0x01, 0x10, 0x11
_INVOFF, _INVON, _DISPOFF, _DISPON = 0x20, 0x21, 0x28, 0x29
_CASET, _RASET, _RAMWR, _RAMWRC = 0x2A, 0x2B, 0x2C, 0x3C
_MADCTL, _COLMOD = 0x36, 0x3A

_SEED = 7789


@dataclass(frozen=True)
class _Coding:
    """How pixels come: the name in `FORMATS`, and the smallest number of bytes that is a whole number of pixels."""

    format: str
    group_bytes: int
    group_pixels: int


# By the three low bits of COLMOD, which are the MCU interface's; the bits above are the RGB interface's.
_CODINGS = {3: _Coding("rgb444", 3, 2), 5: _Coding("rgb565-be", 2, 1), 6: _Coding("rgb666", 3, 1)}


@dataclass(frozen=True)
class Kind:
    """A controller by its name: the columns and rows of its memory under MADCTL 0, and the COLMODs it has over SPI.

    `bgr` says that the glass on this controller mostly has blue first, as the boards of the profiles have.
    """

    name: str
    columns: int
    rows: int
    codings: tuple[int, ...] = (3, 5, 6)
    bgr: bool = False


KINDS = (
    Kind("ST7789", 240, 320),
    Kind("ST7735", 132, 162, bgr=True),
    Kind("GC9A01", 240, 240, bgr=True),
    Kind("GC9107", 128, 160, bgr=True),
    Kind("ILI9341", 240, 320, (5, 6), bgr=True),
    Kind("ILI9342", 320, 240, (5, 6), bgr=True),
    # A bare one has 18 bits a pixel only; shift registers before it make its 16-bit parallel bus of SPI.
    Kind("ILI9488", 320, 480, (6,), bgr=True),
)


def kind_named(name: str) -> Kind:
    """The kind that a profile's `controller` begins with: "ST7789VW" is an ST7789. Raises ValueError."""
    for kind in KINDS:
        if name.upper().startswith(kind.name):
            return kind
    raise ValueError(f"{name} is not simulated; these are: {', '.join(kind.name for kind in KINDS)}")


def oriented(gram: Gram, madctl: int) -> Gram:
    """The memory as a host sees it whose MADCTL is this: a view, indexed by RASET's row and CASET's column.

    MY mirrors the memory's own rows, MX its own columns, whatever MV says; with MV, CASET counts its rows.
    """
    if madctl & MY:
        gram = gram[::-1]
    if madctl & MX:
        gram = gram[:, ::-1]
    return gram.transpose(1, 0, 2) if madctl & MV else gram


class Controller:
    """One controller from power-up on: its memory holds noise, it sleeps, and its display is off.

    `gram` is what it remembers, shape (rows, columns, 3) in its own geometry; the levels that came are held as the 8
    bits that `pixels.shades` makes of them, what came first as red. `asleep`, `on`, `inverted`, `madctl` and `colmod`
    (its three low bits) are as the commands left them.
    """

    gram: Gram
    asleep: bool
    on: bool
    inverted: bool
    madctl: int
    colmod: int

    def __init__(self, kind: Kind, seed: int = _SEED) -> None:
        self.kind = kind
        noise = np.random.default_rng(seed).bytes(kind.columns * kind.rows * 3)
        self.gram = FORMATS["rgb666"].show(noise, kind.columns, kind.rows)
        self._address = {_CASET: bytearray(4), _RASET: bytearray(4)}
        self.reset()

    @property
    def bgr(self) -> bool:
        """Whether what came first is shown where blue is on glass that has red first, and the other way round.

        This bit of MADCTL works on what is shown, so it turns what was written before too.
        """
        return bool(self.madctl & BGR)

    def reset(self) -> None:
        """What a pulse on RST does. The memory keeps what it holds."""
        self.madctl = 0
        self.colmod = 6
        self._restart()

    def receive(self, data: bytes, command: bool) -> None:
        """Take bytes as they come over SPI while CS is low; `command` says that D/C is low.

        What CS did in between does not matter: a pixel or a list of parameters may go on where it stopped.
        """
        if command:
            for code in data:
                self._begin(code)
        elif self._command in (_RAMWR, _RAMWRC):
            self._store(data)
        else:
            for value in data:
                self._take(value)

    def _restart(self) -> None:
        """What SWRESET does: MADCTL and COLMOD stay, and the window becomes what MADCTL makes the whole memory."""
        self.asleep, self.on, self.inverted = True, False, False
        height, width, _ = oriented(self.gram, self.madctl).shape
        self._address[_CASET][:] = (width - 1).to_bytes(4, "big")
        self._address[_RASET][:] = (height - 1).to_bytes(4, "big")
        self._command, self._taken = 0, 0
        self._open()

    def _begin(self, code: int) -> None:
        """A command byte. It ends whatever was under way; half a pixel is lost."""
        self._command, self._taken = code, 0
        self._rest, self._stored = b"", 0
        if code == _SWRESET:
            self._restart()
        elif code in (_SLPIN, _SLPOUT):
            self.asleep = code == _SLPIN
        elif code in (_INVOFF, _INVON):
            self.inverted = code == _INVON
        elif code in (_DISPOFF, _DISPON):
            self.on = code == _DISPON
        elif code == _RAMWR:
            self._open()

    def _take(self, value: int) -> None:
        """A parameter of the command before. It counts as soon as it is there; those too many are swallowed."""
        address = self._address.get(self._command)
        if address is not None and self._taken < len(address):
            address[self._taken] = value
        elif self._command == _MADCTL and not self._taken:
            self.madctl = value
        elif self._command == _COLMOD and not self._taken and value & 7 in self.kind.codings:
            self.colmod = value & 7
        self._taken += 1

    def _open(self) -> None:
        """Begin at the top left of the window: only now CASET and RASET are looked at."""
        self._left, right = _pair(self._address[_CASET])
        self._top, bottom = _pair(self._address[_RASET])
        self._width, self._height = right - self._left + 1, bottom - self._top + 1
        self._at = 0  # pixels written since, without whole rounds
        self._rest, self._stored = b"", 0

    def _store(self, data: bytes) -> None:
        """Pixels, as many as are whole; the rest of a pixel waits for the bytes that follow."""
        coding = _CODINGS[self.colmod]
        form = FORMATS[coding.format]
        data = self._rest + data
        count = len(data) * 8 // form.bits
        pixels = form.show(data[: form.size(count, 1)], count, 1)[0] if count else self.gram[:0, 0]
        self._write(pixels[self._stored :])
        groups = len(data) // coding.group_bytes
        # Of two pixels in three bytes the first is whole before the group is.
        self._rest, self._stored = data[groups * coding.group_bytes :], count - groups * coding.group_pixels

    def _write(self, pixels: NDArray[np.uint8]) -> None:
        """Put pixels, shape (n, 3), where the counters stand: along the row, then down, then at the top again."""
        if self._width < 1 or self._height < 1:
            return  # the documents allow no such window: nothing is stored
        area = self._width * self._height
        at: NDArray[np.signedinteger[Any]] = self._at + np.arange(len(pixels))
        self._at = (self._at + len(pixels)) % area
        at, pixels = at[-area:] % area, pixels[-area:]
        rows: NDArray[np.signedinteger[Any]] = self._top + at // self._width
        columns: NDArray[np.signedinteger[Any]] = self._left + at % self._width
        memory = oriented(self.gram, self.madctl)
        there = (rows < memory.shape[0]) & (columns < memory.shape[1])
        if not there.all():
            rows, columns, pixels = rows[there], columns[there], pixels[there]
        memory[rows, columns] = pixels


def _pair(address: bytearray) -> tuple[int, int]:
    return int.from_bytes(address[:2], "big"), int.from_bytes(address[2:], "big")
