"""Frames: the definition bit for bit, the turns, and the way back to what the panel shows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fakes.pictures import BLUE, GREEN, RED, WHITE, encode
from pico_a1111_proxy.displays import FITS, ROTATIONS, Display, default_display
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.frames import Frame, convert, describe, preview, read_frame
from pico_a1111_proxy.pixels import FORMATS

GOLDEN = Path(__file__).parent / "golden"
SIDES = st.integers(1, 64)

tries = settings(deadline=None)

displays = st.builds(
    Display,
    st.just("any"),
    width=SIDES,
    height=SIDES,
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


def shown(picture: bytes, display: Display) -> np.ndarray[Any, Any]:
    """What the panel shows, as (height, width, 3) whole numbers."""
    png = preview(convert(picture, display), display)
    return np.asarray(Image.open(io.BytesIO(png))).astype(int)


def word(frame: Frame, x: int, y: int) -> str:
    at = 2 * (y * frame.width + x)
    return frame.data[at : at + 2].hex()


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


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("invert", [True, False])
@pytest.mark.parametrize("fit", FITS)
def test_the_preview_stands_upright_in_true_colours(name: str, rotate: int, invert: bool, fit: Any) -> None:
    width, height = (8, 6) if rotate in (0, 180) else (6, 8)

    seen = shown(corners(8, 6), Display("d", width, height, name, fit, rotate, invert))

    assert seen.shape == (6, 8, 3)
    assert [tuple(seen[y, x]) for y in (0, -1) for x in (0, -1)] == [RED, GREEN, BLUE, WHITE]


@tries
@given(image=images(), display=displays)
def test_the_preview_is_the_frame_itself(image: Image.Image, display: Display) -> None:
    frame = convert(encode(image), display)
    png = Image.open(io.BytesIO(preview(frame, display)))

    assert png.format == "PNG"
    assert png.mode == "RGB"
    assert png.size == display.upright_size
    # Sending the preview again, turned and inverted as before and not resized, gives the very same bytes.
    sent = png.rotate(-display.rotate, expand=True)
    rgb = np.asarray(sent)
    assert FORMATS[display.format].pack(255 - rgb if display.invert else rgb) == frame.data


@tries
@given(image=images(), invert=st.booleans())
def test_a_picture_of_the_panels_size_is_only_quantised(image: Image.Image, invert: bool) -> None:
    display = Display("d", *image.size, fit="stretch", invert=invert)
    sent = np.asarray(image) ^ (255 if invert else 0)
    widened = np.dstack(
        [sent[..., i] >> 8 - bits << 8 - bits | sent[..., i] >> bits for i, bits in enumerate((5, 6, 5))]
    )

    assert np.array_equal(shown(encode(image), display), widened ^ (255 if invert else 0))


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


def test_an_etag_is_that_of_the_bytes() -> None:
    one, same, other = (Frame(data, 1, 1, "rgb565-be") for data in (b"ab", b"ab", b"ba"))

    assert one.etag == same.etag != other.etag
    assert one.etag[0] == one.etag[-1] == '"'  # a strong one: no W/


def test_what_a_client_reads_of_a_frame() -> None:
    assert describe(default_display(240, 240, invert=True)) == {
        "width": 240,
        "height": 240,
        "format": "rgb565-be",
        "bytes": 115200,
        "description": "240x240 RGB565 format for Pico LCD",
    }
    assert describe(Display("d", 160, 80, "bgr565-le"))["description"] == "160x80 BGR565 format for Pico LCD"
