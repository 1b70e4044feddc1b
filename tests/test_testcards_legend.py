"""The legend of a test card: its advice makes a faulty panel show what a right one does."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pico_a1111_proxy.displays import ROTATIONS, Display, Panel, default_display
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.pixels import FORMATS
from pico_a1111_proxy.testcards import Row, draw_testcard, legend
from pico_a1111_proxy.testcards.card import PRIMARIES

Picture = np.ndarray[Any, Any]

SQUARE = Display("waveshare-pico-lcd-1.3", 240, 240)
WORDS = [name for name, form in FORMATS.items() if form.bits == 16]

# What a panel does with the bytes and with the colours, when it is not as its profile says.
FAULTS: dict[str, tuple[Callable[[bytes], bytes], Callable[[Picture], Picture]]] = {
    "none": (lambda data: data, lambda seen: seen),
    "negative": (lambda data: bytes(255 - byte for byte in data), lambda seen: seen),
    "swapped": (lambda data: data, lambda seen: seen[..., ::-1]),
    "both": (lambda data: bytes(255 - byte for byte in data), lambda seen: seen[..., ::-1]),
    "byte order": (lambda data: np.frombuffer(data, "<u2").byteswap().tobytes(), lambda seen: seen),
}


def on_a_panel(display: Display, sent: Display, fault: str, picture: bytes) -> Picture:
    """What the panel of `display`, which has a fault, shows of what is sent to it."""
    spoil, stain = FAULTS[fault]
    data = spoil(convert(picture, sent).data)
    form = FORMATS[display.format]
    return stain(form.show(form.negative(data) if display.invert else data, display.width, display.height))


def colours_on(display: Display, fault: str) -> tuple[tuple[int, ...], ...]:
    """What red, green and blue look like on that panel."""
    picture = io.BytesIO()
    image = Image.new("RGB", (3, 1))
    for at, name in enumerate(("RED", "GREEN", "BLUE")):
        image.putpixel((at, 0), PRIMARIES[name])
    image.save(picture, "PNG")
    small = replace(display, width=3, height=1, dither="none")
    seen = on_a_panel(small, small, fault, picture.getvalue())
    return tuple(tuple(int(value) for value in pixel) for pixel in seen[0])


def advised(display: Display, row: Row) -> Display:
    read: dict[str, Callable[[str], Any]] = {"invert": lambda text: text == "true", "rotate": int}
    return replace(display, **{name: read.get(name, str)(value) for name, value in row.change.items()})


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("form", WORDS)
@pytest.mark.parametrize("invert", [True, False])
@pytest.mark.parametrize("dither", ["none", "ordered"])
def test_the_advice_makes_a_faulty_panel_right(fault: str, form: str, invert: bool, dither: str) -> None:
    display = Display("x", 60, 40, form, invert=invert, dither=dither)  # type: ignore[arg-type]
    (row,) = [row for row in legend(display) if row.seen == colours_on(display, fault)]
    assert bool(row.change) == (fault != "none")
    picture = draw_testcard(display)
    right = on_a_panel(display, display, "none", picture)
    assert np.array_equal(on_a_panel(display, advised(display, row), fault, picture), right)
    assert fault == "none" or not np.array_equal(on_a_panel(display, display, fault, picture), right)


@pytest.mark.parametrize("form", sorted(FORMATS.keys() - WORDS))
def test_other_formats_can_be_a_negative_and_no_advice_is_out_of_reach(form: str) -> None:
    display = Display("x", 8, 8, form)
    (row,) = [row for row in legend(display) if "negative" in row.wrong]
    assert row.change == {"invert": "true"}
    assert not [row for row in legend(display) if "format" in row.change]


@pytest.mark.parametrize(("looks", "turned"), [("at the right", 90), ("at the bottom", 180), ("at the left", 270)])
@pytest.mark.parametrize("rotate", ROTATIONS)
def test_a_panel_that_is_turned_is_turned_back(looks: str, turned: int, rotate: int) -> None:
    display = replace(SQUARE, format="rgb888", rotate=rotate)
    (row,) = [row for row in legend(display) if looks in row.looks]

    def see(sent: Display) -> Picture:
        wire = Image.fromarray(FORMATS["rgb888"].show(convert(draw_testcard(sent), sent).data, 240, 240))
        return np.asarray(wire.rotate(rotate - turned))  # Pillow counts counter-clockwise

    red = (see(display) == PRIMARIES["RED"]).all(axis=2)[3:15, 3:15].mean()
    assert red < 1  # the mark of the upper left is elsewhere
    with Image.open(io.BytesIO(draw_testcard(advised(display, row)))) as card:
        assert np.array_equal(see(advised(display, row)), np.asarray(card))


def test_the_ramps_row_turns_dithering_on_and_off() -> None:
    assert [row.query for row in legend(SQUARE) if "ramps are" in row.looks] == ["?dither=none"]
    plan = default_display(240, 240, invert=True)
    assert [row.query for row in legend(plan) if "steps" in row.looks] == ["?dither=floyd-steinberg"]
    assert not [row for row in legend(replace(SQUARE, format="rgb888")) if "dither" in row.change]


def test_what_is_known_of_the_panel_is_in_the_advice() -> None:
    known = replace(SQUARE, panel=Panel("ST7789", madctl=0x70, x_offset=40, y_offset=53))
    told = " ".join(row.todo for row in legend(known))
    assert "0x78" in told
    assert "0x30 or 0xF0" in told
    assert "40 and 53" in told
    assert "which makes it" not in " ".join(row.todo for row in legend(SQUARE))


@pytest.mark.parametrize("display", DISPLAYS.values(), ids=lambda display: display.name)
def test_every_panel_has_a_legend(display: Display) -> None:
    assert legend(display)[0].todo == "all is well"
    looks = [row.looks for row in legend(display)]
    assert len(set(looks)) == len(looks)
