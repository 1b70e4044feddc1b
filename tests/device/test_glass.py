"""A driver that does what the profile says shows the preview bit for bit, and any other shows its mistake."""

from __future__ import annotations

import io
import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pico_a1111_proxy.displays import Display, Panel, default_display
from pico_a1111_proxy.frames import Frame, preview, read_frame
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.glass import Glass

SIMULATED = [display for display in DISPLAYS.values() if display.panel and display.panel.controller != "ST7701"]
ON_SPI = [display for display in SIMULATED if display.panel and display.panel.bus.startswith("SPI")]
COLMODS = {"rgb565-be": 0x55, "bgr565-be": 0x55, "rgb666": 0x66, "rgb444": 0x53}

PICO = DISPLAYS["waveshare-pico-lcd-1.3"]  # MADCTL 0x70, INVON, the first 240 of 320 rows under glass
SMALL = DISPLAYS["waveshare-pico-lcd-1.14"]  # in the middle of the memory


def a_frame(display: Display, seed: int = 1) -> Frame:
    return read_frame(random.Random(seed).randbytes(display.frame_bytes), display)


def previewed(frame: Frame, display: Display) -> np.ndarray:
    """The preview on black: shape (height, width, 3)."""
    image = Image.open(io.BytesIO(preview(frame, display))).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "black"), image).convert("RGB"))


def seen(glass: Glass, lit: bool = True) -> np.ndarray:
    image = glass.image(lit)
    assert image.mode == "RGB"
    assert image.size == (glass.display.width, glass.display.height)
    return np.asarray(image)


def command(glass: Glass, code: int, *parameters: int) -> None:
    glass.controller.receive(bytes([code]), command=True)
    glass.controller.receive(bytes(parameters), command=False)


def set_up(glass: Glass, madctl: int | None = None, invon: bool | None = None) -> None:
    """What a driver sends at the start, of the facts where nothing else is told."""
    panel = glass.display.panel
    assert panel
    command(glass, 0x01)
    command(glass, 0x36, madctl if madctl is not None else glass.madctl if panel.madctl is None else panel.madctl)
    command(glass, 0x3A, COLMODS[glass.display.format])
    wanted = invon if invon is not None else glass.invon if panel.invon is None else panel.invon
    command(glass, 0x21 if wanted else 0x20)
    command(glass, 0x11)
    command(glass, 0x29)


def window(glass: Glass, offsets: tuple[int, int] | None = None) -> None:
    """Open the whole of the glass."""
    panel, display = glass.display.panel, glass.display
    assert panel
    x, y = offsets or panel.offsets or glass.offsets
    ends = ((0x2A, x, x + display.width - 1), (0x2B, y, y + display.height - 1))
    for code, start, end in ends:
        command(glass, code, *start.to_bytes(2, "big"), *end.to_bytes(2, "big"))
    command(glass, 0x2C)


def shown(display: Display, madctl: int | None = None, invon: bool | None = None, **further: object) -> Glass:
    """The glass, and on it `a_frame`, as a driver with these settings puts it there."""
    glass = Glass(display)
    set_up(glass, madctl, invon)
    window(glass, **further)  # type: ignore[arg-type]
    glass.controller.receive(a_frame(display).data, command=False)
    return glass


def named(display: Display) -> str:
    return display.name


def test_there_are_panels_to_try() -> None:
    assert len(ON_SPI) >= 25
    assert {display.format for display in ON_SPI} == {"rgb565-be", "bgr565-be", "rgb666"}


@pytest.mark.parametrize("display", SIMULATED, ids=named)
def test_a_driver_that_follows_the_facts_shows_the_preview(display: Display) -> None:
    np.testing.assert_array_equal(seen(shown(display)), previewed(a_frame(display), display))


@pytest.mark.parametrize("display", ON_SPI, ids=named)
def test_what_inversion_is_wrong_shows_the_negative(display: Display) -> None:
    glass = shown(display, invon=not Glass(display).invon)
    # The corners that round glass has not got are no negative of anything.
    np.testing.assert_array_equal(seen(glass), np.where(disc(display), 255 - previewed(a_frame(display), display), 0))


@pytest.mark.parametrize("display", ON_SPI, ids=named)
def test_the_wrong_bgr_bit_swaps_red_and_blue(display: Display) -> None:
    glass = shown(display, madctl=Glass(display).madctl ^ 0x08)
    np.testing.assert_array_equal(seen(glass), previewed(a_frame(display), display)[..., ::-1])


def disc(display: Display) -> np.ndarray:
    """Where the display has pixels: shape (height, width, 1)."""
    if not display.round:
        return np.ones((display.height, display.width, 1), bool)
    white = Frame(b"\xff" * display.frame_bytes, display.width, display.height, display.format)
    return previewed(white, display)[..., :1] > 0


@pytest.mark.parametrize(
    ("change", "turn"),
    [
        (0x80 | 0x40, lambda image: image[::-1, ::-1]),
        # Under MV, CASET counts the memory's rows: MY mirrors left and right.
        (0x80, lambda image: image[:, ::-1]),
        (0x40, lambda image: image[::-1]),
        (0x10, lambda image: image),
        (0x04, lambda image: image),
    ],
)
def test_another_madctl_turns_or_mirrors_the_picture(change: int, turn: object) -> None:
    square = replace(PICO, panel=replace(PICO.panel or Panel(""), controller="GC9A01A"))
    glass = shown(square, madctl=0x70 ^ change)
    np.testing.assert_array_equal(seen(glass), turn(previewed(a_frame(PICO), PICO)))  # type: ignore[operator]


