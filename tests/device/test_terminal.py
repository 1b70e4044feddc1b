"""Images as half blocks."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from pico_a1111_proxy.simulator.terminal import draw

RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)


def image_of(rows: list[list[tuple[int, int, int]]]) -> Image.Image:
    image = Image.new("RGB", (len(rows[0]), len(rows)))
    image.putdata([pixel for row in rows for pixel in row])
    return image


def seen(text: str) -> list[list[tuple[str, str]]]:
    """What a terminal makes of it: each line's cells, each with the colour of its upper and its lower half."""
    lines = []
    for line in text.split("\n"):
        ink = ground = "plain"
        cells = []
        for escape, letter in re.findall("\x1b\\[([0-9;]*)m|(.)", line):
            if letter:
                assert letter == "▀"
                cells.append((ink, ground))
            elif escape.startswith("38;2;"):
                ink = escape[5:]
            elif escape.startswith("48;2;"):
                ground = escape[5:]
            else:
                ground = "plain"
                ink = "plain" if escape == "0" else ink
        assert (ink, ground) == ("plain", "plain"), "the colours run on"
        lines.append(cells)
    return lines


def test_one_line_is_exact() -> None:
    image = image_of([[RED, RED, BLUE], [BLUE, BLUE, BLUE]])
    assert draw(image, 80) == (
        "\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m\N{UPPER HALF BLOCK}\N{UPPER HALF BLOCK}"
        "\x1b[38;2;0;0;255m\N{UPPER HALF BLOCK}\x1b[0m"
    )


def test_every_pixel_is_there() -> None:
    rows = [[(x, y, x ^ y) for x in range(5)] for y in range(6)]
    wanted = [
        [tuple(";".join(map(str, rows[y + half][x])) for half in (0, 1)) for x in range(5)] for y in range(0, 6, 2)
    ]
    assert seen(draw(image_of(rows), 5)) == wanted


def test_below_an_odd_last_row_there_is_nothing() -> None:
    assert seen(draw(image_of([[RED], [BLUE], [RED]]), 9)) == [[("255;0;0", "0;0;255")], [("255;0;0", "plain")]]


@pytest.mark.parametrize(
    ("size", "columns", "wanted"),
    [
        ((240, 240), 80, (80, 40)),
        ((320, 240), 80, (80, 30)),
        ((240, 135), 60, (60, 17)),
        ((30, 20), 80, (30, 10)),
        ((200, 1), 10, (10, 1)),
        ((7, 7), 1, (1, 1)),
    ],
)
def test_what_is_too_wide_is_shrunk_and_nothing_is_enlarged(
    size: tuple[int, int], columns: int, wanted: tuple[int, int]
) -> None:
    lines = seen(draw(Image.new("RGB", size, RED), columns))
    assert (len(lines[0]), len(lines)) == wanted
    assert {len(line) for line in lines} == {wanted[0]}
    assert {cell[0] for line in lines for cell in line} == {"255;0;0"}


def test_shrinking_takes_the_mean() -> None:
    assert seen(draw(image_of([[(0, 10, 200), (100, 20, 100)], [(0, 10, 200), (100, 20, 100)]]), 1)) == [
        [("50;15;150", "plain")]
    ]


def test_other_modes_are_made_rgb() -> None:
    assert seen(draw(Image.new("L", (1, 2), 7), 1)) == [[("7;7;7", "7;7;7")]]
