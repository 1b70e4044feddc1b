"""The panel driver's own words: text, the bar, light, sleep, and what all that takes of the memory."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from device.panel_runs import DRAW, EXPLORER, LCD13, LCD114, START, board_of, facts_of, frame_for, rows, seen
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.modules import framebuf
from pico_a1111_proxy.simulator.runner import Pico


def written(size: tuple[int, int], lines: dict[int, str]) -> Image.Image:
    """A black panel with lines of text in the middle of the width, by the row at which their letters begin."""
    data = bytearray(size[0] * size[1] * 2)
    canvas = framebuf.FrameBuffer(data, *size, framebuf.RGB565)
    for top, line in lines.items():
        canvas.text(line, (size[0] - 8 * len(line)) // 2, top, 0xFFFF)
    lit = np.frombuffer(data, "<u2").reshape(size[1], size[0]) > 0
    return Image.fromarray(lit.astype(np.uint8) * 255).convert("RGB")


# --- Text -------------------------------------------------------------------------------------------------------


def test_lines_stand_in_the_middle() -> None:
    shown = board_of(
        facts_of(LCD13), START + "panel.fill(0xFFFF)\npanel.say('Waiting', '', 'third\\nof 5')"
    ).glass.image()
    assert shown.tobytes() == written((240, 240), {106: "Waiting", 126: "third of 5"}).tobytes()


def test_long_lines_are_broken_between_words_and_long_words_anywhere() -> None:
    said = "a lighthouse at sunset, oil on canvas abcdefghijklmnopqrstuvwxyz"
    shown = board_of(facts_of("waveshare_pico_lcd_0_96"), START + f"panel.say({said!r})").glass.image()
    lines = {16: "a lighthouse at", 26: "sunset, oil on", 36: "canvas", 46: "abcdefghijklmnopqrst", 56: "uvwxyz"}
    assert shown.tobytes() == written((160, 80), lines).tobytes()


def test_what_does_not_fit_is_left_out_and_what_has_no_letter_is_a_question_mark() -> None:
    program = START + "panel.say(*['%d caf\\xe9' % number for number in range(30)])"
    shown = board_of(facts_of("waveshare_pico_lcd_0_96"), program).glass.image()
    assert shown.tobytes() == written((160, 80), {1 + 10 * n: f"{n} caf?" for n in range(8)}).tobytes()


@pytest.mark.parametrize("name", [LCD13, LCD114, "waveshare_pico_lcd_1_44", "waveshare_restouch_3_5"])
def test_status_and_bar_lie_at_the_bottom_over_the_picture(name: str) -> None:
    facts = facts_of(name)
    width, height = facts["WIDTH"], facts["HEIGHT"]
    whole = board_of(facts, START + DRAW).glass.image()
    drawn = board_of(facts, START + DRAW + "panel.status('step 7 of 20' + 99 * ' .')\npanel.bar(0.25)\n").glass.image()

    assert rows(drawn, 0, height - 13) == rows(whole, 0, height - 13)
    line = ("step 7 of 20" + 99 * " .")[: width // 8]
    assert rows(drawn, height - 13, height - 3) == rows(written((width, 10), {1: line}), 0, 10)
    row = b"\xff" * 3 * (width // 4) + bytes(3 * (width - width // 4))
    assert rows(drawn, height - 3, height) == row * 3


def test_on_round_glass_they_lie_where_it_is_wide_enough_to_be_seen() -> None:
    drawn = board_of(facts_of("waveshare_rp2040_lcd_1_28"), START + "panel.status('step 17 of 20!')\npanel.bar(7)\n")
    line, across = written((240, 10), {1: "step 17 of 20!"}), (240 - 150) // 2
    shown = drawn.glass.image()  # without what a round case hides
    assert rows(shown, 197, 207) == rows(line, 0, 10)
    assert rows(shown, 207, 210) == (bytes(3 * across) + b"\xff" * 3 * 150 + bytes(3 * across)) * 3
    assert rows(shown, 0, 197).strip(b"\0") == rows(shown, 210, 240).strip(b"\0") == b""


def test_on_round_glass_lines_are_short() -> None:
    shown = board_of(facts_of("waveshare_rp2040_lcd_1_28"), START + "panel.say('20 letters, or twenty')").glass.image()
    assert shown.tobytes() == written((240, 240), {111: "20 letters, or", 121: "twenty"}).tobytes()


@pytest.mark.parametrize(("fraction", "lit"), [(-1, 0), (0, 0), (0.5, 120), (1, 240), (7, 240)])
def test_the_bar_stays_within_the_panel(fraction: float, lit: int) -> None:
    shown = board_of(facts_of(LCD13), START + f"panel.bar({fraction})").glass.image()
    assert rows(shown, 237, 240) == (b"\xff" * 3 * lit + bytes(3 * (240 - lit))) * 3
    assert rows(shown, 0, 237).strip(b"\0") == b""


# --- Light and sleep --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [LCD13, EXPLORER])
def test_asleep_it_is_dark_and_keeps_the_picture(name: str) -> None:
    facts = facts_of(name)
    display = DISPLAYS[facts["DISPLAY"]]
    frame = seen(frame_for(display), display).tobytes()
    asleep = board_of(facts, START + DRAW + "panel.light(40)\npanel.sleep()\n")
    assert asleep.glass.image().getbbox() is None
    assert asleep.glass.light == (0 if facts["BL"] else 1)
    assert asleep.glass.image(lit=False).tobytes() == frame
    awake = board_of(facts, START + DRAW + "panel.light(40)\npanel.sleep()\npanel.wake()\n")
    assert awake.glass.image().tobytes() == frame
    assert awake.glass.light == (pytest.approx(0.4, abs=0.001) if facts["BL"] else 1)


@pytest.mark.parametrize(("percent", "light"), [(-5, 0), (0, 0), (50, 0.5), (12.5, 0.125), (100, 1), (250, 1)])
def test_light_goes_from_none_to_all(percent: float, light: float) -> None:
    shown = board_of(facts_of(LCD13), START + f"panel.light({percent})")
    assert shown.glass.light == pytest.approx(light, abs=0.001)


@pytest.mark.parametrize("name", [LCD13, EXPLORER])
def test_the_controller_gets_its_time(name: str) -> None:
    facts = facts_of(name)
    told = "".join(f"{key} = {value!r}\n" for key, value in facts.items())
    pico = Pico(DISPLAYS[facts["DISPLAY"]], board=SimpleNamespace(**facts))
    naps: list[tuple[int, bool, bool]] = []
    controller = pico.glass.controller
    pico.wire.on_sleep = lambda now: naps.append((now, controller.asleep, controller.on))
    for _ in range(2):  # the second time the panel is awake at the start, since it never lost its power
        pico.run(START + "panel.sleep()\npanel.wake()\n", {"board.py": told})

    # After the reset, after SLPOUT with the display still off, after SLPIN, after SLPOUT.
    states = [(True, False), (False, False), (True, True), (False, True)]
    assert [(asleep, on) for _, asleep, on in naps[-4:]] == states
    times = [now for now, _, _ in naps]
    gaps = [later - earlier for earlier, later in zip([0, *times], times, strict=False)]
    assert min(gaps[-4:]) >= 120


# --- Memory -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "band"),
    [(LCD13, 8 * 480), ("waveshare_pico_lcd_0_96", 12 * 320), ("waveshare_restouch_3_5", 4 * 960)],
)
def test_there_is_one_band_and_nothing_else_is_large(name: str, band: int) -> None:
    look = """
def sizes():
    return sorted(len(held) for held in vars(panel).values() if isinstance(held, (bytes, bytearray, list)))
first, before = panel.band, sizes()
panel.say('a', 'b')
panel.status('c')
panel.bar(0.3)
panel.fill(7)
print(sizes() == before, panel.band is first, before[-2:])
"""
    assert board_of(facts_of(name), START + look).printed == [f"True True [4, {band}]"]