def test_without_mv_the_picture_lies_on_its_side() -> None:
    square = replace(PICO, panel=replace(PICO.panel or Panel(""), controller="GC9A01A"))
    picture = previewed(a_frame(PICO), PICO)
    # The host's first row is now the memory's, which this glass has as its first column, from the bottom up.
    wanted = picture.transpose(1, 0, 2)
    np.testing.assert_array_equal(seen(shown(square, madctl=0x40)), wanted)


@pytest.mark.parametrize("step", [(-1, 0), (1, 0), (0, -1), (0, 1), (-40, -53)])
def test_a_wrong_offset_shifts_the_picture_and_leaves_noise_at_the_edge(step: tuple[int, int]) -> None:
    right, down = step
    power_up = seen(Glass(SMALL), lit=False)
    glass = shown(SMALL, offsets=(40 + right, 53 + down))
    picture = previewed(a_frame(SMALL), SMALL)
    left_over = np.ones((135, 240), bool)
    wanted = 255 - power_up  # noise is a negative too, as long as INVON was not sent
    for y in range(135):
        for x in range(240):
            if 0 <= y - down < 135 and 0 <= x - right < 240:
                wanted[y, x] = picture[y - down, x - right]
                left_over[y, x] = False
    np.testing.assert_array_equal(seen(glass), wanted)
    assert len(np.unique(wanted[left_over])) > 30


def test_the_picture_is_black_when_asleep_off_or_dark() -> None:
    glass = shown(PICO)
    picture = previewed(a_frame(PICO), PICO)
    black = np.zeros_like(picture)
    for hide, show in [(0x10, 0x11), (0x28, 0x29)]:
        command(glass, hide)
        np.testing.assert_array_equal(seen(glass), black)
        np.testing.assert_array_equal(seen(glass, lit=False), picture)
        command(glass, show)
        np.testing.assert_array_equal(seen(glass), picture)
    glass.light = 0.0
    np.testing.assert_array_equal(seen(glass), black)
    np.testing.assert_array_equal(seen(glass, lit=False), picture)
    glass.light = 0.01
    np.testing.assert_array_equal(seen(glass), picture)


def test_after_power_up_there_is_noise_in_the_dark() -> None:
    glass = Glass(PICO)
    assert not seen(glass).any()
    assert len(np.unique(seen(glass, lit=False))) > 30


def test_round_glass_has_no_corners() -> None:
    glass = shown(DISPLAYS["waveshare-rp2040-lcd-1.28"])
    assert not seen(glass)[:30, :30].any()
    assert not seen(Glass(glass.display), lit=False)[-30:, -30:].any()


def test_12_bits_a_pixel_over_spi() -> None:
    display = replace(PICO, format="rgb444")
    np.testing.assert_array_equal(seen(shown(display)), previewed(a_frame(display), display))


def test_a_bare_ili9488_takes_18_bits_only_and_one_behind_shift_registers_16() -> None:
    for name, colmod in (("ili9488-spi", 6), ("waveshare-restouch-3.5", 5)):
        glass = Glass(DISPLAYS[name])
        command(glass, 0x3A, 0x55)
        assert glass.controller.colmod == colmod


def test_what_the_facts_leave_open() -> None:
    plain = {name: Glass(DISPLAYS[name]) for name in DISPLAYS if DISPLAYS[name] in SIMULATED}
    settled = {name: (glass.madctl, glass.offsets, glass.invon) for name, glass in plain.items()}
    assert settled["pimoroni-display"] == (0x60, (40, 53), True)
    assert settled["pimoroni-lcd-240"] == (0x00, (0, 0), True)
    assert settled["pimoroni-round-lcd-240"] == (0x00, (0, 40), True)
    assert settled["lilygo-t-display"] == (0x00, (52, 40), True)
    assert settled["m5stickc"] == (0x08, (26, 1), True)
    assert settled["m5stack-core"] == (0x08, (0, 0), False)
    assert settled["ili9488-spi"] == (0x68, (0, 0), False)
    assert Glass(DISPLAYS["ili9488-spi"], invon=True).invon
    assert not Glass(DISPLAYS["waveshare-pico-lcd-1.8"], invon=True).invon
    assert Glass(default_display(240, 240, invert=True)).controller.kind.name == "ST7789"


def test_landscape_and_portrait_of_one_glass_are_the_same_cells() -> None:
    """Two profiles of the same 1.14" glass, one held across: what is written the one way is seen the other way."""
    across, upright = Glass(DISPLAYS["pimoroni-display"]), Glass(DISPLAYS["lilygo-t-display"])
    upright.controller = across.controller
    set_up(across)
    window(across)
    across.controller.receive(a_frame(across.display).data, command=False)
    picture = previewed(a_frame(across.display), across.display)
    # MX and MV: the host's row y is the memory's column 239 - y, and so the last row is the first column.
    np.testing.assert_array_equal(seen(upright), picture[::-1].transpose(1, 0, 2))


@pytest.mark.parametrize("name", ["pimoroni-presto", "pimoroni-presto-480"])
def test_what_has_no_memory_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="ST7701 is not simulated"):
        Glass(DISPLAYS[name])


@pytest.mark.parametrize(
    "display",
    [
        default_display(321, 240, invert=False),
        replace(PICO, panel=replace(PICO.panel or Panel(""), y_offset=1)),
        replace(PICO, panel=replace(PICO.panel or Panel(""), x_offset=81)),
    ],
    ids=named,
)
def test_glass_that_is_not_within_the_memory_is_refused(display: Display) -> None:
    with pytest.raises(ValueError, match="is not within the 320x240 of ST7789"):
        Glass(display)
