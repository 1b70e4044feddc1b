"""What is kept of published pictures: what is made of one is made once, and memory is bounded."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from fakes.pictures import encode, png
from fakes.turns import no_task_is_left, turns
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.frames import convert, preview
from pico_a1111_proxy.newest import MADE_BYTES, MOST_MADE, Newest, Published
from pico_a1111_proxy.panels import DISPLAYS

ALL = {"default": default_display(240, 240, invert=True), **DISPLAYS}
SHOWN = {name: ALL[name] for name in (*list(DISPLAYS)[:4], "default")}


@dataclass
class Thing:
    body: bytes


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


# --- What is made of a picture ----------------------------------------------------------------------------------


class Maker:
    """Makes things when `now` is set, and counts them."""

    def __init__(self, error: Exception | None = None) -> None:
        self.now = asyncio.Event()
        self.made = 0
        self.cancelled = 0
        self._error = error

    async def __call__(self) -> Thing:
        self.made += 1
        try:
            await self.now.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self._error:
            raise self._error
        return Thing(b"thing")


async def test_what_many_ask_for_is_made_once() -> None:
    published, maker = Published(b"1"), Maker()
    async with no_task_is_left():
        asking = [asyncio.create_task(published.make("key", maker)) for _ in range(1000)]
        await turns()
        maker.now.set()
        things = await asyncio.gather(*asking)
        assert maker.made == 1
        assert {id(thing) for thing in things} == {id(await published.make("key", maker))}
        assert maker.made == 1
        await published.make("another", maker)
        assert maker.made == 2


async def test_who_leaves_takes_nothing_from_who_waits_for_the_same() -> None:
    published, maker = Published(b"1"), Maker()
    first, *others = [asyncio.create_task(published.make("key", maker)) for _ in range(5)]
    await turns()
    first.cancel()
    await turns()
    maker.now.set()
    assert len(await asyncio.gather(*others)) == 4
    assert (maker.made, maker.cancelled, first.cancelled()) == (1, 0, True)


async def test_with_the_last_who_waits_the_work_ends() -> None:
    published, maker = Published(b"1"), Maker()
    async with no_task_is_left():
        asking = [asyncio.create_task(published.make("key", maker)) for _ in range(5)]
        await turns()
        for task in asking:
            task.cancel()
        # A newcomer must not be cancelled with the work of those who left.
        late = asyncio.create_task(published.make("key", maker))
        await turns()
        maker.now.set()
        assert (await late).body == b"thing"
    assert maker.made - maker.cancelled == 1


async def test_a_failure_is_told_to_all_and_not_kept() -> None:
    published, maker = Published(b"1"), Maker(PictureError("broken"))
    asking = [asyncio.create_task(published.make("key", maker)) for _ in range(5)]
    await turns()
    maker.now.set()
    assert {str(error) for error in await asyncio.gather(*asking, return_exceptions=True)} == {"broken"}
    assert maker.made == 1
    with pytest.raises(PictureError):
        await published.make("key", maker)
    assert maker.made == 2
    well = Maker()
    well.now.set()
    assert (await published.make("key", well)).body == b"thing"


async def test_no_more_than_a_handful_is_kept() -> None:
    published, maker = Published(b"1"), Maker()
    maker.now.set()
    for key in range(MOST_MADE):
        await published.make(key, maker)
    await published.make(0, maker)  # used again, it outlives the second
    await published.make("one more", maker)
    made = maker.made
    for key in (0, *range(2, MOST_MADE), "one more"):
        await published.make(key, maker)
    assert maker.made == made
    await published.make(1, maker)
    assert maker.made == made + 1


async def test_no_more_than_some_megabytes_are_kept() -> None:
    published = Published(b"1")

    async def make() -> Thing:
        return Thing(bytes(MADE_BYTES // 2))

    things = [weakref.ref(await published.make(key, make)) for key in range(4)]
    gc.collect()
    assert [thing() is None for thing in things] == [True, True, False, False]


async def test_the_picture_itself_takes_no_more_memory() -> None:
    published = Published(bytes(MADE_BYTES + 1))

    async def original() -> Thing:
        return Thing(published.picture)

    assert await published.make("original", original) is await published.make("original", original)


# --- Memory -----------------------------------------------------------------------------------------------------


def noise(seed: int, side: int = 128) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return encode(Image.fromarray(pixels))


async def settle(newest: Newest) -> None:
    while newest._shrinking and not newest._shrinking.done():
        await asyncio.wait([newest._shrinking])


async def test_over_the_budget_the_oldest_become_small(threads: ThreadPoolExecutor) -> None:
    names = ["waveshare-pico-lcd-0.96", "waveshare-pico-lcd-1.14", "default"]
    pictures = {name: noise(seed, 600) for seed, name in enumerate(names)}
    newest = Newest(SHOWN, threads, budget=2_400_000)  # two of them
    for name, picture in pictures.items():
        newest.publish(name, Published(picture))
    await settle(newest)
    assert newest.held <= 2_400_000
    first, second, third = (newest.get(name) for name in names)
    assert first
    assert second
    assert third
    assert first.picture == preview(convert(pictures[names[0]], SHOWN[names[0]]), SHOWN[names[0]])
    assert (second.picture, third.picture) == (pictures[names[1]], pictures["default"])
    # What is published again is the youngest, and small ones are not made smaller again.
    newest.publish(names[1], Published(pictures[names[1]]))
    newest.publish(names[0], Published(noise(7, 600)))
    await settle(newest)
    assert newest.get(names[1]) is second
    assert second.picture == pictures[names[1]]
    assert third.picture == preview(convert(pictures["default"], SHOWN["default"]), SHOWN["default"])


async def test_the_last_one_stays_whole_however_large(threads: ThreadPoolExecutor) -> None:
    newest = Newest(SHOWN, threads, budget=10)
    for name in SHOWN:
        newest.publish(name, Published(noise(1, 600)))
    await settle(newest)
    assert [len(one.picture) > 500_000 for name in SHOWN if (one := newest.get(name))] == [False] * 4 + [True]


async def test_what_can_not_be_made_smaller_stays(threads: ThreadPoolExecutor) -> None:
    newest = Newest(SHOWN, threads, budget=10)
    pictures = [b"no picture at all", png(), b"the last one"]
    for name, picture in zip(SHOWN, pictures, strict=False):
        newest.publish(name, Published(picture))
    await settle(newest)
    assert [one.picture for name in SHOWN if (one := newest.get(name))] == pictures


async def test_a_large_picture_is_let_go_when_it_is_replaced(threads: ThreadPoolExecutor) -> None:
    newest, name = Newest(SHOWN, threads, budget=10), "waveshare-pico-lcd-0.96"
    published = Published(noise(1, 600))

    async def original() -> Thing:
        return Thing(published.picture)

    frame = Maker()
    frame.now.set()
    kept = await published.make("frame", frame)
    thing = weakref.ref(await published.make("original", original))
    newest.publish(name, published)
    newest.publish("default", Published(b"1"))
    await settle(newest)
    gc.collect()
    assert thing() is None
    assert len((await published.make("original", original)).body) < 100_000
    assert await published.make("frame", frame) is kept


@pytest.mark.parametrize("name", ALL)
async def test_the_small_one_makes_the_very_same_frame(threads: ThreadPoolExecutor, name: str) -> None:
    newest, picture = Newest(ALL, threads, budget=1), noise(1, 500)
    newest.publish(name, published := Published(picture))
    newest.publish("another", Published(picture))
    await settle(newest)
    assert len(published.picture) < len(picture)
    assert convert(published.picture, ALL[name]) == convert(picture, ALL[name])


async def test_closing_ends_the_shrinking(threads: ThreadPoolExecutor) -> None:
    newest = Newest(SHOWN, threads, budget=10)
    async with no_task_is_left():
        for name in SHOWN:
            newest.publish(name, Published(noise(1)))
        await turns(1)
        newest.close()
        await settle(newest)
    newest.publish("default", Published(noise(2)))
    assert newest._shrinking is None or newest._shrinking.done()
