"""The board files: they say what the server's profiles say, on pins that the chip can use."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from pico_a1111_proxy.displays import Panel
from pico_a1111_proxy.panels import DISPLAYS

BOARDS = Path(__file__).parents[2] / "device" / "boards"

FACTS = {
    "DISPLAY": str,
    "CONTROLLER": str,
    "WIDTH": int,
    "HEIGHT": int,
    "FORMAT": str,
    "ROUND": bool,
    "MADCTL": int,
    "INVON": bool,
    "X_OFFSET": int,
    "Y_OFFSET": int,
    "SPI": int,
    "BAUDRATE": int,
    "SCK": int,
    "MOSI": int,
    "CS": int,
    "DC": int,
    "RST": int,
    "BL": int,
    "BUTTONS": dict,
}
NEEDLESS = ("CS", "RST", "BL")  # of which a board may have none
LINES = ("SCK", "MOSI", "CS", "DC", "RST", "BL")
KEYS = {"A", "B", "X", "Y", "UP", "DOWN", "LEFT", "RIGHT", "PRESS"}

# What an RP2040 can give to each of its SPIs.
SCK_PINS = {0: {2, 6, 18, 22}, 1: {10, 14, 26}}
MOSI_PINS = {0: {3, 7, 19, 23}, 1: {11, 15, 27}}

# Not of an RP2040: the pins that there are.
OTHER_CHIPS = {"waveshare-esp32-s3": range(49), "lilygo": range(34)}

# Why a display has no file here.
LEFT_OUT = {
    **dict.fromkeys(("pimoroni-explorer", "pimoroni-tufty-2040", "lilygo-t-display-s3"), "8 bits parallel"),
    **dict.fromkeys(("pimoroni-presto", "pimoroni-presto-480"), "no controller with a memory"),
    **dict.fromkeys(("m5stack-core2", "m5stack-cores3", "m5stickc", "m5stickc-plus"), "a chip on I2C has the light"),
    **dict.fromkeys(("m5stack-core", "cyd-2432s028", "ili9488-spi"), "the glass differs by batch"),
    **dict.fromkeys(("m5stack-cardputer", "m5stack-atoms3"), "pins or start-up are not known well enough"),
}


def read_board(path: Path) -> dict[str, Any]:
    """The constants of a board file. Raises ValueError for anything else in it."""
    title, *lines = ast.parse(path.read_text("utf-8")).body
    assert isinstance(title, ast.Expr)
    assert isinstance(ast.literal_eval(title.value), str)
    found: dict[str, Any] = {}
    for line in lines:
        if not isinstance(line, ast.Assign) or not isinstance(line.targets[0], ast.Name):
            raise ValueError(f"{path.name}: line {line.lineno} is no constant")
        found[line.targets[0].id] = ast.literal_eval(line.value)
    return found


ALL = {path.stem: read_board(path) for path in sorted(BOARDS.glob("*.py"))}
EVERY_BOARD = pytest.mark.parametrize("board", ALL.values(), ids=ALL)


def chip_pins(board: dict[str, Any]) -> range:
    return next((pins for start, pins in OTHER_CHIPS.items() if board["DISPLAY"].startswith(start)), range(30))


def used_pins(board: dict[str, Any]) -> list[int]:
    lines = [board[name] for name in LINES if board[name] is not None]
    return [*lines, *board["BUTTONS"].values()]


def row_of(board: dict[str, Any]) -> Panel:
    panel = DISPLAYS[board["DISPLAY"]].panel
    assert panel
    return panel


def test_there_is_a_file_for_each_display_or_a_reason() -> None:
    told = [board["DISPLAY"] for board in ALL.values()]
    assert sorted([*told, *LEFT_OUT]) == sorted(DISPLAYS)


@pytest.mark.parametrize("name", ALL)
def test_the_file_is_named_after_the_display(name: str) -> None:
    assert re.sub("[^a-z0-9]", "_", ALL[name]["DISPLAY"]) == name


@EVERY_BOARD
def test_a_board_has_these_constants_of_these_types(board: dict[str, Any]) -> None:
    assert list(board) == list(FACTS)
    for name, value in board.items():
        assert type(value) is FACTS[name] or (value is None and name in NEEDLESS), name


@EVERY_BOARD
def test_size_format_and_corners_are_the_servers(board: dict[str, Any]) -> None:
    display = DISPLAYS[board["DISPLAY"]]
    assert (board["WIDTH"], board["HEIGHT"], board["FORMAT"]) == (display.width, display.height, display.format)
    assert board["ROUND"] == display.round


@EVERY_BOARD
def test_what_the_driver_sends_is_as_in_the_servers_row(board: dict[str, Any]) -> None:
    row = row_of(board)
    assert row.bus.startswith("SPI")
    # A dash and more tells apart what is wired or made in another way.
    assert board["CONTROLLER"].split("-")[0] == row.controller
    assert row.invon in (None, board["INVON"])
    assert row.madctl in (None, board["MADCTL"])
    assert row.offsets in (None, (board["X_OFFSET"], board["Y_OFFSET"]))


@EVERY_BOARD
def test_the_glass_lies_within_the_controllers_memory(board: dict[str, Any]) -> None:
    memories = {"ST7789": (240, 320), "ST7735": (132, 162), "GC9A01": (240, 240), "ILI9488": (320, 480)}
    memory = next(size for name, size in memories.items() if board["CONTROLLER"].startswith(name))
    across, down = memory[::-1] if board["MADCTL"] & 0x20 else memory
    assert 0 <= board["X_OFFSET"] <= across - board["WIDTH"]
    assert 0 <= board["Y_OFFSET"] <= down - board["HEIGHT"]


@EVERY_BOARD
def test_no_pin_is_used_twice_and_the_chip_has_them_all(board: dict[str, Any]) -> None:
    pins = used_pins(board)
    assert len(set(pins)) == len(pins)
    assert set(pins) <= set(chip_pins(board))
    assert set(board["BUTTONS"]) <= KEYS


@pytest.mark.parametrize("name", [name for name, board in ALL.items() if chip_pins(board) == range(30)])
def test_an_rp2040_can_give_these_pins_to_that_spi(name: str) -> None:
    board = ALL[name]
    assert board["SCK"] in SCK_PINS[board["SPI"]]
    assert board["MOSI"] in MOSI_PINS[board["SPI"]]


@EVERY_BOARD
def test_the_bus_is_neither_slow_nor_faster_than_anybody_runs_it(board: dict[str, Any]) -> None:
    assert 10_000_000 <= board["BAUDRATE"] <= (27_000_000 if board["CONTROLLER"].startswith("ST7735") else 62_500_000)


def test_the_boards_that_most_people_have_are_here() -> None:
    assert {name: ALL["waveshare_pico_lcd_1_3"][name] for name in (*LINES, "SPI")} == {
        "SCK": 10,
        "MOSI": 11,
        "CS": 9,
        "DC": 8,
        "RST": 12,
        "BL": 13,
        "SPI": 1,
    }
    assert ALL["waveshare_pico_lcd_1_3"]["BUTTONS"] == {
        "A": 15,
        "B": 17,
        "X": 19,
        "Y": 21,
        "UP": 2,
        "DOWN": 18,
        "LEFT": 16,
        "RIGHT": 20,
        "PRESS": 3,
    }
    assert {name: ALL["pimoroni_display_2"][name] for name in (*LINES, "SPI")} == {
        "SCK": 18,
        "MOSI": 19,
        "CS": 17,
        "DC": 16,
        "RST": None,
        "BL": 20,
        "SPI": 0,
    }
    assert ALL["pimoroni_display_2"]["BUTTONS"] == {"A": 12, "B": 13, "X": 14, "Y": 15}
