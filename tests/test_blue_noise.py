"""Blue noise: no coarse structure at any density, no seam, and the same everywhere."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from pico_a1111_proxy.blue_noise import SIDE, blue_noise

_ALONG = np.fft.fftfreq(SIDE)
_RADIUS = np.hypot(_ALONG[:, np.newaxis], _ALONG)  # of a frequency, in turns a pixel


def white() -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation(SIDE * SIDE).reshape(SIDE, SIDE)


def coarse(pattern: NDArray[np.generic], below: float) -> float:
    """The share of a pattern's energy in structures wider than 1/below pixels. The tile repeats, so a seam counts."""
    energy = np.abs(np.fft.fft2(pattern - pattern.mean())) ** 2
    return float(energy[below > _RADIUS].sum() / energy.sum())


def test_every_rank_is_there_once() -> None:
    assert blue_noise().shape == (64, 64)
    assert np.array_equal(np.sort(blue_noise(), axis=None), np.arange(4096))


def test_the_same_on_every_machine() -> None:
    ranks = hashlib.sha256(blue_noise().astype("<u2").tobytes()).hexdigest()
    assert ranks == "dea4337e09b3bd74f7869b45c47ff69c29659a4ea3ec75023ab80a38fefd9cfe"


def test_it_has_nothing_coarse() -> None:
    assert coarse(blue_noise(), 0.1) < 1e-3 * coarse(white(), 0.1)
    assert coarse(blue_noise(), 0.25) < 0.05 * coarse(white(), 0.25)


@pytest.mark.parametrize("dots", [64, 128, 256, 512, 1024, 2048, 3072, 3584, 3840, 3968, 4032])
def test_nor_have_the_dots_of_any_brightness(dots: int) -> None:
    few = min(dots, 4096 - dots)
    # Dots apart from each other have no structures wider than their distance; of a few, white noise has none either.
    assert coarse(blue_noise() < dots, 0.1) < (0.4 if few < 256 else 0.1) * coarse(white() < dots, 0.1)


def test_it_goes_on_over_the_edges() -> None:
    """As many neighbours are alike across a seam as inside: both rows and columns of the tile are as rough there."""
    ranks = blue_noise()
    for axis in (0, 1):
        steps = np.abs(np.diff(ranks, axis=axis, append=ranks.take([0], axis=axis))).mean(axis=1 - axis)
        inside = steps[:-1]
        assert abs(steps[-1] - inside.mean()) < 4 * inside.std()


def test_it_has_no_grain_of_its_own_at_an_edge() -> None:
    """Blocks of 8 by 8 are all nearly as bright, also those that lie on the seams."""
    for shift in range(0, 8, 4):
        means = np.roll(blue_noise(), (shift, shift), (0, 1)).reshape(8, 8, 8, 8).mean(axis=(1, 3))
        assert np.abs(means - 2047.5).max() < 130  # of white noise 350
