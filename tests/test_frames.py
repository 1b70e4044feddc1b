"""Frames: the definition bit for bit, the nearest levels of every format, the turns, and frames read back."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fakes.pictures import BLUE, GREEN, RED, WHITE, encode
from pico_a1111_proxy.displays import DITHERS, FITS, MAX_SHARPEN, ROTATIONS, Display, default_display
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.frames import Frame, convert, describe, read_frame
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.pixels import FORMATS, PixelFormat

GOLDEN = Path(__file__).parent / "golden"
SIDES = st.integers(1, 64)
LONG = st.tuples(st.sampled_from([1, 1023, 1024]), SIDES)

tries = settings(deadline=None)

displays = st.builds(
    Display,
    st.just("any"),
    width=SIDES,
    height=SIDES,
    dither=st.sampled_from(DITHERS),
    linear_light=st.booleans(),
    sharpen=st.sampled_from([0, 1, 60, MAX_SHARPEN]),
    round=st.booleans(),
    format=st.sampled_from(sorted(FORMATS)),
    fit=st.sampled_from(FITS),
    rotate=st.sampled_from(ROTATIONS),
    invert=st.booleans(),
    background=st.sampled_from(["#000000", "#ff0000", "#123456"]),
    as_stored=st.booleans(),
)


@st.composite
def images(draw: st.DrawFn, modes: tuple[str, ...] = ("RGB",)) -> Image.Image:
    """A picture of noise: nothing in it is symmetric."""
    mode, size = draw(st.sampled_from(modes)), (draw(SIDES), draw(SIDES))
    noise = np.random.default_rng(draw(st.integers(0, 2**32))).bytes(size[0] * size[1] * len(mode))
    image = Image.frombytes(mode, size, noise)
    if mode == "P":
        image.putpalette(noise[:768].ljust(768, b"\x55"))
    return image


def corners(width: int = 8, height: int = 6) -> bytes:
    """Black, with the corners red, green, blue and white: as one reads, from the top left."""
    image = Image.new("RGB", (width, height))
    for x, y, colour in ((0, 0, RED), (width - 1, 0, GREEN), (0, height - 1, BLUE), (width - 1, height - 1, WHITE)):
        image.putpixel((x, y), colour)
    return encode(image)


def word(frame: Frame, x: int, y: int) -> str:
    at = 2 * (y * frame.width + x)
    return frame.data[at : at + 2].hex()


def nearest(channel: np.ndarray[Any, Any], depth: int) -> np.ndarray[Any, Any]:
    """The brightness, of those that a panel has, that is nearest to each value."""
    most = (1 << depth) - 1
    shades = np.array([int(level * 255 / most + 0.5) for level in range(most + 1)])
    return shades[np.abs(channel[..., np.newaxis].astype(int) - shades).argmin(axis=-1)]


def by_definition(image: Image.Image, width: int, height: int, invert: bool) -> bytes:
    """The default display, as the definition is written down: one pixel at a time."""
    small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    frame = bytearray()
    for y in range(height):
        for x in range(width):
            r, g, b = (255 - c if invert else c for c in small.getpixel((x, y)))
            value = ((r >> 3) << 11) | ((g >> 2) << 5) | (b >> 3)
            frame += bytes((value >> 8, value & 255))
    return bytes(frame)


@tries
@given(image=images(("RGB", "RGBA", "L", "LA", "P", "1")), width=SIDES, height=SIDES, invert=st.booleans())
def test_the_default_display_is_the_definition(image: Image.Image, width: int, height: int, invert: bool) -> None:
    picture = encode(image)
    stored = Image.open(io.BytesIO(picture))

    frame = convert(picture, default_display(width, height, invert))

    assert frame.data == by_definition(stored, width, height, invert)
    assert (frame.width, frame.height, frame.format) == (width, height, "rgb565-be")


def test_the_golden_picture_becomes_the_golden_frame() -> None:
    frame = convert((GOLDEN / "square.png").read_bytes(), default_display(240, 240, invert=True))

    assert frame.data == (GOLDEN / "square.rgb565-be").read_bytes()


@pytest.mark.parametrize("dither", DITHERS)
def test_a_named_display_gets_the_golden_frames(dither: Any) -> None:
    """The same from every version of Pillow and NumPy: see tests/golden/make.py."""
    picture = Image.open(GOLDEN / "square.png").crop((118, 150, 182, 214))
    display = replace(DISPLAYS["waveshare-pico-lcd-1.3"], width=64, height=64, dither=dither)

    assert convert(encode(picture), display).data == (GOLDEN / f"panel-{dither}.rgb565-be").read_bytes()


@pytest.mark.parametrize(
    ("colour", "sent", "inverted"),
    [
        (RED, "f800", "07ff"),
        (GREEN, "07e0", "f81f"),
        (BLUE, "001f", "ffe0"),
        (WHITE, "ffff", "0000"),
        ((0, 0, 0), "0000", "ffff"),
        ((128, 128, 128), "8410", "7bef"),
    ],
)
def test_golden_words_plain_and_inverted(colour: tuple[int, int, int], sent: str, inverted: str) -> None:
    picture = encode(Image.new("RGB", (3, 3), colour))

    assert convert(picture, default_display(2, 1, invert=False)).data.hex() == sent * 2
    assert convert(picture, default_display(2, 1, invert=True)).data.hex() == inverted * 2


@tries
@given(image=images(("RGB", "RGBA")), display=displays)
def test_every_frame_has_its_length(image: Image.Image, display: Display) -> None:
    frame = convert(encode(image), display)

    assert len(frame.data) == FORMATS[display.format].size(display.width, display.height)
    assert (frame.width, frame.height, frame.format) == (display.width, display.height, display.format)


@settings(deadline=None, max_examples=30)
@given(image=images(("RGB", "RGBA")), display=displays, sides=LONG, tall=st.booleans())
def test_the_longest_frames_have_their_length(
    image: Image.Image, display: Display, sides: tuple[int, int], tall: bool
) -> None:
    width, height = sorted(sides, reverse=not tall)
    long = replace(display, width=width, height=height)

    assert len(convert(encode(image), long).data) == FORMATS[display.format].size(width, height)


@pytest.mark.parametrize(
    ("rotate", "as_sent"),
    [
        (0, [RED, GREEN, BLUE, WHITE]),
        (90, [BLUE, RED, WHITE, GREEN]),  # turned clockwise, the top left comes to the top right
        (180, [WHITE, BLUE, GREEN, RED]),
        (270, [GREEN, WHITE, RED, BLUE]),
    ],
)
@pytest.mark.parametrize("fit", FITS)
def test_rows_go_out_in_order_under_each_rotation(rotate: int, as_sent: list[Any], fit: Any) -> None:
    width, height = (8, 6) if rotate in (0, 180) else (6, 8)
    words = {RED: "f800", GREEN: "07e0", BLUE: "001f", WHITE: "ffff"}

    # The picture has just the size that the panel shows, so nothing is resized.
    frame = convert(corners(8, 6), Display("d", width, height, fit=fit, rotate=rotate))

    found = [word(frame, x, y) for y in (0, height - 1) for x in (0, width - 1)]
    assert found == [words[colour] for colour in as_sent]


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@tries
@given(image=images(), invert=st.booleans())
def test_a_picture_of_the_panels_size_is_only_quantised(form: PixelFormat, image: Image.Image, invert: bool) -> None:
    display = Display("d", *image.size, form.name, dither="none", invert=invert, linear_light=True, sharpen=100)
    frame = convert(encode(image), display)
    wanted = np.asarray(image.convert("L" if form.is_grey else "RGB"))
    channels = wanted.reshape(*wanted.shape[:2], -1)
    rounded = np.stack([nearest(channels[..., i], depth) for i, depth in enumerate(form.depths)], axis=-1)

    # The negative of a shade is a shade: what is sent is the negative of what is seen.
    sent = form.show(frame.data, *image.size).reshape(rounded.shape)
    assert np.array_equal(sent, 255 - rounded if invert else rounded)


@pytest.mark.parametrize(
    ("as_stored", "sent"),
    [
        (True, "2124"),  # 39 is 00100111: 4 of 31, 9 of 63
        (False, "2945"),  # 4.74 of 31, 9.64 of 63
    ],
)
def test_low_bits_are_cut_off_only_where_it_is_defined_so(as_stored: bool, sent: str) -> None:
    display = Display("d", 1, 1, dither="none", as_stored=as_stored)

    assert convert(encode(Image.new("RGB", (2, 2), (39, 39, 39))), display).data.hex() == sent


@pytest.mark.parametrize("dither", [dither for dither in DITHERS if dither != "none"])
def test_a_dithered_default_display_does_not_cut_low_bits_off(dither: Any) -> None:
    picture = encode(Image.new("RGB", (64, 64), (63, 63, 63)))
    default = default_display(64, 64, invert=False)
    seen = FORMATS["rgb565-be"].show(convert(picture, replace(default, dither=dither)).data, 64, 64)

    assert abs(seen.mean() - 63) < 0.25
    assert seen.min() < 63 < seen.max()


@pytest.mark.parametrize("name", ["gs8", "gs4-hmsb", "mono-hlsb"])
def test_grey_is_the_light_that_an_eye_sees(name: str) -> None:
    form = FORMATS[name]
    luma = {RED: 76, GREEN: 150, BLUE: 29, WHITE: 255}  # ITU-R BT.601
    for colour, grey in luma.items():
        frame = convert(encode(Image.new("RGB", (1, 1), colour)), Display("d", 1, 1, name, dither="none"))
        assert form.show(frame.data, 1, 1)[0, 0] == nearest(np.array([grey]), form.depths[0])[0]


@pytest.mark.parametrize(("linear", "grey"), [(False, 113), (True, 167)])
def test_grey_is_taken_of_the_colours_that_were_mixed(linear: bool, grey: int) -> None:
    """Fine red and green becomes a yellow of 128, or with its light mixed of 188, whose grey is 0.886 of it."""
    pattern = np.zeros((64, 64, 3), np.uint8)
    pattern[:, ::2], pattern[:, 1::2] = RED, GREEN
    frame = convert(encode(Image.fromarray(pattern)), Display("d", 16, 16, "gs8", linear_light=linear))

    middle = np.frombuffer(frame.data, np.uint8).reshape(16, 16)[4:-4, 4:-4].astype(int)
    assert np.abs(middle - grey).max() <= 1


@pytest.mark.parametrize("extra", [-115200, -1, 1, 115200])
def test_a_frame_of_another_length_is_refused(extra: int) -> None:
    display = default_display(240, 240, invert=True)

    with pytest.raises(PictureError, match=f"{115200 + extra} bytes are no 240x240 rgb565-be frame, which has 115200"):
        read_frame(bytes(115200 + extra), display)


@tries
@given(image=images(), display=displays)
def test_a_frame_is_read_back(image: Image.Image, display: Display) -> None:
    frame = convert(encode(image), display)

    assert read_frame(frame.data, display) == frame


def test_a_file_that_is_no_picture_is_refused() -> None:
    with pytest.raises(PictureError, match="Failed to process image: "):
        convert(b"no picture", default_display(240, 240, invert=True))


def test_what_a_client_reads_of_a_frame() -> None:
    assert describe(default_display(240, 240, invert=True)) == {
        "width": 240,
        "height": 240,
        "format": "rgb565-be",
        "bytes": 115200,
        "description": "240x240 RGB565 format for Pico LCD",
    }
    assert describe(Display("d", 160, 80, "bgr565-le"))["description"] == "160x80 BGR565 format for Pico LCD"
    assert describe(Display("d", 160, 80, "rgb666"))["bytes"] == 38400
