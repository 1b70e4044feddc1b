"""The panels known by name, against facts written down by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pico_a1111_proxy.displays import DITHERS, FITS, MAX_SIDE, ROTATIONS, SURE, Display, Panel
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.pixels import FORMATS

EVERY_PANEL = pytest.mark.parametrize("display", DISPLAYS.values(), ids=lambda display: display.name)

# Name, width, height and bytes of a frame, as the makers' documents have them.
SIZES = """
    waveshare-pico-lcd-0.96 160 80 25600, waveshare-pico-lcd-1.14 240 135 64800, waveshare-pico-lcd-1.3 240 240 115200,
    waveshare-pico-lcd-1.44 128 128 32768, waveshare-pico-lcd-1.8 160 128 40960, waveshare-pico-lcd-2 320 240 153600,
    waveshare-restouch-2.8 320 240 153600, waveshare-restouch-3.5 480 320 307200,
    waveshare-rp2040-lcd-1.28 240 240 115200, waveshare-rp2040-touch-lcd-1.28 240 240 115200,
    waveshare-esp32-s3-lcd-1.28 240 240 115200, waveshare-esp32-s3-touch-lcd-1.28 240 240 115200,
    pimoroni-display 240 135 64800, pimoroni-display-2 320 240 153600, pimoroni-display-2.8 320 240 153600,
    pimoroni-pico-w-explorer 320 240 153600, pimoroni-explorer 320 240 153600, pimoroni-lcd-240 240 240 115200,
    pimoroni-pico-explorer 240 240 115200, pimoroni-round-lcd-240 240 240 115200, pimoroni-tufty-2040 320 240 153600,
    pimoroni-presto 240 240 115200, pimoroni-presto-480 480 480 460800,
    adafruit-1.14 240 135 64800, adafruit-1.3 240 240 115200, adafruit-1.47 320 172 110080,
    adafruit-1.54 240 240 115200, adafruit-1.69 280 240 134400, adafruit-1.9 320 170 108800,
    lilygo-t-display 135 240 64800, lilygo-t-display-s3 170 320 108800,
    m5stack-core 320 240 153600, m5stack-core2 320 240 153600, m5stack-cores3 320 240 153600,
    m5stickc 80 160 25600, m5stickc-plus 135 240 64800, m5stack-cardputer 135 240 64800, m5stack-atoms3 128 128 32768,
    cyd-2432s028 320 240 153600, ili9488-spi 480 320 460800
