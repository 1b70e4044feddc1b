"""A host that sends to a controller, and the model of one pixel at a time that it is checked against."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np

from pico_a1111_proxy.pixels import shades
from pico_a1111_proxy.simulator.controller import Controller, Kind

SMALL = Kind("SMALL", 5, 7)

# ST7735R V0.2, 9.11.2, and the same in the ST7789's and ILI9341's: what CASET and RASET count, by MV, MX and MY. `x`
# and `y` are their counters, `c` and `r` the last physical column and row; the answer is a physical column and row.
Where = Callable[[int, int, int, int], tuple[int, int]]
TABLE: dict[tuple[int, int, int], Where] = {
    (0, 0, 0): lambda x, y, c, r: (x, y),
    (0, 0, 1): lambda x, y, c, r: (x, r - y),
    (0, 1, 0): lambda x, y, c, r: (c - x, y),
    (0, 1, 1): lambda x, y, c, r: (c - x, r - y),
    (1, 0, 0): lambda x, y, c, r: (y, x),
    (1, 0, 1): lambda x, y, c, r: (y, r - x),
    (1, 1, 0): lambda x, y, c, r: (c - y, x),
    (1, 1, 1): lambda x, y, c, r: (c - y, r - x),
}

Window = tuple[int, int, int, int]  # XS, XE, YS, YE
Colour = tuple[int, int, int]


def madctl(mv: int, mx: int, my: int) -> int:
    return my << 7 | mx << 6 | mv << 5


def counted(window: Window) -> Iterator[tuple[int, int]]:
    """The counters, for ever: the column first, at its end back and a row on, at the last row's end to the start."""
    left, right, top, bottom = window
    x, y = left, top
    while True:
        yield x, y
        x += 1
        if x > right:
            x, y = left, y + 1
        if y > bottom:
            y = top


def slowly(
    kind: Kind, turn: tuple[int, int, int], window: Window, colours: list[Colour]
) -> dict[tuple[int, int], Colour]:
    """What `colours` leave in memory, by physical column and row."""
    memory = {}
    for (x, y), colour in zip(counted(window), colours, strict=False):
        column, row = TABLE[turn](x, y, kind.columns - 1, kind.rows - 1)
        if 0 <= column < kind.columns and 0 <= row < kind.rows:
            memory[column, row] = colour
    return memory


def command(controller: Controller, code: int, *parameters: int) -> None:
    controller.receive(bytes([code]), command=True)
    controller.receive(bytes(parameters), command=False)


def pairs(start: int, end: int) -> bytes:
    return start.to_bytes(2, "big") + end.to_bytes(2, "big")


def open_window(controller: Controller, window: Window) -> None:
    command(controller, 0x2A, *pairs(*window[:2]))
    command(controller, 0x2B, *pairs(*window[2:]))
    command(controller, 0x2C)


def woken(kind: Kind = SMALL, colmod: int = 0x55) -> Controller:
    controller = Controller(kind)
    command(controller, 0x11)
    command(controller, 0x3A, colmod)
    command(controller, 0x29)
    return controller


def word(colour: Colour) -> bytes:
    """5, 6 and 5 bits, high byte first."""
    red, green, blue = colour
    return (red << 11 | green << 5 | blue).to_bytes(2, "big")


def shown(colour: Colour) -> list[int]:
    return [int(shades(depth)[level]) for depth, level in zip((5, 6, 5), colour, strict=True)]


def some_colours(count: int, seed: int = 1) -> list[Colour]:
    rng = random.Random(seed)
    return [(rng.randrange(32), rng.randrange(64), rng.randrange(32)) for _ in range(count)]


def expect(controller: Controller, before: np.ndarray, memory: dict[tuple[int, int], Colour]) -> None:
    """That these cells hold these colours, and the others what they held before."""
    wanted = before.copy()
    for (column, row), colour in memory.items():
        wanted[row, column] = shown(colour)
    np.testing.assert_array_equal(controller.gram, wanted)


def write(controller: Controller, colours: list[Colour], cut: int = 0) -> None:
    """Send the pixels, in pieces of `cut` bytes."""
    data = b"".join(map(word, colours))
    for at in range(0, len(data), cut or len(data)):
        controller.receive(data[at : at + (cut or len(data))], command=False)
