"""The panels known by name, and what a profile says of itself."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from pico_a1111_proxy.displays import DISPLAYS, DITHERS, FITS, MAX_SIDE, ROTATIONS, Display, default_display, is_colour
from pico_a1111_proxy.pixels import FORMATS

EVERY_PANEL = pytest.mark.parametrize("display", DISPLAYS.values(), ids=str)


@EVERY_PANEL
def test_a_panel_is_complete_and_within_the_limits(display: Display) -> None:
    assert DISPLAYS[display.name] is display
    assert 1 <= display.width <= MAX_SIDE
    assert 1 <= display.height <= MAX_SIDE
    assert display.format in FORMATS
    assert display.fit in FITS
    assert display.rotate in ROTATIONS
    assert display.dither in DITHERS
    assert len(display.background_rgb) == 3


@EVERY_PANEL
def test_named_panels_cover_and_are_not_inverted(display: Display) -> None:
    assert display.fit == "cover"
    assert not display.invert  # their drivers send INVON
    assert not display.as_stored  # alpha and orientation count


def test_no_panel_takes_the_name_of_the_default() -> None:
    assert "default" not in DISPLAYS


@pytest.mark.parametrize(
    ("name", "width", "height"),
    [
        ("waveshare-pico-lcd-0.96", 160, 80),
        ("waveshare-pico-lcd-1.14", 240, 135),
        ("waveshare-pico-lcd-1.3", 240, 240),
        ("waveshare-pico-lcd-2", 320, 240),
    ],
)
def test_the_sizes_that_the_maker_gives(name: str, width: int, height: int) -> None:
    assert (DISPLAYS[name].width, DISPLAYS[name].height) == (width, height)


@pytest.mark.parametrize("invert", [True, False])
def test_the_default_display_is_that_of_the_definition(invert: bool) -> None:
    display = default_display(128, 64, invert)

    assert display == Display(
        "default", 128, 64, format="rgb565-be", fit="stretch", rotate=0, invert=invert, dither="none", as_stored=True
    )


@pytest.mark.parametrize(("rotate", "size"), [(0, (320, 240)), (90, (240, 320)), (180, (320, 240)), (270, (240, 320))])
def test_a_turned_panel_is_as_wide_as_it_was_high(rotate: int, size: tuple[int, int]) -> None:
    display = Display("d", 320, 240, rotate=rotate)

    assert display.upright_size == size
    assert (display.width, display.height) == (320, 240)  # as its rows go over the wire


@pytest.mark.parametrize(
    ("text", "rgb"), [("#000000", (0, 0, 0)), ("#ff8001", (255, 128, 1)), ("#FFFFFF", (255, 255, 255))]
)
def test_the_background_as_numbers(text: str, rgb: tuple[int, int, int]) -> None:
    assert Display("d", 1, 1, background=text).background_rgb == rgb


@pytest.mark.parametrize(
    ("text", "good"),
    [("#00ffAA", True), ("00ffaa", False), ("#00ffa", False), ("#00ffaaa", False), ("#00ffag", False), ("", False)],
)
def test_a_colour_is_written_one_way(text: str, good: bool) -> None:
    assert is_colour(text) == good
    assert not is_colour(text + "\n")


def test_a_display_is_changed_by_replacing_it_only() -> None:
    display = default_display(240, 240, invert=True)
    with pytest.raises(FrozenInstanceError):
        display.width = 1  # type: ignore[misc]
    assert replace(display, width=1).width == 1
