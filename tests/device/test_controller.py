"""The controller against a model of one pixel at a time, which is written down from the documents' tables."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.pixel_by_pixel import (
    SMALL,
    TABLE,
    Colour,
    Window,
    command,
    expect,
    madctl,
    open_window,
    pairs,
    shown,
    slowly,
    some_colours,
    woken,
    write,
)
from pico_a1111_proxy.pixels import FORMATS, shades
from pico_a1111_proxy.simulator.controller import KINDS, Controller, Kind, kind_named

TURNS = pytest.mark.parametrize(("mv", "mx", "my"), TABLE)


@TURNS
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_orientation_is_the_table_s(kind: Kind, mv: int, mx: int, my: int) -> None:
    kind = Kind(kind.name, kind.columns, kind.rows)
    controller = woken(kind)
    before = controller.gram.copy()
    command(controller, 0x36, madctl(mv, mx, my))
    window = (3, 41, 5, 20)
    open_window(controller, window)
    colours = some_colours(39 * 16)
    write(controller, colours, cut=7)
    expect(controller, before, slowly(kind, (mv, mx, my), window, colours))


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(list(TABLE)),
    st.tuples(*[st.integers(0, 8)] * 4).filter(lambda at: at[0] <= at[1] and at[2] <= at[3]),
    st.integers(1, 200),
    st.integers(1, 50),
)
def test_any_window_wraps_and_loses_what_is_outside(
    turn: tuple[int, int, int], window: Window, count: int, cut: int
) -> None:
    controller = woken()
    before = controller.gram.copy()
    command(controller, 0x36, madctl(*turn))
    open_window(controller, window)
    colours = some_colours(count, seed=count)
    write(controller, colours, cut)
    expect(controller, before, slowly(SMALL, turn, window, colours))


def test_writing_begins_again_where_the_window_ends_and_with_each_ramwr() -> None:
    controller = woken()
    open_window(controller, (1, 2, 3, 4))
    first, second, *_ = colours = some_colours(5)
    write(controller, colours)
    assert controller.gram[3, 1].tolist() == shown(colours[4])
    command(controller, 0x2C)
    write(controller, [second, first])
    assert controller.gram[3, 1:3].tolist() == [shown(second), shown(first)]


def test_ramwrc_goes_on_where_the_last_pixel_was_and_leaves_half_of_one_out() -> None:
    controller = woken()
    before = controller.gram.copy()
    open_window(controller, (0, 1, 0, 1))
    colours = some_colours(3)
    write(controller, colours[:1])
    controller.receive(b"\xab", command=False)
    command(controller, 0x00)
    controller.receive(b"\xff\xff\xff\xff", command=False)  # of no command that is known
    command(controller, 0x3C)
    write(controller, colours[1:])
    expect(controller, before, {(0, 0): colours[0], (1, 0): colours[1], (0, 1): colours[2]})


def test_a_window_counts_from_the_next_ramwr() -> None:
    controller = woken()
    before = controller.gram.copy()
    colours = some_colours(3)
    open_window(controller, (0, 4, 0, 0))
    write(controller, colours[:1])
    command(controller, 0x2A, *pairs(3, 4))
    command(controller, 0x3C)
    write(controller, colours[1:2])
    command(controller, 0x2C)
    write(controller, colours[2:])
    expect(controller, before, {(0, 0): colours[0], (1, 0): colours[1], (3, 0): colours[2]})


def test_a_window_that_ends_before_it_begins_takes_nothing() -> None:
    controller = woken()
    before = controller.gram.copy()
    open_window(controller, (3, 1, 0, 0))
    write(controller, some_colours(9))
    expect(controller, before, {})


def test_parameters_may_come_one_by_one_too_few_or_too_many() -> None:
    controller = woken()
    before = controller.gram.copy()
    controller.receive(b"\x2a", command=True)
    for value in [*pairs(2, 3), 0xFF, 0xFF]:
        controller.receive(bytes([value]), command=False)
    command(controller, 0x2B, 0, 6)  # the start alone: the end is as it was
    command(controller, 0x2C)
    colours = some_colours(2)
    write(controller, colours)
    expect(controller, before, {(2, 6): colours[0], (3, 6): colours[1]})


# Bytes and the levels that they are, by what was written to COLMOD; the bits above the lowest three do not count.
@pytest.mark.parametrize("high", [0x00, 0x50, 0x60])
@pytest.mark.parametrize(
    ("colmod", "data", "depths", "levels"),
    [
        (3, "123 456 fa0", (4, 4, 4), [(1, 2, 3), (4, 5, 6), (15, 10, 0)]),
        (5, "f800 07e0 11aa", (5, 6, 5), [(31, 0, 0), (0, 63, 0), (2, 13, 10)]),
        (6, "fc0000 040880", (6, 6, 6), [(63, 0, 0), (1, 2, 32)]),
        (6, "ff0303", (6, 6, 6), [(63, 0, 0)]),
    ],
)
def test_each_coding(high: int, colmod: int, data: str, depths: Colour, levels: list[Colour]) -> None:
    wanted = [[int(shades(depth)[level]) for depth, level in zip(depths, pixel, strict=True)] for pixel in levels]
    digits = data.replace(" ", "")
    sent = bytes.fromhex(digits + "0" * (len(digits) % 2))
    for cut in (1, 2, len(sent)):
        controller = woken(colmod=high | colmod)
        open_window(controller, (0, 4, 0, 6))
        for at in range(0, len(sent), cut):
            controller.receive(sent[at : at + cut], command=False)
        assert controller.gram[0, : len(wanted)].tolist() == wanted


def test_of_two_pixels_in_three_bytes_the_first_shows_after_two() -> None:
    controller = woken(colmod=3)
    before = controller.gram.copy()
    open_window(controller, (0, 4, 0, 6))
    controller.receive(b"\xf0", command=False)
    np.testing.assert_array_equal(controller.gram, before)
    controller.receive(b"\xff", command=False)
    assert controller.gram[0, 0].tolist() == [255, 0, 255]
    np.testing.assert_array_equal(controller.gram[0, 1:], before[0, 1:])
    controller.receive(b"\x0f\x12\x30", command=False)
    assert controller.gram[0, :3].tolist() == [[255, 0, 255], [255, 0, 255], [17, 34, 51]]


def test_colmod_may_change_between_two_frames_and_what_a_controller_has_not_is_ignored() -> None:
    controller = woken(kind_named("ILI9341"), colmod=0x66)
    command(controller, 0x3A, 0x53)
    assert controller.colmod == 6
    open_window(controller, (0, 9, 0, 9))
    controller.receive(b"\xfc\x00\xfc", command=False)
    assert controller.gram[0, 0].tolist() == [255, 0, 255]
    command(controller, 0x3A, 0x55, 0x66)
    command(controller, 0x2C)
    controller.receive(b"\x07\xe0", command=False)
    assert controller.gram[0, 0].tolist() == [0, 255, 0]


def state(controller: Controller) -> tuple[bool, bool, bool, int, int]:
    return controller.asleep, controller.on, controller.inverted, controller.madctl, controller.colmod


def test_power_up_is_asleep_off_in_18_bits_and_noise() -> None:
    controller = Controller(SMALL)
    assert state(controller) == (True, False, False, 0, 6)
    assert len(np.unique(controller.gram)) > 30
    np.testing.assert_array_equal(controller.gram, Controller(SMALL).gram)
    assert (controller.gram != Controller(SMALL, seed=1).gram).any()
    assert set(np.unique(controller.gram)) <= set(shades(6))


def test_commands_that_take_no_parameters_do_what_they_say() -> None:
    controller = Controller(SMALL)
    for code, wanted in [
        (0x11, (False, False, False)),
        (0x29, (False, True, False)),
        (0x21, (False, True, True)),
        (0x13, (False, True, True)),
        (0x12, (False, True, True)),
        (0x20, (False, True, False)),
        (0x28, (False, False, False)),
        (0x10, (True, False, False)),
    ]:
        controller.receive(bytes([code]), command=True)
        assert state(controller)[:3] == wanted


def test_madctl_takes_one_parameter_at_once_and_any_bits() -> None:
    controller = Controller(SMALL)
    command(controller, 0x36, 0xFC, 0x00)
    assert controller.madctl == 0xFC


def test_commands_in_one_transfer_are_commands_each() -> None:
    controller = Controller(SMALL)
    controller.receive(b"\x11\x21\x29", command=True)
    assert state(controller) == (False, True, True, 0, 6)


def test_unknown_commands_swallow_their_parameters() -> None:
    controller = woken()
    before, was = controller.gram.copy(), state(controller)
    open_window(controller, (0, 4, 0, 6))
    for code in (0xB2, 0xE0, 0x30, 0x33, 0x37, 0x53):
        command(controller, code, 0x28, 0x10, 0x2C, 0x36, 0xFF)
    assert state(controller) == was
    np.testing.assert_array_equal(controller.gram, before)


def test_swreset_keeps_madctl_colmod_and_memory_and_opens_the_whole_of_it() -> None:
    controller = woken()
    command(controller, 0x36, 0xA8)
    command(controller, 0x21)
    open_window(controller, (1, 2, 1, 2))
    before = controller.gram.copy()
    command(controller, 0x01)
    assert state(controller) == (True, False, False, 0xA8, 5)
    controller.receive(b"\xff\xff", command=False)  # no RAMWR any more
    np.testing.assert_array_equal(controller.gram, before)
    command(controller, 0x2C)
    colours = some_colours(35)
    write(controller, colours)
    expect(controller, before, slowly(SMALL, (1, 0, 1), (0, 6, 0, 4), colours))  # MV: 7 columns, 5 rows


def test_hardware_reset_forgets_madctl_and_colmod_too_but_not_the_memory() -> None:
    controller = woken()
    command(controller, 0x36, 0xA8)
    open_window(controller, (1, 2, 1, 2))
    before = controller.gram.copy()
    controller.reset()
    assert state(controller) == (True, False, False, 0, 6)
    controller.receive(b"\xff\xff\xff", command=False)
    np.testing.assert_array_equal(controller.gram, before)
    command(controller, 0x2C)
    controller.receive(b"\xfc\xfc\xfc" * 36, command=False)
    assert (controller.gram == 255).all()


def test_memory_is_written_while_asleep_and_off() -> None:
    controller = Controller(SMALL)
    open_window(controller, (0, 0, 0, 0))
    controller.receive(b"\x00\xfc\x00", command=False)
    assert controller.gram[0, 0].tolist() == [0, 255, 0]


def test_a_frame_in_bands_is_the_frame() -> None:
    frame = random.Random(5).randbytes(240 * 240 * 2)
    controller = woken(kind_named("ST7789VW"))
    open_window(controller, (0, 239, 80, 319))
    for at in range(0, len(frame), 3840):
        controller.receive(frame[at : at + 3840], command=False)
    np.testing.assert_array_equal(controller.gram[80:], FORMATS["rgb565-be"].show(frame, 240, 240))


def test_kinds_by_name() -> None:
    names = ("ST7789VW", "st7735s", "GC9A01A", "GC9107", "ILI9341 or ST7789", "ILI9342C", "ILI9488")
    sizes = [(240, 320), (132, 162), (240, 240), (128, 160), (240, 320), (320, 240), (320, 480)]
    assert [(kind.columns, kind.rows) for kind in map(kind_named, names)] == sizes
    with pytest.raises(ValueError, match="ST7701 is not simulated"):
        kind_named("ST7701")
