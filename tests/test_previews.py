"""Previews: the frame's own pixels as a PNG, upright, in true colours, with the corners that a panel has."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fakes.pictures import BLACK, BLUE, GREEN, RED, WHITE, encode
from pico_a1111_proxy.displays import DITHERS, FITS, ROTATIONS, Display
from pico_a1111_proxy.frames import convert, preview, read_frame
from pico_a1111_proxy.pixels import FORMATS, PixelFormat

SIDES = st.integers(1, 64)
PLACES = ((0, 0), (7, 0), (0, 5), (7, 5))

tries = settings(deadline=None)

EVERY_FORMAT = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)

displays = st.builds(
    Display,
    st.just("any"),
    width=SIDES,
    height=SIDES,
    format=st.sampled_from(sorted(FORMATS)),
    fit=st.sampled_from(FITS),
    rotate=st.sampled_from(ROTATIONS),
    invert=st.booleans(),
    dither=st.sampled_from(DITHERS),
    round=st.booleans(),
)


def noise(width: int, height: int, seed: int = 0) -> bytes:
    random = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return encode(Image.fromarray(random))


def corners() -> bytes:
    """Black, with the corners red, green, blue and white: as one reads, from the top left."""
    image = Image.new("RGB", (8, 6))
    for place, colour in zip(PLACES, (RED, GREEN, BLUE, WHITE), strict=True):
        image.putpixel(place, colour)
    return encode(image)


def seen(picture: bytes, display: Display) -> Image.Image:
    image = Image.open(io.BytesIO(preview(convert(picture, display), display)), formats=["PNG"])
    image.load()
    return image


def levels(image: Image.Image, form: PixelFormat) -> np.ndarray[Any, Any]:
    """Of a picture that is quantised already."""
    values = np.asarray(image).astype(int)
    most = np.array([(1 << depth) - 1 for depth in form.depths])
    return np.floor(values.reshape(*values.shape[:2], -1) * most / 255 + 0.5).astype(np.uint8)


@tries
@given(shape=st.tuples(SIDES, SIDES), seed=st.integers(0, 2**32), display=displays)
def test_it_is_the_frame_itself(shape: tuple[int, int], seed: int, display: Display) -> None:
    form = FORMATS[display.format]
    frame = convert(noise(*shape, seed), display)
    png = Image.open(io.BytesIO(preview(frame, display)))

    assert png.format == "PNG"
    assert png.mode == ("RGBA" if display.round else "L" if form.is_grey else "RGB")
    assert png.size == display.upright_size
    # Written down again, turned and inverted as before, it is the very same frame.
    sent = png.convert("L" if form.is_grey else "RGB").rotate(-display.rotate, expand=True)
    data = form.pack(levels(sent, form))
    assert (form.negative(data) if display.invert else data) == frame.data


@EVERY_FORMAT
@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("invert", [True, False])
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("dither", DITHERS)
def test_it_stands_upright_in_true_colours(form: PixelFormat, rotate: int, invert: bool, fit: Any, dither: Any) -> None:
    width, height = (8, 6) if rotate in (0, 180) else (6, 8)

    image = seen(corners(), Display("d", width, height, form.name, fit, rotate, invert, dither))

    assert image.size == (8, 6)
    found = [image.getpixel(place) for place in PLACES]
    if not form.is_grey:
        assert found == [RED, GREEN, BLUE, WHITE]
        assert image.getpixel((3, 3)) == BLACK
    else:
        assert image.getpixel((3, 3)) == 0
        assert image.getpixel((7, 5)) == 255
        step = 255 / ((1 << form.depths[0]) - 1)
        assert all(abs(there - grey) <= step for there, grey in zip(found, (76, 150, 29, 255), strict=True))


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("fit", FITS)
def test_a_turned_panel_shows_what_an_upright_one_shows(rotate: int, fit: Any) -> None:
    """To the pixel: the one that is over on the right or below is there for whoever looks at it."""
    picture, size = noise(30, 50), (41, 28)
    upright = Display("d", *size, fit=fit, dither="none")
    turned = Display("d", *(size if rotate in (0, 180) else size[::-1]), fit=fit, rotate=rotate, dither="none")

    assert seen(picture, turned).tobytes() == seen(picture, upright).tobytes()


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("size", [(41, 41), (40, 40), (60, 30), (31, 61)])
@pytest.mark.parametrize("name", ["rgb565-be", "gs8"])
def test_a_round_panel_has_no_corners(rotate: int, size: tuple[int, int], name: str) -> None:
    display = Display("d", *size, name, rotate=rotate, round=True)
    image = seen(noise(50, 50), display)
    width, height = image.size
    alpha = np.asarray(image.getchannel("A"))
    y, x = np.mgrid[:height, :width]
    # How far out each pixel's middle lies, 1 at the edge of the ellipse that touches all four sides.
    out = np.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5) * 2

    assert (width, height) == display.upright_size
    assert set(np.unique(alpha)) == {0, 255}
    assert [alpha[0, 0], alpha[0, -1], alpha[-1, 0], alpha[-1, -1]] == [0] * 4
    pixel = 2 / min(width, height)
    assert np.all(alpha[out < 1 - pixel] == 255)
    assert np.all(alpha[out > 1 + pixel] == 0)
    assert alpha[height // 2].all()
    assert alpha[:, width // 2].all()
    assert np.array_equal(alpha, alpha[::-1, ::-1])


def test_under_a_missing_corner_the_pixels_are_still_those_of_the_frame() -> None:
    plain, round_ = (seen(noise(20, 10), Display("d", 20, 10, rotate=90, round=r)) for r in (False, True))
    assert plain.mode == "RGB"
    assert np.array_equal(np.asarray(round_)[..., :3], np.asarray(plain))


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_the_smallest_round_panel(rotate: int) -> None:
    assert seen(noise(3, 3), Display("d", 1, 1, rotate=rotate, round=True)).size == (1, 1)


@EVERY_FORMAT
def test_a_frame_that_was_read_from_a_file(form: PixelFormat) -> None:
    """Also bits that no frame of ours has: the padding, and what lies under a level."""
    display = Display("d", 7, 5, form.name)
    data = bytes([255]) * form.size(7, 5)
    image = Image.open(io.BytesIO(preview(read_frame(data, display), display)))

    assert image.convert("RGB").getcolors() == [(35, WHITE)]
