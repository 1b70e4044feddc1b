"""The chip's pins: the MISO trap, and what else keeps bytes from a panel."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.chip import Chip
from pico_a1111_proxy.simulator.glass import Glass

# Waveshare Pico-LCD-1.3: D/C is SPI1's own MISO.
WAVESHARE = {"SPI": 1, "SCK": 10, "MOSI": 11, "CS": 9, "DC": 8, "RST": 12, "BL": 13}
# Pimoroni's packs: D/C is SPI0's own MISO; no reset.
PIMORONI = {"SPI": 0, "SCK": 18, "MOSI": 19, "CS": 17, "DC": 16, "RST": None, "BL": 20}
BOARDS = {"waveshare": WAVESHARE, "pimoroni": PIMORONI}

ABSENT, NONE = -1, -2
OLD, FIXED = (1, 24), (1, 25)


def chip_of(board: dict[str, int | None], **further: object) -> Chip:
    return Chip(Glass(DISPLAYS["waveshare-pico-lcd-1.3"]), SimpleNamespace(**board), **further)  # type: ignore[arg-type]


def make_pins(chip: Chip, board: dict[str, int | None]) -> None:
    for name in ("CS", "DC", "RST", "BL"):
        number = board.get(name)
        if number is not None:
            chip.pin(number, 1, 1)


def make_spi(chip: Chip, board: dict[str, int | None], miso: int = NONE) -> None:
    chip.spi(board["SPI"] or 0, 62_500_000, board["SCK"] or 0, board["MOSI"] or 0, miso)


def started(board: dict[str, int | None], **further: object) -> Chip:
    """As a driver should: SPI first, pins after, miso=None."""
    chip = chip_of(board, **further)
    make_spi(chip, board)
    make_pins(chip, board)
    return chip


def send(chip: Chip, board: dict[str, int | None], data: bytes, command: bool) -> None:
    """As a driver does: D/C, CS low, the bytes, CS high."""
    chip.set(board["DC"] or 0, not command)
    if board.get("CS") is not None:
        chip.set(board["CS"] or 0, 0)
    chip.transfer(data)
    if board.get("CS") is not None:
        chip.set(board["CS"] or 0, 1)


def draw(chip: Chip, board: dict[str, int | None]) -> None:
    """Wake the panel and make it white."""
    for code, parameters in [
        (0x36, b"\x70"),
        (0x3A, b"\x55"),
        (0x21, b""),
        (0x11, b""),
        (0x29, b""),
        (0x2A, b"\x00\x00\x00\xef"),
        (0x2B, b"\x00\x00\x00\xef"),
        (0x2C, b"\xff" * (240 * 240 * 2)),
    ]:
        send(chip, board, bytes([code]), command=True)
        if parameters:
            send(chip, board, parameters, command=False)


def is_white(chip: Chip) -> bool:
    return bool((np.asarray(chip.glass.image()) == 255).all())


def untouched(chip: Chip) -> bool:
    """Whether the panel is as it was at power-up."""
    controller, new = chip.glass.controller, Glass(chip.glass.display).controller
    same = (controller.asleep, controller.on, controller.madctl, controller.colmod) == (True, False, 0, 6)
    return same and bool((controller.gram == new.gram).all())


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
@pytest.mark.parametrize(
    ("firmware", "miso", "pins_first_works"),
    [(OLD, ABSENT, False), (OLD, NONE, False), (FIXED, ABSENT, False), (FIXED, NONE, True)],
)
def test_the_miso_trap(
    board: dict[str, int | None], firmware: tuple[int, int], miso: int, pins_first_works: bool
) -> None:
    for pins_first in (False, True):
        chip = chip_of(board, firmware=firmware)
        if pins_first:
            make_pins(chip, board)
        make_spi(chip, board, miso)
        if not pins_first:
            make_pins(chip, board)
        draw(chip, board)
        assert is_white(chip) is (pins_first_works or not pins_first)
        # In the trap no pixel arrives: D/C stays low, and all is taken for commands.
        written = (chip.glass.controller.gram != Glass(chip.glass.display).controller.gram).any()
        assert written == is_white(chip)


def test_a_pin_made_again_gets_out_of_the_trap() -> None:
    chip = chip_of(WAVESHARE)
    make_pins(chip, WAVESHARE)
    make_spi(chip, WAVESHARE, ABSENT)
    chip.pin(8, 1, -1)
    draw(chip, WAVESHARE)
    assert is_white(chip)


def test_any_pin_of_the_panel_can_be_in_the_trap() -> None:
    board = WAVESHARE | {"CS": 12, "RST": 9}
    for miso in (12, ABSENT):
        chip = chip_of(board)
        make_pins(chip, board)
        make_spi(chip, board, miso)
        draw(chip, board)
        assert not is_white(chip)
    chip = chip_of(board, firmware=OLD)
    make_pins(chip, board)
    make_spi(chip, board, 12)  # CS is its own no more: it floats up, and the panel hears nothing
    draw(chip, board)
    assert untouched(chip)


def test_miso_once_told_stays() -> None:
    chip = chip_of(WAVESHARE)
    make_spi(chip, WAVESHARE, NONE)
    make_pins(chip, WAVESHARE)
    chip.spi(1, 24_000_000, ABSENT, ABSENT, ABSENT)
    draw(chip, WAVESHARE)
    assert is_white(chip)
    chip.reset()
    chip.pin(8, 1, 1)
    chip.spi(1, 24_000_000, ABSENT, ABSENT, ABSENT)
    make_pins(chip, {"CS": 9, "RST": 12, "BL": 13})
    draw(chip, WAVESHARE)
    assert chip.glass.controller.madctl == 0  # its parameter was taken for a command


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_the_usual_pins_are_the_boards(board: dict[str, int | None]) -> None:
    chip = chip_of(board)
    chip.spi(board["SPI"] or 0, 24_000_000, ABSENT, NONE, NONE)
    make_pins(chip, board)
    draw(chip, board)
    assert is_white(chip)
    assert chip.lost == 0


@pytest.mark.parametrize(
    "spi",
    [(0, 18, 19), (1, 14, 11), (1, 10, 15), (0, 10, 11), (2, -1, -1)],
    ids=["other", "sck", "mosi", "bus", "none"],
)
def test_on_another_spi_or_other_pins_nothing_arrives(spi: tuple[int, int, int]) -> None:
    chip = chip_of(WAVESHARE)
    number, sck, mosi = spi
    chip.spi(number, 24_000_000, sck, mosi, NONE)
    make_pins(chip, WAVESHARE)
    draw(chip, WAVESHARE)
    assert untouched(chip)
    assert chip.lost == 5 + 3 + 2 + 8 + 240 * 240 * 2


def test_without_an_spi_nothing_arrives() -> None:
    chip = chip_of(WAVESHARE)
    make_pins(chip, WAVESHARE)
    draw(chip, WAVESHARE)
    assert untouched(chip)


@pytest.mark.parametrize("line", ["SCK", "MOSI"])
def test_a_pin_made_on_the_clock_or_the_data_line_cuts_it_off(line: str) -> None:
    chip = started(WAVESHARE)
    chip.pin(WAVESHARE[line], 1, 0)
    draw(chip, WAVESHARE)
    assert untouched(chip)
    make_spi(chip, WAVESHARE)
    draw(chip, WAVESHARE)
    assert is_white(chip)


def test_while_cs_is_high_nothing_arrives() -> None:
    chip = started(WAVESHARE)
    chip.set(8, 0)
    chip.transfer(b"\x11\x29\x2c")
    assert untouched(chip)
    chip.set(9, 0)
    chip.transfer(b"\x11")
    assert chip.lost == 3
    assert not chip.glass.controller.asleep


@pytest.mark.parametrize("line", ["CS", "RST"])
def test_a_line_that_nothing_drives_keeps_the_panel_silent(line: str) -> None:
    chip = chip_of(WAVESHARE)
    make_spi(chip, WAVESHARE)
    make_pins(chip, {name: number for name, number in WAVESHARE.items() if name != line})
    draw(chip, WAVESHARE)
    assert untouched(chip)
    chip.pin(WAVESHARE[line], 0, -1)  # an input drives nothing
    draw(chip, WAVESHARE)
    assert untouched(chip)


def test_before_the_reset_nothing_arrives_and_a_reset_forgets() -> None:
    chip = chip_of(WAVESHARE)
    make_spi(chip, WAVESHARE)
    make_pins(chip, WAVESHARE | {"RST": None})
    chip.pin(12, 1, 0)
    draw(chip, WAVESHARE)
    assert untouched(chip)
    chip.set(12, 1)
    draw(chip, WAVESHARE)
    assert is_white(chip)
    chip.set(12, 0)
    chip.set(12, 1)
    controller = chip.glass.controller
    assert (controller.asleep, controller.on, controller.madctl, controller.colmod) == (True, False, 0, 6)
    assert not np.asarray(chip.glass.image()).any()
    assert (controller.gram[:240] == 255).all()  # the memory is kept


def test_the_light_is_a_pin_or_a_pwm() -> None:
    chip = started(WAVESHARE)
    draw(chip, WAVESHARE)
    for act, light in [
        (lambda: chip.set(13, 0), 0),
        (lambda: chip.set(13, 1), 1),
        (lambda: chip.pwm(13, 0), 0),
        (lambda: chip.set(13, 1), 0),  # it is the PWM's
        (lambda: chip.pwm(13, 13107), 0.2),
        (lambda: chip.pwm(13, 65535), 1),
        (lambda: chip.pin(13, 1, 0), 0),
        (lambda: chip.pwm(13, 1), 1 / 65535),
        (lambda: chip.pin(13, 0, -1), 0),
    ]:
        act()
        assert chip.glass.light == light
        assert is_white(chip) is (light > 0)


def test_a_light_that_nothing_drives_is_off_and_one_without_a_pin_is_on() -> None:
    board = WAVESHARE | {"BL": None}
    chip = chip_of(WAVESHARE)
    make_spi(chip, board)
    make_pins(chip, board)
    draw(chip, board)
    assert not np.asarray(chip.glass.image()).any()
    chip = started(board)
    draw(chip, board)
    assert is_white(chip)


def test_a_board_may_say_no_more_than_where_dc_is() -> None:
    board: dict[str, int | None] = {"DC": 8}
    chip = chip_of(board)
    chip.spi(0, 24_000_000, 2, 3, NONE)
    chip.pin(8, 1, 0)
    draw(chip, board)
    assert is_white(chip)
    with pytest.raises(ValueError, match="D/C"):
        chip_of({"CS": 9})


def test_dc_counts_where_each_byte_goes_out() -> None:
    chip = started(WAVESHARE)
    chip.set(9, 0)
    for level, data in [(0, b"\x36"), (1, b"\x70"), (0, b"\x11\x29"), (1, b"\x10")]:
        chip.set(8, level)
        chip.transfer(data)
    controller = chip.glass.controller
    assert (controller.madctl, controller.asleep, controller.on) == (0x70, False, True)


def test_machine_reset_lets_the_pins_go_and_keeps_the_memory() -> None:
    chip = started(WAVESHARE)
    draw(chip, WAVESHARE)
    chip.reset()
    assert not np.asarray(chip.glass.image()).any()
    assert (chip.glass.controller.gram[:240] == 255).all()
    chip.transfer(b"\x11")
    assert chip.glass.controller.asleep
    make_spi(chip, WAVESHARE)
    make_pins(chip, WAVESHARE)
    draw(chip, WAVESHARE)
    assert is_white(chip)
