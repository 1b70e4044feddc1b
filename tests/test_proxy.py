"""The proxy: the same job once, whoever leaves; a place that stays closed until the upstream is idle."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fakes.pictures import GREEN, RED, b64, png
from fakes.turns import no_task_is_left, turns
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.archive import Archive
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import BadRequest, PictureError, UpstreamTimeout, UpstreamUnavailable
from pico_a1111_proxy.gate import Gate
from pico_a1111_proxy.jobs import Generation, Job, Progress
from pico_a1111_proxy.newest import Newest, Published
from pico_a1111_proxy.proxy import Condition, Finding, Proxy, RelayAnswer, RelayRequest

DISPLAY = default_display(4, 4, invert=True)
RANDOM = Job("txt2img", b"{}", DISPLAY)
SEEDED = replace(RANDOM, key="7", repeatable=True)
WORDS = replace(RANDOM, wanted="none")


def generation(*images: Any) -> Generation:
    listed = [b64(image) if isinstance(image, bytes) else image for image in images]
    return Generation.read(Answer(200, (), json.dumps({"images": listed, "info": "{}"}).encode()))


@dataclass
class Scripted:
    """An upstream that ends with `outcome` once `now` is set, and is idle once `idle` is."""

    outcome: Exception | Generation = field(default_factory=lambda: generation(png(RED)))
    calls: int = 0
    cancelled: int = 0
    abandoned: list[Job] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begun, self.now, self.idle = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def generate(self, job: Job) -> Generation:
        self.calls += 1
        self.begun.set()
        try:
            await self.now.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def abandon(self, job: Job) -> None:
        self.abandoned.append(job)
        await self.idle.wait()

    def relay(self, request: RelayRequest) -> AbstractAsyncContextManager[RelayAnswer]:
        raise NotImplementedError

    async def progress(self) -> Progress:
        raise NotImplementedError

    async def check(self) -> Condition:
        raise NotImplementedError

    def examine(self) -> AsyncIterator[Finding]:
        raise NotImplementedError


@dataclass
class Scene:
    """A proxy before a scripted upstream."""

    upstream: Scripted
    proxy: Proxy
    newest: Newest
    threads: ThreadPoolExecutor

    async def begin(self, *jobs: Job) -> list[asyncio.Task[Any]]:
        """All of them asked for, and the first at the upstream."""
        tasks = [asyncio.create_task(self.proxy.render(replace(job))) for job in jobs]
        await asyncio.wait_for(self.upstream.begun.wait(), 10)
        await turns()
        return tasks


@asynccontextmanager
async def scene(outcome: Exception | Generation | None = None, places: int = 2) -> AsyncIterator[Scene]:
    async with no_task_is_left():
        with ThreadPoolExecutor(1) as threads:
            upstream = Scripted(outcome) if outcome else Scripted()
            newest = Newest({DISPLAY.name: DISPLAY}, threads)
            archive = Archive(None, 60, time.monotonic)
            proxy = Proxy(upstream, Gate(places, 2, time.monotonic), archive, threads, newest)
            try:
                yield Scene(upstream, proxy, newest, threads)
            finally:
                await proxy.close()
                assert (proxy.gate.inside, proxy.gate.waiting) == (0, 0)


async def test_the_same_job_is_generated_once() -> None:
    async with scene() as stage:
        asked = await stage.begin(*[SEEDED] * 20, replace(SEEDED, wanted="all"), replace(SEEDED, display=WIDE))
        stage.upstream.now.set()
        renderings = await asyncio.gather(*asked)
        assert stage.upstream.calls == 1
        assert [one.origin for one in renderings] == ["miss", *["joined"] * 21]
        assert len({one.frame.data for one in renderings[:20]}) == 1
        assert (renderings[21].frame.width, len(renderings[20].frames)) == (8, 1)


WIDE = replace(DISPLAY, name="wide", width=8)
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
