"""Test cards: what is on them, at every size, in every format and however the panel is turned."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pico_a1111_proxy.displays import ROTATIONS, Display
from pico_a1111_proxy.frames import convert, preview
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.pixels import FORMATS
from pico_a1111_proxy.testcards import draw_testcard
from pico_a1111_proxy.testcards.card import PRIMARIES
from pico_a1111_proxy.testcards.letters import letters, wrap

Picture = np.ndarray[Any, Any]

SQUARE = Display("waveshare-pico-lcd-1.3", 240, 240)
SIZES = [(240, 240), (320, 240), (480, 320), (160, 80), (128, 128), (80, 160), (135, 240), (170, 320), (320, 172)]
WHITE = (255, 255, 255)
TOP = "^\xa0TOP\xa0^"

sides = st.one_of(st.integers(1, 40), st.integers(1, 400), st.sampled_from([1023, 1024]))
displays = st.builds(
    Display,
    st.sampled_from(["x", "a-name-that-is-too-long-for-most", "Größe", "表示"]),
    width=sides,
    height=sides,
    format=st.sampled_from(sorted(FORMATS)),
    rotate=st.sampled_from(ROTATIONS),
    round=st.booleans(),
)


def card(display: Display) -> Picture:
    return pixels(draw_testcard(display))


def pixels(png: bytes, mode: str = "RGB") -> Picture:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert(mode))


def shown(display: Display) -> Picture:
    return pixels(preview(convert(draw_testcard(display), display), display))


def in_order(line: Picture) -> list[tuple[int, ...]]:
    """The colours along a line of pixels, each as often as it begins."""
    colours = [tuple(int(value) for value in pixel) for pixel in line]
    return [colour for at, colour in enumerate(colours) if at == 0 or colour != colours[at - 1]]


@settings(deadline=None, max_examples=40)
@given(displays)
def test_there_is_a_card_of_every_size(display: Display) -> None:
    drawn = card(display)
    assert drawn.shape == (*display.upright_size[::-1], 3)
    form = FORMATS[display.format]
    assert len(convert(draw_testcard(display), display).data) == form.size(display.width, display.height)


@settings(deadline=None, max_examples=30)
@given(displays)
def test_a_line_of_one_pixel_runs_along_the_very_edge(display: Display) -> None:
    drawn = card(replace(display, round=False))
    for side in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]):
        assert (side == 255).all()
    if min(drawn.shape[:2]) > 3:
        for side in (drawn[1, 1:-1], drawn[-2, 1:-1], drawn[1:-1, 1], drawn[1:-1, -2]):
            assert not side.any()


@pytest.mark.parametrize("form", FORMATS)
def test_the_line_is_still_there_on_the_panel(form: str) -> None:
    seen = shown(replace(SQUARE, format=form)).astype(int)
    for side, beside in (
        (seen[0], seen[1]),
        (seen[-1], seen[-2]),
        (seen[:, 0], seen[:, 1]),
        (seen[:, -1], seen[:, -2]),
    ):
        assert side.mean() > 252
        assert beside[2:-2].mean() < 3


@pytest.mark.parametrize("size", [(240, 240), (128, 128), (480, 480), (24, 24), (240, 200)])
def test_all_of_a_round_card_lies_in_the_circle(size: tuple[int, int]) -> None:
    display = Display("waveshare-rp2040-lcd-1.28", *size, "rgb888", round=True)
    drawn, glass = card(display), pixels(preview(convert(draw_testcard(display), display), display), "RGBA")[..., 3] > 0
    assert not drawn[~glass].any()
    assert drawn[glass].any()
    rows, columns = np.nonzero(drawn.any(axis=2))
    assert (rows.min(), columns.min(), rows.max(), columns.max()) == (0, 0, size[1] - 1, size[0] - 1)
    middle = drawn[size[1] // 2]
    assert in_order(middle)[:2] == [WHITE, (0, 0, 0)]


def test_each_corner_has_a_mark_of_its_own() -> None:
    drawn = card(SQUARE)
    quarters = [drawn[3:15, 3:15], drawn[3:15, -15:-3], drawn[-15:-3, 3:15], drawn[-15:-3, -15:-3]]
    looks = [max(in_order(quarter.reshape(-1, 3))) for quarter in quarters]
    assert looks == [PRIMARIES[name] for name in ("RED", "GREEN", "BLUE", "YELLOW")]
    grey = card(replace(SQUARE, format="mono-hlsb"))  # where shapes alone tell
    shapes = {grey[y, x, 0].tobytes() for y in (slice(3, 15), slice(-15, -3)) for x in (slice(3, 15), slice(-15, -3))}
    assert len(shapes) == 4


def test_the_primaries_are_where_the_eye_looks_for_them() -> None:
    names = list(PRIMARIES)
    for drawn in (card(SQUARE), shown(SQUARE), shown(replace(SQUARE, format="rgb332", dither="none"))):
        for x, column in ((20, names[::2]), (-20, names[1:7:2])):
            found = [colour for colour in in_order(drawn[60:150, x]) if colour != (0, 0, 0)]
            assert found[: len(column)] == [PRIMARIES[name] for name in column]


@pytest.mark.parametrize("size", SIZES)
def test_each_primary_has_room_on_every_panel(size: tuple[int, int]) -> None:
    drawn = card(Display("lilygo-t-display-s3", *size))
    for colour in PRIMARIES.values():
        assert (drawn == colour).all(axis=2).mean() > 0.02


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colour", ["WHITE", "RED", "GREEN", "BLUE"])
def test_a_ramp_goes_from_end_to_end(size: tuple[int, int], colour: str) -> None:
    lit = [value > 0 for value in PRIMARIES[colour]]
    ramps = []
    for row in card(Display("x", *size)).astype(int):
        inner = row[3:-3]
        steps = np.diff(inner[:, lit], axis=0)
        ends = not inner[0].any() and (inner[-1] == PRIMARIES[colour]).all()
        pure = not inner[:, np.logical_not(lit)].any()
        if ends and pure and steps.min() >= 0 and steps.max() <= -(-255 // (len(inner) - 1)):
            ramps.append(inner)
    assert len(ramps) >= 3


def test_a_grey_panel_has_one_ramp_of_all_its_levels() -> None:
    seen = shown(replace(SQUARE, format="gs4-hmsb", dither="none")).astype(int)[185, 3:-3, 0]
    assert sorted(set(seen)) == list(range(0, 256, 17))
    assert (np.diff(seen) >= 0).all()


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("size", [(240, 240), (320, 172), (80, 160)])
def test_it_is_upright_and_never_resized(size: tuple[int, int], rotate: int) -> None:
    display = Display("x", *size, "rgb888", rotate=rotate)
    drawn = card(display)
    assert np.array_equal(shown(display), drawn)
    assert (drawn[3:9, 3:9] == PRIMARIES["RED"]).all()  # the mark of the upper left
    assert find(drawn[:24], TOP, 2) or find(drawn[:24], TOP, 1)


def find(drawn: Picture, text: str, scale: int) -> bool:
    """Whether the letters stand somewhere in white."""
    mask = np.asarray(letters(text)).repeat(scale, 0).repeat(scale, 1) > 0
    if mask.shape[0] > drawn.shape[0] or mask.shape[1] > drawn.shape[1]:
        return False
    white = (drawn == 255).all(axis=2)
    windows = np.lib.stride_tricks.sliding_window_view(white, mask.shape)
    return bool((windows == mask).all(axis=(2, 3)).any())


@pytest.mark.parametrize(
    ("display", "texts", "scale"),
    [
        (SQUARE, [TOP, "pico-lcd-1.3", "240x240 rgb565-be"], 2),
        (replace(SQUARE, rotate=90), ["rotate\xa090"], 2),
        (Display("oled", 128, 64, "mono-hlsb"), [TOP, "128x64 mono-hlsb"], 1),
        (replace(SQUARE, round=True), [TOP, "waveshare-pico-lcd-1.3"], 1),
    ],
    ids=str,
)
def test_it_says_what_it_is(display: Display, texts: list[str], scale: int) -> None:
    drawn = card(display)
    assert [text for text in texts if not find(drawn, text, scale)] == []


def test_the_names_can_be_read_on_one_bit() -> None:
    seen = shown(replace(SQUARE, format="mono-hlsb"))
    assert [name for name in ("RED", "MAGENTA", "BLUE", "BLACK") if not find(seen, name, 2)] == []
    dark = 255 - seen
    assert [name for name in ("CYAN", "GREEN", "YELLOW", "WHITE") if not find(dark, name, 2)] == []


def test_lines_break_evenly() -> None:
    assert wrap("pico", 4) == ["pico"]
    assert wrap("waveshare-pico-lcd-1.3", 15) == ["waveshare-", "pico-lcd-1.3"]
    assert wrap("80x160 rgb565-be", 12) == ["80x160", "rgb565-be"]
    assert wrap("nobreak", 4) == wrap("", -1) == wrap("a bbbbbb", 3) == []


@pytest.mark.parametrize("display", DISPLAYS.values(), ids=lambda display: display.name)
def test_every_panel_has_a_card_with_text(display: Display) -> None:
    assert any(find(card(display)[:50], TOP, scale) for scale in range(1, 5))
