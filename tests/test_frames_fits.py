"""The fits: what of a picture a panel shows, and what is around it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fakes.pictures import BLUE, GREEN, RED, encode
from pico_a1111_proxy.displays import DITHERS, FITS, ROTATIONS, Display
from pico_a1111_proxy.frames import convert, preview

SIDES = st.integers(1, 64)
WIDE = st.integers(16, 64)
PICTURES = st.tuples(st.integers(64, 200), st.integers(64, 200))

tries = settings(deadline=None)


def ramp(width: int, height: int) -> bytes:
    """From left to right black to white in red, from top to bottom in green."""
    across = np.linspace(0, 255, width).astype(np.uint8)
    down = np.linspace(0, 255, height).astype(np.uint8)
    rgb = np.dstack([*np.meshgrid(across, down), np.full((height, width), 128, np.uint8)])
    return encode(Image.fromarray(rgb))


def shown(picture: bytes, display: Display) -> np.ndarray[Any, Any]:
    """What the panel shows, as (height, width, 3) whole numbers."""
    png = preview(convert(picture, display), display)
    return np.asarray(Image.open(io.BytesIO(png))).astype(int)


@tries
@given(width=WIDE, height=WIDE, picture=PICTURES)
def test_cover_cuts_the_same_from_both_sides(width: int, height: int, picture: tuple[int, int]) -> None:
    seen = shown(ramp(*picture), Display("d", width, height, fit="cover"))
    scale = max(width / picture[0], height / picture[1])
    row, column = seen[height // 2, :, 0], seen[:, width // 2, 1]

    for line, length, whole in ((row, width, picture[0] * scale), (column, height, picture[1] * scale)):
        assert abs(line[0] + line[-1] - 255) <= 16  # a quantised step at either end
        # As much of the ramp as fits, to a pixel and a quantised step.
        assert abs(line[-1] - line[0] - 255 * (length - 1) / whole) <= 255 / length + 14


@tries
@given(panel=st.tuples(SIDES, SIDES), picture=st.tuples(SIDES, SIDES), rotate=st.sampled_from(ROTATIONS))
def test_contain_shows_all_with_the_background_around(
    panel: tuple[int, int], picture: tuple[int, int], rotate: int
) -> None:
    display = Display("d", *panel, fit="contain", rotate=rotate, background="#ff0000")
    seen = shown(encode(Image.new("RGB", picture, BLUE)), display)
    blue = np.all(seen == BLUE, axis=2)
    columns, rows = np.flatnonzero(blue.any(axis=0)), np.flatnonzero(blue.any(axis=1))
    width, height = display.upright_size

    inner = blue[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert inner.all()
    assert np.all(seen[~blue] == RED)
    assert blue.sum() == inner.size
    scale = min(width / picture[0], height / picture[1])
    for line, length, whole in ((columns, width, picture[0] * scale), (rows, height, picture[1] * scale)):
        assert abs(line[0] - (length - 1 - line[-1])) <= 1  # in the middle
        assert abs(len(line) - whole) <= 1
    assert len(columns) == width or len(rows) == height


@tries
@given(width=WIDE, height=WIDE, picture=PICTURES)
def test_contain_and_stretch_leave_no_edge_out(width: int, height: int, picture: tuple[int, int]) -> None:
    whole = shown(ramp(*picture), Display("d", width, height, fit="stretch"))
    for line in (whole[height // 2, :, 0], whole[:, width // 2, 1]):
        assert line[0] <= 24
        assert line[-1] >= 230

    boxed = shown(ramp(*picture), Display("d", width, height, fit="contain", background="#0000ff"))
    inside = boxed[boxed[..., 2] < 200]  # the ramp's own blue is 128
    assert inside[:, :2].min() <= 24
    assert inside[:, :2].max() >= 230


def test_the_background_is_seen_in_its_own_colour_on_an_inverted_display() -> None:
    display = Display("d", 20, 10, fit="contain", invert=True, background="#ff0000")

    assert tuple(shown(encode(Image.new("RGB", (4, 4), BLUE)), display)[0, 0]) == RED


@pytest.mark.parametrize("dither", DITHERS)
@pytest.mark.parametrize("name", ["rgb565-be", "rgb332", "rgb444"])
@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (255, 0, 0)])
def test_a_dithered_picture_leaves_the_background_alone(dither: Any, name: str, background: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    shape = Display("d", 60, 30, name, fit="contain", dither=dither, background="#" + bytes(background).hex())
    seen = shown(encode(Image.fromarray(noise)), shape)

    assert np.all(seen[:, :15] == background)
    assert np.all(seen[:, 45:] == background)


@pytest.mark.parametrize("as_stored", [True, False])
def test_alpha_is_dropped_or_composited(as_stored: bool) -> None:
    clear = encode(Image.new("RGBA", (4, 4), (0, 0, 255, 0)))
    display = Display("d", 4, 4, background="#ff0000", as_stored=as_stored)

    assert tuple(shown(clear, display)[0, 0]) == (BLUE if as_stored else RED)


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (1, 1)])
@pytest.mark.parametrize("fit", FITS)
def test_the_most_extreme_shapes_fit(size: tuple[int, int], fit: Any) -> None:
    picture = encode(Image.new("RGB", size, GREEN))

    seen = shown(picture, Display("d", 240, 135, fit=fit))
    assert seen.shape == (135, 240, 3)
    assert np.all(seen == GREEN, axis=2).any()  # one line of it at least
