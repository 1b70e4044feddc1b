"""Golden words, every colour once, and the way back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pico_a1111_proxy.pixels import FORMATS, Rgb

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
tries = settings(deadline=None)

EVERY_FORMAT = pytest.mark.parametrize("name", sorted(FORMATS))

# Worked out by hand from the definition; rgb565-be, as a hexadecimal number is written.
GOLDEN = {
    (0, 0, 0): "0000",
    RED: "f800",
    GREEN: "07e0",
    BLUE: "001f",
    (255, 255, 0): "ffe0",
    (255, 0, 255): "f81f",
    (0, 255, 255): "07ff",
    (255, 255, 255): "ffff",
    (127, 127, 127): "7bef",
    (128, 128, 128): "8410",
    (7, 3, 7): "0000",  # the last values before the first step
    (8, 4, 8): "0821",
    (18, 52, 86): "11aa",
    (0xFE, 0xDC, 0xBA): "fef7",
}


def pack(name: str, *pixels: tuple[int, int, int]) -> bytes:
    """One row of pixels."""
    return FORMATS[name].pack(np.array([pixels], np.uint8))


def bands() -> Iterator[Rgb]:
    """All 2^24 colours, 2^17 at a time."""
    green, blue = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8), indexing="ij")
    for red in range(0, 256, 2):
        halves = [np.stack([np.full_like(green, r), green, blue], axis=-1) for r in (red, red + 1)]
        yield np.concatenate(halves)


def by_definition(rgb: Rgb, first: int = 0, last: int = 2) -> np.ndarray:
    """The words as numbers, by the formula and in integers that can't overflow."""
    wide = rgb.astype(np.int64)
    return ((wide[..., first] >> 3) << 11) | ((wide[..., 1] >> 2) << 5) | (wide[..., last] >> 3)


def test_the_formats_of_this_version() -> None:
    assert set(FORMATS) == {"rgb565-be", "rgb565-le", "bgr565-be", "bgr565-le"}
    assert all(form.name == name for name, form in FORMATS.items())
    assert {form.label for form in FORMATS.values()} == {"RGB565", "BGR565"}


@pytest.mark.parametrize(("colour", "word"), GOLDEN.items())
def test_golden_words(colour: tuple[int, int, int], word: str) -> None:
    high, low = bytes.fromhex(word)
    red, green, blue = colour

    assert pack("rgb565-be", colour) == bytes([high, low])
    assert pack("rgb565-le", colour) == bytes([low, high])
    assert pack("bgr565-be", (blue, green, red)) == bytes([high, low])
    assert pack("bgr565-le", (blue, green, red)) == bytes([low, high])


@pytest.mark.parametrize(
    ("name", "red", "green", "blue"),
    [
        ("rgb565-be", "f800", "07e0", "001f"),
        ("rgb565-le", "00f8", "e007", "1f00"),
        ("bgr565-be", "001f", "07e0", "f800"),
        ("bgr565-le", "1f00", "e007", "00f8"),
    ],
)
def test_the_primaries_in_every_format(name: str, red: str, green: str, blue: str) -> None:
    assert pack(name, RED, GREEN, BLUE).hex() == red + green + blue


@EVERY_FORMAT
def test_all_corners_of_the_cube_come_back_exactly(name: str) -> None:
    corners = np.array([list(itertools.product((0, 255), repeat=3))], np.uint8)
    form = FORMATS[name]

    assert np.array_equal(form.unpack(form.pack(corners), 8, 1), corners)


@pytest.mark.parametrize(
    ("name", "word", "first", "last"),
    [("rgb565-be", ">u2", 0, 2), ("rgb565-le", "<u2", 0, 2), ("bgr565-be", ">u2", 2, 0), ("bgr565-le", "<u2", 2, 0)],
)
def test_every_colour_equals_the_definition(name: str, word: str, first: int, last: int) -> None:
    colours = 0
    for rgb in bands():
        words = np.frombuffer(FORMATS[name].pack(rgb), word).reshape(rgb.shape[:2])
        assert np.array_equal(words, by_definition(rgb, first, last))
        colours += words.size
    assert colours == 2**24


@EVERY_FORMAT
def test_every_word_comes_back(name: str) -> None:
    form = FORMATS[name]
    words = np.arange(2**16, dtype=">u2").tobytes()

    assert form.pack(form.unpack(words, 256, 256)) == words


@EVERY_FORMAT
@tries
@given(data=st.data())
def test_unpacking_gives_the_colour_quantised(name: str, data: st.DataObject) -> None:
    red, green, blue = colour = data.draw(st.tuples(*[st.integers(0, 255)] * 3))
    form = FORMATS[name]
    shown = form.unpack(pack(name, colour), 1, 1)[0, 0]

    # The kept bits on top, and repeated below them, so that black stays black and white white.
    assert list(map(int, shown)) == [red >> 3 << 3 | red >> 5, green >> 2 << 2 | green >> 6, blue >> 3 << 3 | blue >> 5]


@EVERY_FORMAT
def test_rows_go_out_from_the_top_and_from_the_left(name: str) -> None:
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[0, 1] = rgb[1, 2] = (255, 255, 255)

    assert FORMATS[name].pack(rgb).hex() == "0000ffff0000" + "00000000ffff"


@EVERY_FORMAT
def test_an_array_that_is_a_view_packs_as_its_copy(name: str) -> None:
    rgb = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    turned = rgb[::-1, ::2]

    assert FORMATS[name].pack(turned) == FORMATS[name].pack(turned.copy())


@EVERY_FORMAT
@tries
@given(width=st.integers(1, 64), height=st.integers(1, 64))
def test_a_frame_has_the_size_it_says(name: str, width: int, height: int) -> None:
    form = FORMATS[name]
    data = form.pack(np.zeros((height, width, 3), np.uint8))

    assert len(data) == form.size(width, height) == width * height * 2
    assert form.unpack(data, width, height).shape == (height, width, 3)
