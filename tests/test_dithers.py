"""The dithers: what is lost in one pixel is made up for near it, and where nothing is lost there is no noise."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pico_a1111_proxy.blue_noise import blue_noise
from pico_a1111_proxy.displays import DITHERS
from pico_a1111_proxy.dithers import quantise, truncate
from pico_a1111_proxy.pixels import FORMATS, Levels

Values = NDArray[np.uint8]

tries = settings(deadline=None)

DEPTHS = range(1, 9)
NOISY = [dither for dither in DITHERS if dither != "none"]
KINDS = sorted({form.depths for form in FORMATS.values()})
EVERY_DITHER = pytest.mark.parametrize("dither", DITHERS)
EVERY_KIND = pytest.mark.parametrize("depths", KINDS, ids=str)
EVERY_DEPTH = pytest.mark.parametrize("depth", DEPTHS)

VALUES = Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])


def shade(depth: int) -> NDArray[np.int64]:
    """The brightness of each level, told from what a level is and not from the table."""
    most = (1 << depth) - 1
    return np.floor(np.arange(most + 1) * 255 / most + 0.5).astype(int)


def place(depth: int) -> NDArray[np.float64]:
    """For each value the level that would show it, were there levels between the levels."""
    return np.interp(np.arange(256), shade(depth), np.arange(1 << depth))


def places(values: Values, depths: tuple[int, ...]) -> NDArray[np.float64]:
    channels = values.reshape(*values.shape[:2], -1)
    return np.stack([place(depth)[channels[..., i]] for i, depth in enumerate(depths)], axis=-1)


def shown(levels: Levels, depths: tuple[int, ...]) -> Values:
    """As a picture, of a shape that Pillow takes."""
    channels = np.stack([shade(depth)[levels[..., i]] for i, depth in enumerate(depths)], axis=-1).astype(np.uint8)
    return channels if len(depths) == 3 else channels[..., 0]


def noise(depths: tuple[int, ...], width: int, height: int, seed: int = 0) -> Values:
    shape = (height, width, 3) if len(depths) == 3 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def soft(depths: tuple[int, ...], width: int, height: int) -> Values:
    """A picture of soft spots, as photographs have them."""
    image = Image.fromarray(noise(depths, width, height)).filter(ImageFilter.GaussianBlur(6))
    spread = np.asarray(image).astype(int)
    return ((spread - spread.min()) * 255 // (spread.max() - spread.min())).astype(np.uint8)


def dithered(values: Values, depths: tuple[int, ...], dither: str) -> Levels:
    return quantise(Image.fromarray(values), depths, dither)


def floyd_steinberg(wanted: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """One channel as the paper has it, from left to right in every row, in numbers that round nothing."""
    height, width = wanted.shape
    left = np.pad(wanted, ((0, 1), (1, 1)))
    levels = np.zeros((height, width), np.int64)
    for y in range(height):
        for x in range(width):
            value = left[y, x + 1]
            levels[y, x] = min(max(int(np.floor(value + 0.5)), 0), most)
            error = value - levels[y, x]
            left[y, x + 2] += error * 7 / 16
            left[y + 1, x : x + 3] += error * np.array([3, 5, 1]) / 16
    return levels


def mistake(levels: NDArray[np.int64], wanted: NDArray[np.float64]) -> float:
    """Of what an eye sees that mixes a few pixels, in levels."""
    error = Image.fromarray((levels - wanted).astype(np.float32))
    width, height = error.size
    mixed = np.asarray(error.resize((width // 8, height // 8), Image.Resampling.BOX))
    return float(np.sqrt((mixed**2).mean()))


@EVERY_DEPTH
def test_none_takes_the_nearest_shade(depth: int) -> None:
    levels = quantise(VALUES, (depth,), "none")[0, :, 0]
    distances = np.abs(shade(depth) - np.arange(256)[:, np.newaxis])

    assert np.array_equal(np.abs(shade(depth)[levels] - np.arange(256)), distances.min(axis=1))
    assert np.all(np.diff(levels.astype(int)) >= 0)


@EVERY_DEPTH
def test_truncating_cuts_the_low_bits_off(depth: int) -> None:
    assert np.array_equal(truncate(VALUES, (depth,))[0, :, 0], np.arange(256) >> 8 - depth)


def test_truncating_each_channel_to_its_own_depth() -> None:
    colour = Image.new("RGB", (1, 1), (0b10110111, 0b01101111, 0b11111111))
    assert truncate(colour, (5, 6, 5)).tolist() == [[[0b10110, 0b011011, 0b11111]]]


def test_each_channel_has_its_own_depth() -> None:
    colour = Image.new("RGB", (1, 1), (255, 130, 60))
    assert quantise(colour, (5, 6, 2), "none").tolist() == [[[31, 32, 1]]]


@EVERY_DITHER
@EVERY_KIND
@tries
@given(shape=st.tuples(st.integers(1, 70), st.integers(1, 70)), seed=st.integers(0, 2**32))
def test_one_of_the_two_levels_around(depths: tuple[int, ...], dither: str, shape: tuple[int, int], seed: int) -> None:
    values = noise(depths, *shape, seed)
    levels, wanted = dithered(values, depths, dither), places(values, depths)

    assert levels.shape == (*values.shape[:2], len(depths))
    assert levels.dtype == np.uint8
    assert np.all(levels >= np.floor(wanted))
    assert np.all(levels <= np.ceil(wanted))


@EVERY_DITHER
@EVERY_KIND
@tries
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.1, 0.5, 0.9]))
def test_what_a_panel_can_show_stays_as_it_is(depths: tuple[int, ...], dither: str, seed: int, share: float) -> None:
    """Whatever is around it: pure black stays black beside a photograph."""
    values = noise(depths, 40, 30, seed)
    flat = values.reshape(30, 40, -1)
    exact = np.random.default_rng(seed).random(flat.shape) < share
    kept = np.stack([shade(depth)[flat[..., i] >> 8 - depth] for i, depth in enumerate(depths)], axis=-1)
    mixed = np.where(exact, kept, flat).astype(np.uint8).reshape(values.shape)

    found = shown(dithered(mixed, depths, dither), depths).reshape(flat.shape)
    assert np.array_equal(found[exact], kept[exact])


@EVERY_DITHER
@EVERY_KIND
def test_quantising_twice_changes_nothing(depths: tuple[int, ...], dither: str) -> None:
    for first in DITHERS:
        levels = dithered(noise(depths, 61, 47), depths, first)
        assert np.array_equal(dithered(shown(levels, depths), depths, dither), levels)


# In steps between levels: 1/64 is what one place of Bayer's tile is worth; the tables add 1/256.
@pytest.mark.parametrize(
    ("dither", "bound"), [("ordered", 1 / 64), ("blue-noise", 1 / 256), ("floyd-steinberg", 1 / 64)]
)
@EVERY_DEPTH
def test_a_flat_area_is_as_bright_as_it_was(depth: int, dither: str, bound: float) -> None:
    for value in range(256):
        mean = quantise(Image.new("L", (64, 64), value), (depth,), dither).mean()
        assert abs(mean - place(depth)[value]) <= bound, value


@EVERY_KIND
def test_floyd_steinberg_is_as_near_as_the_paper_has_it(depths: tuple[int, ...]) -> None:
    values = soft(depths, 96, 80)
    levels, wanted = dithered(values, depths, "floyd-steinberg"), places(values, depths)
    for channel, depth in enumerate(depths):
        ours, paper = levels[..., channel].astype(int), floyd_steinberg(wanted[..., channel], (1 << depth) - 1)
        assert mistake(ours, wanted[..., channel]) <= 1.05 * mistake(paper, wanted[..., channel]) + 0.002
        assert abs((ours - wanted[..., channel]).mean()) <= 0.005
        assert abs((ours - paper).mean()) <= 0.005
        assert np.abs(ours - paper).max() <= 1


def test_floyd_steinberg_by_hand() -> None:
    """One bit of 102, which is 0.4: what is lost goes right, and down by three, five and one sixteenths."""
    # 0.4, then 0.575 and 0.214; below 0.445, then 0.527 (0.4 + 0.195 + 0.025 - 0.133 + 0.040) and 0.234.
    expected = [[0, 1, 0], [0, 1, 0]]
    levels = dithered(np.full((2, 3), 102, np.uint8), (1,), "floyd-steinberg")

    assert floyd_steinberg(np.full((2, 3), 0.4), 1).tolist() == expected
    assert levels[..., 0].tolist() == expected


def test_floyd_steinberg_loses_no_light_between_the_levels() -> None:
    """Right above the middle of a step, beside what is a level already: errors are the largest there."""
    values = np.full((64, 64), 255, np.uint8)
    values[:, ::2] = 130
    sent = dithered(values, (1,), "floyd-steinberg").mean()
    paper = floyd_steinberg(places(values, (1,))[..., 0], 1).mean()
    assert abs(sent - paper) <= 0.0024


def test_errors_go_on_and_down_only() -> None:
    values = noise((5, 6, 5), 32, 32)
    changed = values.copy()
    changed[16, 16] = 255 - changed[16, 16]
    before, after = (dithered(v, (5, 6, 5), "floyd-steinberg") for v in (values, changed))

    assert np.array_equal(before[:16], after[:16])
    assert np.array_equal(before[16, :16], after[16, :16])
    assert not np.array_equal(before[17:], after[17:])


@pytest.mark.parametrize(("dither", "side"), [("ordered", 8), ("blue-noise", 64)])
def test_a_tile_is_laid_from_the_corner_again_and_again(dither: str, side: int) -> None:
    values = noise((5, 6, 5), 3 * side, 2 * side)
    whole = dithered(values, (5, 6, 5), dither)

    for y, x in ((0, side), (side, 0), (side, 2 * side)):
        part = dithered(values[y : y + side - 1, x : x + side - 3], (5, 6, 5), dither)
        assert np.array_equal(part, whole[y : y + side - 1, x : x + side - 3])
    assert not np.array_equal(dithered(values[1:], (5, 6, 5), dither), whole[1:])


@pytest.mark.parametrize("dither", ["ordered", "blue-noise"])
def test_a_pixel_depends_on_its_value_and_place_alone(dither: str) -> None:
    one, other = noise((5, 6, 5), 80, 70, 1), noise((5, 6, 5), 80, 70, 2)
    same = one == other
    assert same.any()
    assert np.array_equal(dithered(one, (5, 6, 5), dither)[same], dithered(other, (5, 6, 5), dither)[same])


@EVERY_DITHER
@pytest.mark.parametrize("depths", [(4, 4, 4), (6, 6, 6)], ids=str)
def test_grey_stays_grey_and_is_dithered_as_grey(depths: tuple[int, ...], dither: str) -> None:
    values = soft((8,), 50, 40)
    colour = dithered(np.dstack([values] * 3), depths, dither)
    alone = dithered(values, depths[:1], dither)

    assert all(np.array_equal(colour[..., channel], alone[..., 0]) for channel in range(3))


@pytest.mark.parametrize("dither", NOISY)
def test_a_flat_grey_has_no_tint(dither: str) -> None:
    for value in range(256):
        levels = quantise(Image.new("RGB", (50, 200), (value,) * 3), (4, 4, 4), dither)
        assert np.array_equal(levels[..., 0], levels[..., 1]), value
        assert np.array_equal(levels[..., 0], levels[..., 2]), value


def test_a_channel_does_not_know_of_the_others() -> None:
    red, green, blue = (soft((8,), 90, 60) for _ in range(3))
    one = dithered(np.dstack([red, green, blue]), (5, 6, 5), "floyd-steinberg")
    other = dithered(np.dstack([red, noise((8,), 90, 60), noise((8,), 90, 60, 1)]), (5, 6, 5), "floyd-steinberg")
    assert np.array_equal(one[..., 0], other[..., 0])


def ranks(dither: str, side: int) -> NDArray[np.int64]:
    """How early each place of a tile becomes bright when a flat area does, from 0."""
    bright = sum(quantise(Image.new("L", (side, side), v), (1,), dither)[..., 0].astype(int) for v in range(256))
    return np.unique(-bright, return_inverse=True)[1].reshape(side, side)


def test_ordered_is_bayers_matrix() -> None:
    """As it is printed: each place is rank 0 of its own before any other is filled twice as densely."""
    found = ranks("ordered", 8)
    assert found[0].tolist() == [0, 32, 8, 40, 2, 34, 10, 42]
    assert found[1].tolist() == [48, 16, 56, 24, 50, 18, 58, 26]
    assert found[:, 0].tolist() == [0, 48, 12, 60, 3, 51, 15, 63]
    assert np.array_equal(np.sort(found, axis=None), np.arange(64))


def test_blue_noise_is_the_tile() -> None:
    """128 thresholds of it, 32 places each: a place never comes before one of a lower rank."""
    assert np.array_equal(ranks("blue-noise", 64), blue_noise() // 32)


@EVERY_DITHER
def test_threads_at_once_give_what_each_gives_alone(dither: str) -> None:
    pictures = [noise((5, 6, 5), 48, 48, seed) for seed in range(8)]
    alone = [dithered(values, (5, 6, 5), dither).tobytes() for values in pictures]
    start = threading.Barrier(4)

    def hammer(first: int) -> bool:
        start.wait(30)
        turns = [(first + turn) % 8 for turn in range(200)]
        return all(dithered(pictures[i], (5, 6, 5), dither).tobytes() == alone[i] for i in turns)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(hammer, range(4))) == [True] * 4
