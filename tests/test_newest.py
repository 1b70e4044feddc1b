"""The newest picture of each display: who waits for a newer one is woken once, and waiting costs nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from fakes.pictures import png
from fakes.turns import no_task_is_left, turns
from pico_a1111_proxy.crowds import SHARED, Crowd
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import ShuttingDown
from pico_a1111_proxy.newest import Newest, Published
from pico_a1111_proxy.panels import DISPLAYS

LONG = 60.0  # seconds that no test here lasts
MANY = 3 * SHARED + 5
SHOWN = {name: DISPLAYS[name] for name in list(DISPLAYS)[:4]} | {"default": default_display(240, 240, invert=True)}


@dataclass
class Made:
    body: bytes


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.fixture
def newest(threads: ThreadPoolExecutor) -> Newest:
    return Newest(SHOWN, threads)


# --- Waiting ----------------------------------------------------------------------------------------------------


async def test_before_the_first_there_is_none(newest: Newest) -> None:
    assert newest.get("default") is None
    assert await newest.wait("default", None, 0.01) is None


async def test_who_has_not_got_the_newest_does_not_wait(newest: Newest) -> None:
    newest.publish("default", first := Published(b"1"))
    assert newest.get("default") is await newest.wait("default", None, LONG) is first
    newest.publish("default", second := Published(b"2"))
    assert await newest.wait("default", first, LONG) is second
    assert await newest.wait("default", second, 0.01) is None


async def test_a_publish_wakes_every_waiter_once(newest: Newest) -> None:
    woken: list[Published | None] = []

    async def wait() -> None:
        woken.append(await newest.wait("default", None, LONG))

    async with no_task_is_left():
        waiting = [asyncio.create_task(wait()) for _ in range(MANY)]
        await turns()
        newest.publish("waveshare-pico-lcd-0.96", Published(b"of another display"))
        await turns()
        assert woken == []
        newest.publish("default", published := Published(b"1"))
        await asyncio.gather(*waiting)
    assert woken == [published] * MANY


@pytest.mark.parametrize("made_before", [True, False])
async def test_waiters_leave_room_for_others_between_them(newest: Newest, made_before: bool) -> None:
    woken = 0

    all_ask = asyncio.Event()

    async def work() -> Made:
        await all_ask.wait()
        return Made(b"made")

    async def wait() -> None:
        nonlocal woken
        published = await newest.wait("default", None, LONG)
        assert published
        asked.append(None)
        await published.make("key", work)
        woken += 1

    asked: list[None] = []
    waiting = [asyncio.create_task(wait()) for _ in range(MANY)]
    await turns()
    published = Published(b"1")
    if made_before:
        all_ask.set()
        await published.make("key", work)
    newest.publish("default", published)
    seen = []
    if not made_before:
        await turns()
        assert (len(asked), woken) == (MANY, 0)
        all_ask.set()
    while woken < MANY:
        await asyncio.sleep(0)
        seen.append(woken)
    await asyncio.gather(*waiting)
    assert max(after - before for before, after in zip([0, *seen], seen, strict=False)) == SHARED


def futures() -> int:
    """How many there are in this process."""
    gc.collect()
    return sum(type(thing) is asyncio.Future for thing in gc.get_objects())


async def test_who_leaves_a_crowd_leaves_nothing_behind() -> None:
    crowd = Crowd()
    before = futures()
    waiting = [asyncio.create_task(crowd.wait()) for _ in range(MANY)]
    await turns()
    assert futures() > before
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    del waiting, task
    await turns()
    assert futures() <= before


async def test_waiting_starts_no_task(newest: Newest) -> None:
    waiting = [asyncio.create_task(newest.wait("default", None, LONG)) for _ in range(MANY)]
    async with no_task_is_left():
        await turns()
    newest.publish("default", Published(b"1"))
    await asyncio.gather(*waiting)


async def test_who_leaves_takes_nothing_from_the_others(newest: Newest) -> None:
    async with no_task_is_left():
        waiting = [asyncio.create_task(newest.wait("default", None, LONG)) for _ in range(MANY)]
        await turns()
        for task in waiting[::2]:
            task.cancel()
        await turns()
        newest.publish("default", published := Published(b"1"))
        await turns(100)
        assert all(task.cancelled() for task in waiting[::2])
        assert [task.result() for task in waiting[1::2]] == [published] * (MANY // 2)


async def test_a_waiter_that_leaves_frees_what_it_held(newest: Newest) -> None:
    one = asyncio.create_task(newest.wait("default", None, LONG))
    await turns()
    assert newest.waiting == 1
    for _ in range(MANY):
        other = asyncio.create_task(newest.wait("default", None, LONG))
        await turns()
        other.cancel()
        await turns()
    one.cancel()
    await turns()
    assert newest.waiting == 0


async def test_the_same_picture_again_is_nothing_new(newest: Newest) -> None:
    newest.publish("default", first := Published(png()))
    waiting = asyncio.create_task(newest.wait("default", first, LONG))
    await turns()
    newest.publish("default", Published(png()))
    await turns()
    assert newest.get("default") is first
    assert not waiting.done()
    newest.publish("default", second := Published(png("blue")))
    assert await waiting is second


async def test_who_listens_hears_of_each_newest_once(newest: Newest) -> None:
    heard: list[tuple[str, Published]] = []
    newest.heard = lambda name, published: heard.append((name, published))
    late, first, again, second = (Published(picture) for picture in (b"0", b"1", b"1", b"2"))
    for published in (first, again, late, second):
        newest.publish("default", published)
    assert heard == [("default", first), ("default", second)]


async def test_the_newest_is_the_one_that_arrived_last_and_not_the_one_that_took_longest(newest: Newest) -> None:
    slow, quick = Published(b"arrived first"), Published(b"arrived second")
    newest.publish("default", quick)
    newest.publish("default", slow)
    assert newest.get("default") is quick
    newest.publish("waveshare-pico-lcd-0.96", slow)  # there it is the only one
    assert newest.get("waveshare-pico-lcd-0.96") is slow


async def test_the_same_picture_again_is_as_new_as_its_last_arrival(newest: Newest) -> None:
    first, between, again = Published(b"1"), Published(b"2"), Published(b"1")
    newest.publish("default", first)
    newest.publish("default", again)
    newest.publish("default", between)
    assert newest.get("default") is first


async def test_a_storm_of_publishing_wakes_with_the_last(newest: Newest) -> None:
    waiting = [asyncio.create_task(newest.wait("default", None, LONG)) for _ in range(MANY)]
    await turns()
    for number in range(500):
        newest.publish("default", last := Published(b"%d" % number))
    assert set(await asyncio.gather(*waiting)) == {last}


async def test_closing_sends_everybody_away_and_lets_nobody_wait(newest: Newest) -> None:
    newest.publish("default", first := Published(b"1"))
    waiting = [asyncio.create_task(newest.wait(name, newest.get(name), LONG)) for name in SHOWN for _ in range(MANY)]
    await turns()
    newest.close()
    said = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in said} == {ShuttingDown}
    with pytest.raises(ShuttingDown) as refused:
        await newest.wait("default", first, LONG)
    assert refused.value.retry_after == 5
    assert newest.get("default") is first
