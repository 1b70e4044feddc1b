"""A frame of any size is drawn with a few KB of a Pico W's heap, and leaves nothing there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from device.heap import Figures, draws_within, measure, noise
from device.panel_runs import seen as seen_of
from fakes.pictures import levels
from pico_a1111_proxy.frames import convert
from service import open_service

MOST = 8192  # bytes for a frame: the band of rows, and what has to be free beside it
TOO_LITTLE = 1024  # beside the band
MOST_GARBAGE = 12_000  # bytes that drawing leaves to be collected
PICTURES = [noise(number) for number in range(6)]

DISPLAYS = ["waveshare-pico-lcd-1.3", "waveshare-pico-lcd-1.14", "waveshare-pico-lcd-2"]


@asynccontextmanager
async def serving(upstream: str) -> AsyncIterator[str]:
    async with open_service(a1111_base_url=upstream) as service:
        yield service.url


@pytest.fixture(scope="module", params=DISPLAYS)
async def figures(request: pytest.FixtureRequest, micropython: str) -> Figures:
    """Measured once for each display."""
    return await measure(str(request.param), PICTURES, serving)


async def test_a_frame_takes_8_kb(figures: Figures) -> None:
    name = figures.display.name
    assert await draws_within(name, MOST - figures.band, serving)
    assert not await draws_within(name, TOO_LITTLE, serving)


def test_a_frame_leaves_little_to_be_collected(figures: Figures) -> None:
    assert figures.garbage <= MOST_GARBAGE


def test_frames_leave_nothing(figures: Figures) -> None:
    assert len(figures.held) == len(PICTURES)
    assert set(figures.held) == {figures.held[0]}


def test_the_heap_stays_in_one_piece(figures: Figures) -> None:
    assert len(figures.largest) == len(PICTURES)
    assert set(figures.largest) == {figures.largest[0]}


def test_every_frame_is_on_the_glass_pixel_for_pixel(figures: Figures) -> None:
    assert len(figures.seen) == len(PICTURES)
    for seen, picture in zip(figures.seen, PICTURES, strict=True):
        assert np.array_equal(levels(seen), levels(seen_of(convert(picture, figures.display), figures.display)))


def test_most_of_the_heap_is_free(figures: Figures) -> None:
    assert figures.free > figures.total * 0.75
