"""Two services on one Redis: the same once, equal bytes, one allowance; and without Redis each goes on alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fakes.a1111 import ScriptedA1111, answer, said
from fakes.jobs import DEFAULT, begin
from fakes.jobs import until as until_state
from fakes.pictures import RED, png
from fakes.redis import RedisServer
from fakes.waiting import LONG, until
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.wiring import Service as Inside
from service import Service, open_service

JOB = {"prompt": "a", "seed": 7, "steps": 3}
FRAME = convert(png(RED), DEFAULT).data


@pytest.fixture
async def pair(redis: RedisServer, upstream: ScriptedA1111, tmp_path: Path) -> AsyncIterator[tuple[Service, Service]]:
    given = {"a1111_base_url": upstream.url, "redis_url": redis.url, "rate_limit": "200/hour", "queue_size": 100}
    folders = [str(tmp_path / name) for name in ("one", "two")]
    async with open_service(cache_dir=folders[0], **given) as one, open_service(cache_dir=folders[1], **given) as two:
        yield one, two


def inside(service: Service) -> Inside:
    assert service.server is not None
    found: Inside = service.server.config.loaded_app.state.service
    return found


async def follow(service: Service, job: dict[str, Any]) -> asyncio.Task[Any]:
    """Ask, until it waits for the other one."""
    task = asyncio.create_task(service.frame(job))
    await until(lambda: waits(service), "It never waited")
    return task


def waits(service: Service) -> bool:
    return any(attempt.is_elsewhere for attempt in inside(service).proxy._attempts.values())


async def test_the_same_is_drawn_once(
    pair: tuple[Service, Service], upstream: ScriptedA1111, gate: asyncio.Event
) -> None:
    one, two = pair
    asked = [asyncio.create_task(one.frame(JOB))]
    await upstream.wait_for(1)
    asked.append(await follow(two, JOB))
    assert (await two.health())["queue"]["waiting"] == 0
    gate.set()
    answers = await asyncio.gather(*asked)
    assert [(got.status, got.headers["X-Cache"], got.body) for got in answers] == [
        (200, "miss", FRAME),
        (200, "joined", FRAME),
    ]
    assert len(upstream.generations) == 1


async def test_fifty_at_two_proxies(pair: tuple[Service, Service], upstream: ScriptedA1111) -> None:
    upstream.standing = lambda seen: answer(png(RED)) if seen.method == "POST" else said({"state": {"job_count": 0}})
    asked = [pair[number // 10 % 2].frame({**JOB, "seed": number % 10}) for number in range(50)]
    answers = await asyncio.gather(*asked)
    assert {(got.status, got.body) for got in answers} == {(200, FRAME)}
    assert len(upstream.generations) == 10


async def test_one_to_come_back_for_is_told_at_once(
    pair: tuple[Service, Service], upstream: ScriptedA1111, gate: asyncio.Event
) -> None:
    one, two = pair
    first = asyncio.create_task(one.frame(JOB))
    await upstream.wait_for(1)
    path = await begin(two, JOB)
    await until_state(two, path, "running")
    gate.set()
    assert (await first).status == 200
    got = await two.ask("GET", f"{path}/frame?wait=20")
    assert (got.status, got.body) == (200, FRAME)
    assert len(upstream.generations) == 1


@pytest.mark.parametrize("way", ["kill", "freeze"])
async def test_without_redis_each_draws(
    pair: tuple[Service, Service], upstream: ScriptedA1111, gate: asyncio.Event, redis: RedisServer, way: str
) -> None:
    one, two = pair
    asked = [asyncio.create_task(one.frame(JOB))]
    await upstream.wait_for(1)
    asked.append(await follow(two, JOB))
    if way == "kill":
        await redis.kill()
    else:
        redis.freeze()
    await upstream.wait_for(2)
    gate.set()
    try:
        answers = await asyncio.wait_for(asyncio.gather(*asked), LONG)
        more = await asyncio.wait_for(asyncio.gather(*[each.frame({**JOB, "seed": 8}) for each in pair * 3]), LONG)
    finally:
        if way == "freeze":
            redis.thaw()
    assert {(got.status, got.body) for got in (*answers, *more)} == {(200, FRAME)}


async def test_one_allowance_for_both(redis: RedisServer, upstream: ScriptedA1111) -> None:
    given = {"a1111_base_url": upstream.url, "redis_url": redis.url, "rate_limit": "5/hour"}
    async with open_service(**given) as one, open_service(**given) as two:

        async def statuses(*services: Service) -> list[int]:
            return [(await service.frame()).status for service in services]

        assert await statuses(one, two, one, two, one, two, one) == [200] * 5 + [429] * 2
        await redis.kill()
        # What it has had here counts on.
        assert await statuses(*[one] * 3, *[two] * 4) == [200, 200, 429, 200, 200, 200, 429]
        assert 3000 < int((await two.frame()).headers["Retry-After"]) <= 3600
