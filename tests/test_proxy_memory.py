"""The proxy with a cache: remembered once it is drawn, whoever leaves; few read at once; made into frames once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from fakes.pictures import RED, png
from fakes.scenes import SEEDED, WIDE, Scene, generation, scene
from fakes.turns import turns
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.caches.memory import MemoryCache
from pico_a1111_proxy.errors import BadRequest
from pico_a1111_proxy.proxy import MOST_READ
from pico_a1111_proxy.served import DONE, Served


class Held(MemoryCache):
    """Sets when `may_set` is set, and gets when `may_get` is; `most_read` is how many wanted to get something at once.

    There is room for all, and nothing is too old.
    """

    def __init__(self) -> None:
        super().__init__(10**8, 3600, lambda: 0.0)
        self.may_set, self.may_get = asyncio.Event(), asyncio.Event()
        self.may_set.set()
        self.may_get.set()
        self.reading = self.most_read = 0

    async def get(self, key: str) -> Answer | None:
        self.reading += 1
        self.most_read = max(self.most_read, self.reading)
        try:
            await self.may_get.wait()
            return await super().get(key)
        finally:
            self.reading -= 1

    async def set(self, key: str, answer: Answer) -> None:
        await self.may_set.wait()
        await super().set(key, answer)


@contextmanager
def busy(stage: Scene) -> Iterator[threading.Event]:
    """Until the end of the block, or until this is set, the thread does nothing of what it is given from now on."""
    end = threading.Event()
    stage.threads.submit(end.wait)
    try:
        yield end
    finally:
        end.set()


async def test_what_is_not_kept_yet_is_joined() -> None:
    cache = Held()
    cache.may_set.clear()
    async with scene(cache=cache) as stage:
        stage.upstream.now.set()
        assert (await stage.proxy.render(SEEDED)).origin == "miss"
        await turns()
        assert (await stage.proxy.render(replace(SEEDED, display=WIDE))).origin == "joined"
        cache.may_set.set()
        await turns()
        assert (await stage.proxy.render(replace(SEEDED, wanted="all"))).origin == "hit"
        assert stage.upstream.calls == 1


async def test_few_are_read_at_once() -> None:
    cache = Held()
    jobs = [replace(SEEDED, key=str(nth)) for nth in range(5 * MOST_READ)]
    for job in jobs:
        assert job.key
        await cache.set(job.key, generation(png(RED)).answer)
    cache.may_get.clear()
    async with scene(cache=cache) as stage:
        asked = [asyncio.create_task(stage.proxy.render(job)) for job in jobs]
        await turns()
        cache.may_get.set()
        assert {one.origin for one in await asyncio.gather(*asked)} == {"hit"}
        assert (cache.most_read, stage.upstream.calls) == (MOST_READ, 0)


async def test_the_next_is_not_read_before_the_frames_are_made() -> None:
    cache = Held()
    jobs = [replace(SEEDED, key=str(nth)) for nth in range(MOST_READ + 1)]
    for job in jobs:
        assert job.key
        await cache.set(job.key, generation(png(RED)).answer)
    async with scene(cache=cache) as stage:
        with busy(stage) as may_read:
            asked = [asyncio.create_task(stage.proxy.render(job)) for job in jobs]
            await turns()
            all_read = asyncio.wrap_future(stage.threads.submit(int))  # behind those that are being read
            with busy(stage):
                may_read.set()
                await all_read
                await turns()
                assert cache.figures().hits == MOST_READ
        await asyncio.gather(*asked)
        assert cache.figures().hits == len(jobs)


async def test_a_place_is_not_free_before_the_frames_are_made() -> None:
    async with scene(places=1) as stage:
        stage.upstream.now.set()
        with busy(stage):
            asked = await stage.begin(SEEDED, replace(SEEDED, key="8"))
            assert (stage.proxy.gate.inside, stage.upstream.calls) == (1, 1)
        await asyncio.gather(*asked)
        assert stage.upstream.calls == 2


async def test_the_same_frames_are_made_once() -> None:
    told: list[Served] = []
    async with scene(cache=Held()) as stage:
        stage.proxy.tell = told.append
        asked = await stage.begin(*[SEEDED] * 20)
        stage.upstream.now.set()
        assert len({one.frame.data for one in await asyncio.gather(*asked)}) == 1
    assert [one.outcome for one in told if one.step == "conversion"] == [DONE]


async def test_what_is_drawn_is_kept_though_all_have_left() -> None:
    cache = Held()
    async with scene(cache=cache) as stage:
        with busy(stage):
            asked = await stage.begin(*[SEEDED] * 3)
            stage.upstream.now.set()
            await turns()
            for task in asked:
                task.cancel()
            await turns()
        assert [task.cancelled() for task in asked] == [True] * 3
        assert (await stage.proxy.render(SEEDED)).origin == "hit"
        assert stage.upstream.calls == 1


async def test_what_was_a_wrong_question_to_it_does_not_spoil_a_generation() -> None:
    async with scene(cache=Held()) as stage:
        stage.upstream.now.set()
        with pytest.raises(BadRequest):
            await stage.proxy.render(replace(SEEDED, index=1))
        await turns()
        assert (await stage.proxy.render(SEEDED)).origin == "hit"
        assert stage.upstream.calls == 1
