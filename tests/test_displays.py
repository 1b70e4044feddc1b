"""Displays: what a profile says of itself, and the default one."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict, replace

import pytest

from pico_a1111_proxy.displays import Display, Panel, default_display, describe_display, is_colour, near_names


@pytest.mark.parametrize("invert", [True, False])
def test_the_default_display_is_that_of_the_definition(invert: bool) -> None:
    display = default_display(128, 64, invert)

    assert replace(display, label="") == Display(
        "default", 128, 64, format="rgb565-be", fit="stretch", rotate=0, invert=invert, dither="none", as_stored=True
    )
    assert display.label


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


def test_what_a_client_reads_of_a_display() -> None:
    """All but what only the definition of the default display needs."""
    panel = Panel("ST7789", madctl=0x70)
    one = Display("one", 9, 4, "mono-hlsb", "contain", 90, True, "ordered", "#123456", True, 60, label="L", panel=panel)
    for display, size in ((one, 8), (Display("other", 9, 4, "rgb666", round=True), 108)):
        expected = {name: fact for name, fact in asdict(display).items() if name != "as_stored"}
        assert describe_display(display) == {**expected, "bytes": size}


def test_near_names_are_few_and_the_nearest_first() -> None:
    known = ["default", "waveshare-pico-lcd-1.3", "waveshare-pico-lcd-2", "adafruit-1.3"]
    assert near_names("WAVESHARE-PICO-LCD-13", known)[0] == "waveshare-pico-lcd-1.3"
    assert near_names("1.3", known) == ["waveshare-pico-lcd-1.3", "adafruit-1.3"]
    assert near_names("", known) == near_names("qqq", known) == []
    assert len(near_names("waveshare", [f"waveshare-{i}" for i in range(9)])) == 4
