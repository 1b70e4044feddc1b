"""Golden bytes of every format, the sizes of frames, and the way back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pico_a1111_proxy.pixels import FORMATS, Levels, PixelFormat, shades

tries = settings(deadline=None)

EVERY_FORMAT = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)

# Bits of red, green and blue or of grey; what /displays and the answers call it.
FACTS = {
    "rgb565-be": ((5, 6, 5), "RGB565"),
    "rgb565-le": ((5, 6, 5), "RGB565"),
    "bgr565-be": ((5, 6, 5), "BGR565"),
    "bgr565-le": ((5, 6, 5), "BGR565"),
    "rgb666": ((6, 6, 6), "RGB666"),
    "rgb888": ((8, 8, 8), "RGB888"),
    "rgb444": ((4, 4, 4), "RGB444"),
    "rgb332": ((3, 3, 2), "RGB332"),
    "gs8": ((8,), "GS8"),
    "gs4-hmsb": ((4,), "GS4_HMSB"),
    "mono-hlsb": ((1,), "MONO_HLSB"),
}

# Rows of pixels, and their bytes as the controllers' and MicroPython's documents lay them out.
A, B, C = (31, 0, 0), (0, 63, 0), (0, 0, 31)
D = (0b00010, 0b001101, 0b01010)
GOLDEN = [
    ("rgb565-be", [[A, B, C, D]], "f800 07e0 001f 11aa"),
    ("rgb565-le", [[A, B, C, D]], "00f8 e007 1f00 aa11"),
    ("bgr565-be", [[A, B, C, D]], "001f 07e0 f800 51a2"),
    ("bgr565-le", [[A, B, C, D]], "1f00 e007 00f8 a251"),
    ("rgb565-be", [[(1, 1, 1)], [(15, 31, 15)], [(16, 32, 16)]], "0821 7bef 8410"),
    # ILI9488, 18 bits: a byte for each colour, in whose six high bits it is.
    ("rgb666", [[(63, 0, 0), (0, 63, 0)], [(0, 0, 63), (1, 2, 32)]], "fc0000 00fc00 0000fc 040880"),
    ("rgb888", [[(255, 0, 1), (2, 254, 3)]], "ff0001 02fe03"),
    # ST7789, COLMOD 3: two pixels in three bytes, R1G1 B1R2 G2B2, on over the ends of rows.
    ("rgb444", [[(1, 2, 3), (4, 5, 6)]], "12 34 56"),
    ("rgb444", [[(1, 2, 3)]], "12 30"),
    ("rgb444", [[(1, 2, 3)], [(4, 5, 6)], [(15, 0, 9)]], "12 34 56 f0 90"),
    ("rgb332", [[(7, 0, 0), (0, 7, 0), (0, 0, 3), (5, 2, 1)]], "e0 1c 03 a9"),
    ("gs8", [[(0,), (1,)], [(128,), (255,)]], "00 01 80 ff"),
    # MicroPython's framebuf: the left pixel in the high half, and the row filled up to whole bytes.
    ("gs4-hmsb", [[(1,), (2,)], [(15,), (8,)]], "12 f8"),
    ("gs4-hmsb", [[(1,), (2,), (3,)], [(4,), (5,), (6,)]], "12 30 45 60"),
    # The left pixel in the highest bit, and the row filled up to whole bytes.
    ("mono-hlsb", [[(1,), (0,), (1,), (1,), (0,), (0,), (0,), (1,)]], "b1"),
    ("mono-hlsb", [[(1,), (0,), (0,)], [(0,), (1,), (1,)]], "80 60"),
    ("mono-hlsb", [[(0,)] * 8 + [(1,)], [(1,)] * 9], "00 80 ff 80"),
]

# Bytes of whole frames, worked out by hand, in the order of FACTS.
SIZES = {
    (240, 240): (115200, 115200, 115200, 115200, 172800, 172800, 86400, 57600, 57600, 28800, 7200),
    (1, 1): (2, 2, 2, 2, 3, 3, 2, 1, 1, 1, 1),
    (3, 1): (6, 6, 6, 6, 9, 9, 5, 3, 3, 2, 1),
    (1, 3): (6, 6, 6, 6, 9, 9, 5, 3, 3, 3, 3),
    (5, 7): (70, 70, 70, 70, 105, 105, 53, 35, 35, 21, 7),
    (9, 2): (36, 36, 36, 36, 54, 54, 27, 18, 18, 10, 4),
    (1024, 1): (2048, 2048, 2048, 2048, 3072, 3072, 1536, 1024, 1024, 512, 128),
}


def most(form: PixelFormat) -> np.ndarray:
    """The brightest level of each channel."""
    return np.array([(1 << depth) - 1 for depth in FACTS[form.name][0]], np.uint8)


def noise(form: PixelFormat, width: int, height: int, seed: int = 0) -> Levels:
    shape = (height, width, len(most(form)))
    return np.random.default_rng(seed).integers(0, most(form).astype(int) + 1, shape).astype(np.uint8)


def brightness(level: int, depth: int) -> int:
    """Of an evenly spaced level, to the nearest whole number."""
    return int(level * 255 / ((1 << depth) - 1) + 0.5)


shapes = st.tuples(st.integers(1, 40), st.integers(1, 40)) | st.sampled_from(sorted(SIZES))


def test_the_formats_of_this_version() -> None:
    assert list(FORMATS) == list(FACTS)
    assert {form.name: (form.depths, form.label) for form in FORMATS.values()} == FACTS
    assert all(form.name == name for name, form in FORMATS.items())
    assert [name for name, form in FORMATS.items() if form.is_grey] == ["gs8", "gs4-hmsb", "mono-hlsb"]


@pytest.mark.parametrize(("name", "rows", "expected"), GOLDEN)
def test_golden_bytes(name: str, rows: list[list[tuple[int, ...]]], expected: str) -> None:
    form, levels = FORMATS[name], np.array(rows, np.uint8)
    height, width, _ = levels.shape
    data = bytes.fromhex(expected)

    assert form.pack(levels) == data
    assert form.size(width, height) == len(data)
    assert np.array_equal(form.unpack(data, width, height), levels)


def test_every_format_has_golden_bytes() -> None:
    assert {name for name, _, _ in GOLDEN} == set(FORMATS)


@pytest.mark.parametrize(("shape", "sizes"), SIZES.items())
def test_sizes(shape: tuple[int, int], sizes: tuple[int, ...]) -> None:
    assert tuple(form.size(*shape) for form in FORMATS.values()) == sizes


@EVERY_FORMAT
@tries
@given(shape=shapes, seed=st.integers(0, 2**32))
def test_what_is_packed_comes_back(form: PixelFormat, shape: tuple[int, int], seed: int) -> None:
    levels = noise(form, *shape, seed)
    data = form.pack(levels)
    back = form.unpack(data, *shape)

    assert isinstance(data, bytes)
    assert len(data) == form.size(*shape)
    assert back.dtype == np.uint8
    assert back.shape == levels.shape
    assert np.array_equal(back, levels)


@EVERY_FORMAT
@tries
@given(shape=shapes, seed=st.integers(0, 2**32))
def test_what_is_unpacked_goes_back(form: PixelFormat, shape: tuple[int, int], seed: int) -> None:
    width, height = shape
    used = form.pack(np.broadcast_to(most(form), (height, width, len(most(form)))))  # all but the padding
    random = np.random.default_rng(seed).bytes(form.size(width, height))
    data = bytes(a & b for a, b in zip(random, used, strict=True))

    assert form.pack(form.unpack(data, width, height)) == data


@EVERY_FORMAT
@tries
@given(shape=shapes, seed=st.integers(0, 2**32))
def test_what_is_in_the_padding_is_not_seen(form: PixelFormat, shape: tuple[int, int], seed: int) -> None:
    width, height = shape
    levels = noise(form, width, height, seed)
    used = form.pack(np.broadcast_to(most(form), levels.shape))
    dirty = bytes(a | 255 - b for a, b in zip(form.pack(levels), used, strict=True))

    assert np.array_equal(form.unpack(dirty, width, height), levels)


@EVERY_FORMAT
def test_all_the_levels_of_each_channel(form: PixelFormat) -> None:
    for channel, depth in enumerate(form.depths):
        levels = np.zeros((1, 1 << depth, len(form.depths)), np.uint8)
        levels[0, :, channel] = np.arange(1 << depth)
        assert np.array_equal(form.unpack(form.pack(levels), 1 << depth, 1), levels)


@pytest.mark.parametrize("name", ["rgb565-be", "rgb565-le", "bgr565-be", "bgr565-le", "rgb332", "gs8"])
def test_every_word_there_is_comes_back(name: str) -> None:
    form = FORMATS[name]
    words = np.arange(2**16, dtype=">u2").tobytes()
    width = len(words) * 8 // form.bits // 256

    assert form.pack(form.unpack(words, width, 256)) == words


@EVERY_FORMAT
def test_an_array_that_is_a_view_packs_as_its_copy(form: PixelFormat) -> None:
    levels = noise(form, 10, 9)
    views = [levels[::-1], levels[:, ::-1], levels[::2, ::3], levels[1:, 1:], levels.transpose(1, 0, 2)]
    views.append(np.asfortranarray(levels))
    for view in views:
        view.flags.writeable = False
        before = view.copy()
        assert form.pack(view) == form.pack(before)
        assert np.array_equal(view, before)


@EVERY_FORMAT
def test_packing_leaves_the_levels_alone(form: PixelFormat) -> None:
    levels = noise(form, 7, 5)
    before = levels.copy()
    form.negative(form.pack(levels))

    assert np.array_equal(levels, before)


@pytest.mark.parametrize("depth", range(1, 9))
def test_shades_are_spaced_evenly_from_black_to_white(depth: int) -> None:
    assert shades(depth).tolist() == [brightness(level, depth) for level in range(1 << depth)]
    assert shades(depth).dtype == np.uint8
    assert [shades(depth)[0], shades(depth)[-1]] == [0, 255]


@EVERY_FORMAT
@tries
@given(shape=shapes, seed=st.integers(0, 2**32))
def test_what_is_shown(form: PixelFormat, shape: tuple[int, int], seed: int) -> None:
    width, height = shape
    levels = noise(form, width, height, seed)
    shown = form.show(form.pack(levels), width, height)
    expected = np.zeros(levels.shape, int)
    for channel, depth in enumerate(FACTS[form.name][0]):
        expected[..., channel] = np.floor(levels[..., channel] * 255.0 / ((1 << depth) - 1) + 0.5)

    assert shown.dtype == np.uint8
    assert np.array_equal(shown, expected[..., 0] if form.is_grey else expected)


@EVERY_FORMAT
def test_corners_of_the_cube_are_shown_as_they_are(form: PixelFormat) -> None:
    corners = np.array([list(itertools.product((0, 1), repeat=len(form.depths)))], np.uint8)
    shown = form.show(form.pack(corners * most(form)), corners.shape[1], 1)

    assert np.array_equal(shown, corners[..., 0] * 255 if form.is_grey else corners * 255)


@EVERY_FORMAT
@tries
@given(shape=shapes, seed=st.integers(0, 2**32))
def test_the_negative(form: PixelFormat, shape: tuple[int, int], seed: int) -> None:
    width, height = shape
    levels = noise(form, width, height, seed)
    data = form.pack(levels)
    negative = form.negative(data)

    assert form.negative(negative) == data
    assert np.array_equal(form.unpack(negative, width, height), most(form) - levels)
    assert np.array_equal(form.show(negative, width, height), 255 - form.show(data, width, height))


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [("rgb565-be", "11aa", "ee55"), ("rgb666", "fc0408", "00f8f4"), ("rgb332", "a9", "56"), ("gs8", "01", "fe")],
)
def test_golden_negatives(name: str, data: str, expected: str) -> None:
    # The two low bits of a byte of rgb666 stay 0.
    assert FORMATS[name].negative(bytes.fromhex(data)).hex() == expected
