"""Redis goes, and comes back: who waits is told within about a second, and all of it works again by itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.a1111 import ScriptedA1111, answer
from fakes.pictures import png
from fakes.redis import RedisServer, open_redis
from fakes.waiting import until
from fakes.worker import Asking, open_asking, open_workers
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.jobs import Generation, Job

GENEROUS = 5  # seconds; it takes about one
DISPLAY = default_display(8, 8, invert=True)


@pytest.fixture
async def asking(redis: RedisServer, one: ScriptedA1111) -> AsyncIterator[Asking]:
    """With a worker, which draws with `one`."""
    async with open_asking(redis.url) as asking, open_workers(redis.url, one.url):
        await asking.until_taking("w1")
        yield asking


def ask(asking: Asking, prompt: str) -> asyncio.Task[Generation]:
    job = Job("txt2img", json.dumps({"prompt": prompt}).encode(), DISPLAY)
    return asyncio.create_task(asking.fleet.generate(job))


async def begin(
    asking: Asking, one: ScriptedA1111
) -> tuple[asyncio.Event, asyncio.Task[Generation], asyncio.Task[Generation]]:
    """A job that `one` draws until the gate is set, and a job that waits for that."""
    gate = asyncio.Event()
    one.standing = replace(answer(png()), gate=gate)
    drawn = ask(asking, "drawn")
    await one.wait_for(1)
    waiting = ask(asking, "waiting")
    await asking.sees(lambda: asking.roll.figures().waiting == 1, "it does not wait")
    return gate, drawn, waiting


def prompts(upstream: ScriptedA1111) -> list[str]:
    return [json.loads(seen.body)["prompt"] for seen in upstream.generations]


async def told(*works: asyncio.Task[Generation]) -> None:
    """All of them that the fleet is not there."""
    for work in works:
        with pytest.raises(FleetUnavailable):
            await asyncio.wait_for(work, GENEROUS)


async def again(asking: Asking, one: ScriptedA1111) -> None:
    """All of it works by itself."""
    await until(lambda: asking.hub.is_up, "the hub never came back")
    await asking.sees(lambda: asking.roll.figures().is_up, "the roll was never read again")
    await asking.until_taking("w1")
    assert (await asyncio.wait_for(ask(asking, "again"), 30)).pictures
    assert prompts(one)[-1] == "again"


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_who_waits_is_told_and_it_comes_back(
    asking: Asking, redis: RedisServer, one: ScriptedA1111, how: str
) -> None:
    gate, drawn, waiting = await begin(asking, one)
    if how == "killed":
        await redis.kill()
    else:
        redis.freeze()
    await told(drawn, waiting)
    assert not (await asking.fleet.check()).usable
    for _ in range(3):
        await told(ask(asking, "new"))
    findings = [finding async for finding in asking.fleet.examine()]
    assert [finding.good for finding in findings] == [False]
    gate.set()  # while it is away, what was drawn is finished
    if how == "killed":
        await redis.start()
    else:
        redis.thaw()
    came = time.monotonic()
    await again(asking, one)
    print(f"{how}: back after {time.monotonic() - came:.1f} s")  # noqa: T201
    assert "new" not in prompts(one)


async def test_a_short_absence_is_not_noticed(asking: Asking, redis: RedisServer, one: ScriptedA1111) -> None:
    gate, drawn, waiting = await begin(asking, one)
    await redis.kill()
    await redis.start()
    gate.set()
    assert (await drawn).pictures
    assert (await waiting).pictures
    assert sorted(prompts(one)) == ["drawn", "waiting"]


async def test_a_redis_that_has_forgotten_everything_says_so(
    asking: Asking, redis: RedisServer, one: ScriptedA1111
) -> None:
    gate, drawn, waiting = await begin(asking, one)
    await redis.command("FLUSHALL")
    await told(drawn, waiting)
    gate.set()
    await again(asking, one)


async def test_a_worker_waits_for_a_redis_that_is_not_there_yet(redis: RedisServer, one: ScriptedA1111) -> None:
    await redis.kill()
    async with open_workers(redis.url, one.url):
        await redis.start()
        async with open_asking(redis.url) as asking:
            await asking.until_taking("w1")
            await again(asking, one)


async def test_a_worker_ends_while_redis_is_away(redis: RedisServer, one: ScriptedA1111) -> None:
    async with open_asking(redis.url) as asking, open_workers(redis.url, one.url) as (worker,):
        await asking.until_taking("w1")
        await redis.kill()
        await until(lambda: not asking.hub.is_up, "nobody noticed")
        assert await worker.stop() == 0


async def test_all_of_it_with_a_password(tmp_path: Path, one: ScriptedA1111) -> None:
    async with open_redis(tmp_path, "--requirepass", "open sesame") as redis:
        url = redis.url.replace("redis://", "redis://:open%20sesame@")
        async with open_asking(url) as asking, open_workers(url, one.url):
            await asking.until_taking("w1")
            await again(asking, one)