"""

# Controller, INVON, MADCTL, x and y.
DRIVERS: dict[str, tuple[str, bool | None, int | None, int | None, int | None]] = {
    "waveshare-pico-lcd-0.96": ("ST7735S", True, 0xA8, 1, 26),
    "waveshare-pico-lcd-1.14": ("ST7789VW", True, 0x70, 40, 53),
    "waveshare-pico-lcd-1.3": ("ST7789VW", True, 0x70, 0, 0),
    "waveshare-pico-lcd-1.44": ("ST7735S", False, 0x70, 1, 2),
    "waveshare-pico-lcd-1.8": ("ST7735S", False, 0x70, 1, 2),
    "waveshare-restouch-2.8": ("ST7789", None, 0x60, 0, 0),
    "waveshare-restouch-3.5": ("ILI9488", True, 0xE8, 0, 0),
    "waveshare-rp2040-lcd-1.28": ("GC9A01A", True, 0x98, 0, 0),
    "pimoroni-lcd-240": ("ST7789", True, None, None, None),
    "adafruit-1.54": ("ST7789", True, 0xC0, 0, 80),
    "adafruit-1.47": ("ST7789", True, None, 0, 34),
    "adafruit-1.69": ("ST7789", True, None, 20, 0),
    "lilygo-t-display": ("ST7789V", True, None, 52, 40),
    "m5stack-core": ("ILI9342C", None, 0x08, 0, 0),
    "m5stickc": ("ST7735S", True, None, 26, 1),
    "m5stack-atoms3": ("GC9107", False, None, 0, 32),
    "cyd-2432s028": ("ILI9341 or ST7789", None, None, 0, 0),
}


def panel_of(display: Display) -> Panel:
    assert display.panel
    return display.panel


def test_size_and_bytes_of_each_are_the_makers() -> None:
    written = [row.split() for row in SIZES.split(",")]
    there = []
    for name, display in DISPLAYS.items():
        channels = len(FORMATS[display.format].depths)
        frame = FORMATS[display.format].pack(np.zeros((display.height, display.width, channels), np.uint8))
        there.append([name, str(display.width), str(display.height), str(len(frame))])
    assert there == written


@pytest.mark.parametrize("name", DRIVERS)
def test_what_the_driver_has_to_know(name: str) -> None:
    panel = panel_of(DISPLAYS[name])
    assert (panel.controller, panel.invon, panel.madctl, panel.x_offset, panel.y_offset) == DRIVERS[name]


def test_what_is_no_plain_rgb565_and_what_is_round() -> None:
    formats = {name: display.format for name, display in DISPLAYS.items() if display.format != "rgb565-be"}
    assert formats == {"waveshare-pico-lcd-1.44": "bgr565-be", "ili9488-spi": "rgb666"}
    assert {name for name, display in DISPLAYS.items() if display.round} == {
        *("waveshare-rp2040-lcd-1.28", "waveshare-rp2040-touch-lcd-1.28"),
        *("waveshare-esp32-s3-lcd-1.28", "waveshare-esp32-s3-touch-lcd-1.28"),
        "pimoroni-round-lcd-240",
    }
    other = {panel_of(display).bus for display in DISPLAYS.values()}
    assert other == {"SPI", "SPI to 16-bit parallel", "8-bit parallel", "RGB"}


def test_nobody_is_sure_of_what_differs_by_batch() -> None:
    assert {name for name, display in DISPLAYS.items() if panel_of(display).sure == "low"} == {
        *("waveshare-restouch-2.8", "cyd-2432s028")
    }


@EVERY_PANEL
def test_a_panel_is_complete_and_within_the_limits(display: Display) -> None:
    assert DISPLAYS[display.name] is display
    assert re.fullmatch(r"[a-z0-9-][a-z0-9.-]{0,63}", display.name)  # safe in an address
    assert display.label
    assert "|" not in display.label
    assert 1 <= display.width <= MAX_SIDE
    assert 1 <= display.height <= MAX_SIDE
    assert display.format in FORMATS
    assert display.fit in FITS
    assert display.rotate in ROTATIONS
    assert display.dither in DITHERS
    assert len(display.background_rgb) == 3


@EVERY_PANEL
def test_a_panel_says_where_its_facts_are_from_and_what_they_depend_on(display: Display) -> None:
    panel = panel_of(display)
    assert panel.controller
    assert panel.sure in SURE
    # A repository and a path or an issue in it, or a page.
    assert re.fullmatch(r"[\w.-]+/[\w.-]+(:[\w./-]+\.\w+|#\d+)|[\w.-]+\.com/wiki/[\w.-]+", panel.source)
    assert panel.madctl is None or 0 <= panel.madctl <= 0xFF
    assert (panel.x_offset is None) == (panel.y_offset is None)
    if panel.invon is None:
        assert "INVON" in panel.note
    if panel.x_offset is None:
        assert "begins" in panel.note


@EVERY_PANEL
def test_named_panels_cover_dither_and_are_not_inverted(display: Display) -> None:
    assert (display.fit, display.dither) == ("cover", "floyd-steinberg")
    assert not display.invert  # their drivers send INVON
    assert not display.as_stored  # alpha and orientation count
    assert (display.rotate, display.sharpen, display.linear_light) == (0, 0, False)


def test_labels_tell_them_apart() -> None:
    assert len({display.label for display in DISPLAYS.values()}) == len(DISPLAYS)


def test_no_panel_takes_the_name_of_the_default_and_waveshares_come_first() -> None:
    assert "default" not in DISPLAYS
    makers = [name.split("-")[0] for name in DISPLAYS]
    assert makers[:12] == ["waveshare"] * 12
    assert "waveshare" not in makers[12:]
