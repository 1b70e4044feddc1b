"""The proxy: the same job once, whoever leaves; a place that stays closed until the upstream is idle."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from fakes.pictures import GREEN, RED, png
from fakes.scenes import DISPLAY, RANDOM, SEEDED, WIDE, Scripted, generation, scene
from fakes.turns import turns
from pico_a1111_proxy.errors import BadRequest, PictureError, UpstreamTimeout, UpstreamUnavailable
from pico_a1111_proxy.jobs import Generation, Job
from pico_a1111_proxy.newest import Published

WORDS = replace(RANDOM, wanted="none")


async def test_the_same_job_is_generated_once() -> None:
    async with scene() as stage:
        asked = await stage.begin(*[SEEDED] * 20, replace(SEEDED, wanted="all"), replace(SEEDED, display=WIDE))
        stage.upstream.now.set()
        renderings = await asyncio.gather(*asked)
        assert stage.upstream.calls == 1
        assert [one.origin for one in renderings] == ["miss", *["joined"] * 21]
        assert len({one.frame.data for one in renderings[:20]}) == 1
        assert (renderings[21].frame.width, len(renderings[20].frames)) == (8, 1)


NOT_JOINED = {
    "random": RANDOM,
    "random, but kept": replace(RANDOM, key="7"),
    "another": replace(SEEDED, key="8"),
    "renewed": replace(SEEDED, caching="renew"),
    "avoided": replace(SEEDED, caching="avoid"),
}


@pytest.mark.parametrize("job", NOT_JOINED.values(), ids=NOT_JOINED)
async def test_what_may_be_another_picture_is_not_joined(job: Job) -> None:
    first = RANDOM if job is RANDOM else NOT_JOINED["random, but kept"] if job.key and not job.repeatable else SEEDED
    async with scene() as stage:
        asked = await stage.begin(first, job)
        assert stage.upstream.calls == 2
        stage.upstream.now.set()
        assert [one.origin for one in await asyncio.gather(*asked)] == ["miss", "miss"]


@pytest.mark.parametrize("change", ["disturb", "clear"])
async def test_who_comes_after_a_change_does_not_join_what_was_begun_before(change: str) -> None:
    async with scene() as stage:
        asked = await stage.begin(SEEDED)
        if change == "clear":
            await stage.proxy.archive.clear()
        else:
            stage.proxy.archive.disturb()
        asked += await stage.begin(SEEDED)
        assert stage.upstream.calls == 2
        stage.upstream.now.set()
        assert [one.origin for one in await asyncio.gather(*asked)] == ["miss", "miss"]


async def test_the_first_may_leave() -> None:
    async with scene() as stage:
        asked = await stage.begin(*[SEEDED] * 5)
        asked[0].cancel()
        await turns()
        assert stage.upstream.cancelled == 0
        stage.upstream.now.set()
        assert [one.origin for one in await asyncio.gather(*asked[1:])] == ["joined"] * 4
        assert stage.upstream.calls == 1


async def test_with_the_last_the_work_is_cancelled() -> None:
    async with scene() as stage:
        asked = await stage.begin(*[SEEDED] * 5)
        for task in asked:
            assert stage.upstream.cancelled == 0
            task.cancel()
            await turns()
        assert stage.upstream.cancelled == 1
        asked = await stage.begin(SEEDED)  # nobody joins what was given up
        assert stage.upstream.calls == 2
        stage.upstream.now.set()
        assert (await asked[0]).origin == "miss"


@pytest.mark.parametrize("end", ["the client leaves", "it takes too long"])
async def test_the_place_stays_closed_until_the_upstream_is_idle(end: str) -> None:
    async with scene(UpstreamTimeout("too slow"), places=1) as stage:
        (asked,) = await stage.begin(SEEDED)
        if end == "the client leaves":
            asked.cancel()
        else:
            stage.upstream.now.set()
        await turns()
        assert asked.done()
        assert (stage.upstream.abandoned, stage.proxy.gate.inside) == ([SEEDED], 1)
        waiting = stage.proxy.gate.come()
        stage.upstream.idle.set()
        await waiting.admitted()
        waiting.leave()


@pytest.mark.parametrize("error", [UpstreamTimeout("no connection", unsent=True), UpstreamUnavailable("down")])
async def test_the_place_is_free_at_once_where_nothing_goes_on_upstream(error: Exception) -> None:
    async with scene(error, places=1) as stage:
        (asked,) = await stage.begin(SEEDED)
        stage.upstream.now.set()
        await turns()
        assert asked.exception() is error
        assert (stage.upstream.abandoned, stage.proxy.gate.inside) == ([], 0)


async def test_a_failure_is_told_to_all_and_to_nobody_who_comes_after() -> None:
    async with scene(UpstreamUnavailable("down")) as stage:
        asked = await stage.begin(*[SEEDED] * 3)
        stage.upstream.now.set()
        assert {str(error) for error in await asyncio.gather(*asked, return_exceptions=True)} == {"down"}
        stage.upstream.outcome = generation(png(RED))
        assert (await stage.proxy.render(SEEDED)).origin == "miss"


async def test_what_one_can_not_have_another_can() -> None:
    async with scene(generation(png(RED), "bm8=")) as stage:
        asked = await stage.begin(replace(SEEDED, index=1), SEEDED, replace(SEEDED, index=1))
        stage.upstream.now.set()
        first, second, third = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in (first, third)] == [BadRequest, BadRequest]
        assert second.origin == "joined"


async def test_nothing_to_see_is_told() -> None:
    async with scene(generation("bm8=")) as stage:
        stage.upstream.now.set()
        with pytest.raises(PictureError):
            await stage.proxy.render(SEEDED)


@asynccontextmanager
async def told_to_asyncio() -> AsyncIterator[list[Any]]:
    """What asyncio is told of errors that nobody fetches."""
    told: list[Any] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    try:
        yield told
    finally:
        loop.set_exception_handler(before)


@pytest.mark.parametrize("error", [KeyError("a bug"), UpstreamUnavailable("down")])
async def test_a_bug_is_told_even_where_nobody_waits_any_more(error: Exception) -> None:
    class Stubborn(Scripted):
        async def generate(self, job: Job) -> Generation:
            try:
                return await super().generate(job)
            except asyncio.CancelledError:
                raise error from None

    async with told_to_asyncio() as told, scene() as stage:
        stage.proxy.upstream = Stubborn()
        stage.upstream = stage.proxy.upstream
        (asked,) = await stage.begin(RANDOM)
        asked.cancel()
        await turns()
    assert told == ([error] if isinstance(error, KeyError) else [])


async def test_closing_ends_the_work_and_gives_the_places_back() -> None:
    async with scene() as stage:
        first, second = await stage.begin(WORDS, SEEDED)
        second.cancel()
        await turns()
        await stage.proxy.close()
        assert stage.proxy.gate.inside == 0
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_picture_that_arrives_while_one_is_converted_is_newer_than_that() -> None:
    async with scene() as stage:
        stage.upstream.now.set()
        busy = threading.Event()
        stage.threads.submit(busy.wait)  # so that converting lasts until the other picture is there
        try:
            (asked,) = await stage.begin(RANDOM)
            pushed = Published(png(GREEN))
            stage.newest.publish(DISPLAY.name, pushed)
        finally:
            busy.set()
        assert (await asked).picture == png(RED)
        assert stage.newest.get(DISPLAY.name) is pushed
