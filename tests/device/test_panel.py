"""The panel driver: what it sends, a person sees; upright, in the right colours, and where it should be."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from device.panel_runs import DRAW, LCD13, LCD114, LINES, START, Facts, board_of, facts_of, frame_for, rows, seen
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.runner import Pico, boards, device_folder

EVERY_BOARD = pytest.mark.parametrize("name", boards())
SOME_BOARDS = pytest.mark.parametrize(
    "name",
    [
        *("waveshare_pico_lcd_1_3", "waveshare_pico_lcd_0_96", "waveshare_pico_lcd_1_44", "waveshare_restouch_3_5"),
        *("pimoroni_display", "waveshare_rp2040_lcd_1_28"),
    ],
)


@cache
def drawn(name: str) -> np.ndarray:
    """What is to be seen after a frame was drawn, shape (height, width, 3)."""
    return np.asarray(board_of(facts_of(name), START + DRAW).glass.image())


# --- Pictures ---------------------------------------------------------------------------------------------------


@EVERY_BOARD
def test_a_frame_is_seen_as_its_preview(name: str) -> None:
    display = DISPLAYS[facts_of(name)["DISPLAY"]]
    pico = board_of(facts_of(name), START + DRAW)
    assert pico.glass.image().tobytes() == seen(frame_for(display), display).tobytes()
    assert pico.wire.chip.lost == 0


@SOME_BOARDS
@pytest.mark.parametrize(
    "wrong",
    [
        *({"INVON": "other"}, {"MADCTL": 0x80}, {"MADCTL": 0x40}, {"MADCTL": 0x20}, {"MADCTL": 0x08}),
        *({"X_OFFSET": 1}, {"Y_OFFSET": 1}),
    ],
    ids=lambda wrong: "-".join(f"{key}-{value}" for key, value in wrong.items()),
)
def test_with_a_wrong_constant_it_is_not(name: str, wrong: Facts) -> None:
    facts = facts_of(name)
    right = drawn(name)
    for key, value in wrong.items():
        facts[key] = not facts[key] if key == "INVON" else facts[key] ^ value if key == "MADCTL" else facts[key] + value
    there = np.asarray(board_of(facts, START + DRAW).glass.image()) != right
    assert there.any(-1).mean() > 0.5


def test_pixels_of_three_bytes() -> None:
    display = DISPLAYS["ili9488-spi"]
    given = Pico(display, board=SimpleNamespace(**LINES)).glass
    facts = {
        **facts_of(LCD13),
        "DISPLAY": display.name,
        "CONTROLLER": "ILI9488",
        "WIDTH": 480,
        "HEIGHT": 320,
        "FORMAT": "rgb666",
        "MADCTL": given.madctl,
        "INVON": False,
    }
    pico = board_of(facts, START + DRAW)
    assert pico.glass.image().tobytes() == seen(frame_for(display), display).tobytes()
    # Text it has none, but all else.
    half = board_of(facts, START + "panel.fill(0xFFFF)\npanel.status('none')\npanel.bar(0.5)\n").glass.image()
    lit, dark = 480 * 307 + 240 * 3, 480 * 10 + 240 * 3
    assert sorted(half.getcolors() or ()) == [(dark, (0, 0, 0)), (lit, (255, 255, 255))]
    assert board_of(facts, START + "panel.say('none')\n").glass.image().getbbox() is None


@pytest.mark.parametrize("step", [1, 1001])
def test_bytes_may_come_in_any_pieces(step: int) -> None:
    facts = facts_of("waveshare_pico_lcd_0_96")
    display = DISPLAYS[facts["DISPLAY"]]
    pieces = (
        f"data = open('frame', 'rb').read()\nfor at in range(0, len(data), {step}): panel.write(data[at:at+{step}])"
    )
    pico = board_of(facts, START + "panel.begin(panel.height)\n" + pieces)
    assert pico.glass.image().tobytes() == seen(frame_for(display), display).tobytes()


def test_a_window_of_some_rows_leaves_the_others() -> None:
    facts = facts_of(LCD114)
    whole = board_of(facts, START + DRAW).glass.image()
    piece = "panel.begin(11, 100)\nfor _ in range(11): panel.write(b'\\xff' * 2 * panel.width)\n"
    part = board_of(facts, START + DRAW + piece).glass.image()
    assert rows(part, 100, 111) == b"\xff" * 3 * 240 * 11
    assert rows(part, 0, 100) + rows(part, 111, 135) == rows(whole, 0, 100) + rows(whole, 111, 135)


@SOME_BOARDS
def test_it_starts_black_and_can_be_filled(name: str) -> None:
    facts = facts_of(name)
    black = board_of(facts, START)
    assert black.glass.image(lit=False).getbbox() is None
    assert black.glass.light == 1
    white = board_of(facts, START + "panel.fill(0xFFFF)")
    corner = (facts["WIDTH"] // 2, 0)  # round glass has no corners
    assert white.glass.image().getpixel(corner) == (255, 255, 255)
    red = board_of(facts, START + "panel.fill(0xF800)").glass.image().getpixel(corner)
    assert red == ((0, 0, 255) if facts["FORMAT"].startswith("bgr") else (255, 0, 0))


# --- The bus ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [LCD13, "pimoroni_display_2"])
@pytest.mark.parametrize("firmware", [(1, 19), (1, 24), (1, 25), (1, 28)])
def test_a_pin_that_was_made_before_does_no_harm(name: str, firmware: tuple[int, int]) -> None:
    facts = facts_of(name)
    display = DISPLAYS[facts["DISPLAY"]]
    early = "from machine import Pin\nimport board\ndc = Pin(board.DC, Pin.OUT, value=1)\n"
    pico = board_of(facts, early + START + DRAW, firmware=firmware)
    assert pico.glass.image().tobytes() == seen(frame_for(display), display).tobytes()


@pytest.mark.parametrize("name", [LCD13, "pimoroni_display_2"])
def test_with_pins_before_spi_no_pixel_would_arrive(name: str) -> None:
    spoiled = spoil("self._spi = SPI(", "self._cs, self._dc, self._rst = ")
    dark = board_of(facts_of(name), START + "panel.fill(0xFFFF)", {"panel.py": spoiled}, firmware=(1, 24))
    assert (np.asarray(dark.glass.image(lit=False)) == 255).mean() < 0.05  # noise, as it was
    fine = board_of(facts_of(name), START + "panel.fill(0xFFFF)", {"panel.py": spoiled}, firmware=(1, 25))
    assert (np.asarray(fine.glass.image()) == 255).all()


def spoil(first: str, second: str) -> str:
    """The driver's text with two lines that follow each other the other way round."""
    lines = (device_folder() / "panel.py").read_text("utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.strip().startswith(first))
    assert lines[at + 1].strip().startswith(second)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return "\n".join(lines)


@pytest.mark.parametrize("missing", ["BL", "RST", "CS"])
def test_a_board_may_have_no_light_reset_or_select(missing: str) -> None:
    facts = {**facts_of(LCD13), missing: None}
    display = DISPLAYS[facts["DISPLAY"]]
    program = START + DRAW + "panel.light(30)\npanel.sleep()\npanel.wake()\n"
    pico = board_of(facts, program)
    assert pico.glass.image().tobytes() == seen(frame_for(display), display).tobytes()
    assert pico.glass.light == (1 if missing == "BL" else pytest.approx(0.3, abs=0.001))


def test_a_panel_without_a_table_is_refused() -> None:
    for wrong in ({"CONTROLLER": "SSD1306"}, {"FORMAT": "rgb332"}):
        with pytest.raises(ValueError, match="no table for"):
            board_of({**facts_of(LCD13), **wrong}, START)


@EVERY_BOARD
def test_every_table_ends_where_its_counts_say(name: str) -> None:
    walk = "from panel import TABLES\nat, table = 0, TABLES[board.CONTROLLER]\n"
    walk += "while at < len(table): at += 2 + table[at + 1]\nprint(at == len(table), table is not None)\n"
    assert board_of(facts_of(name), "import board\n" + walk).printed == ["True True"]
