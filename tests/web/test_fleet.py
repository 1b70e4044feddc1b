"""A fleet as its clients see it: two proxies, four worker processes and a real Redis, asked over sockets."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer, open_scripted_a1111, said
from fakes.clients import open_raw_client, post
from fakes.jobs import DEFAULT, FRAME, PICTURE, PROGRESS, Drawing, begin, queue_of
from fakes.marked import Marks, ask_for_all
from fakes.pictures import GREEN, b64, png
from fakes.redis import RedisServer, open_redis
from fakes.worker import open_workers
from pico_a1111_proxy.frames import convert
from service import RAW, TXT2IMG, Service, open_service

JOBS = 200
WORKERS = 4
SAME = {"prompt": "the same", "seed": 77, "steps": 3}


@dataclass(frozen=True)
class Fleet:
    """Two proxies, and the upstream with which all workers draw."""

    redis: RedisServer
    upstream: ScriptedA1111
    one: Service
    two: Service

    @property
    def prompts(self) -> list[str]:
        """What was drawn."""
        return [json.loads(seen.body)["prompt"] for seen in self.upstream.generations]


@pytest.fixture(scope="module")
async def _fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(tmp_path_factory.mktemp("redis")))
        upstream = await stack.enter_async_context(open_scripted_a1111())
        await stack.enter_async_context(open_workers(redis.url, *[upstream.url] * WORKERS))
        settings: dict[str, Any] = {"redis_url": redis.url, "fleet": "celery", "max_workers": 50, "queue_size": 100}
        one, two = [
            await stack.enter_async_context(open_service(cache_dir=str(tmp_path_factory.mktemp("cache")), **settings))
            for _ in range(2)
        ]
        for service in (one, two):
            await workers_of(service, WORKERS)
        yield Fleet(redis, upstream, one, two)


@pytest.fixture
async def fleet(_fleet: Fleet) -> AsyncIterator[Fleet]:
    """The fleet with nothing to do; its upstream is as new."""
    _fleet.upstream.reset()
    yield _fleet
    for service in (_fleet.one, _fleet.two):
        await queue_of(service, in_flight=0)
        await line_of(service, 0)


@pytest.fixture
async def drawing(fleet: Fleet) -> AsyncIterator[Drawing]:
    fleet.upstream.standing = drawing = Drawing()
    yield drawing
    drawing.now.set()


async def workers_of(service: Service, count: int) -> Any:
    """Until so many take jobs; what health says of the fleet then."""
    for _ in range(600):
        told = (await service.health())["fleet"]
        if told["taking"] == count:
            return told
        await asyncio.sleep(0.05)
    pytest.fail(f"There never were {count} workers: {told}")


async def until_ready(service: Service) -> None:
    for _ in range(600):
        if (await service.ask("GET", "/ready")).status == 200:
            return
        await asyncio.sleep(0.05)
    pytest.fail("It never was ready")


async def line_of(service: Service, waiting: int) -> None:
    """Until so many stand in the line; it is looked at once a second."""
    for _ in range(600):
        if (await service.health())["queue"]["waiting"] == waiting:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"There never were {waiting} in line")


# --- Many -------------------------------------------------------------------------------------------------------


async def test_each_job_is_drawn_once_and_answered_with_its_own_picture(fleet: Fleet) -> None:
    marks = Marks()
    fleet.upstream.standing = marks.reply
    half = JOBS // 2
    asked = [ask_for_all(fleet.one, range(half), 30, 60), ask_for_all(fleet.two, range(half, JOBS), 30, 60)]
    tallies = await asyncio.gather(*asked)
    assert [tally.improper for tally in tallies] == [[], []]
    assert [tally.statuses for tally in tallies] == [Counter({200: half})] * 2
    assert marks.generated == Counter(range(JOBS))
    assert len(fleet.upstream.generations) == JOBS
    assert fleet.upstream.most_inside <= WORKERS


# --- Two proxies ------------------------------------------------------------------------------------------------


async def test_the_same_is_drawn_once_for_both(fleet: Fleet, drawing: Drawing) -> None:
    first = asyncio.create_task(fleet.one.frame(SAME))
    await fleet.upstream.wait_for(1)
    second = asyncio.create_task(fleet.two.frame(SAME))
    await queue_of(fleet.one, in_flight=1)
    drawing.now.set()
    answers = [await first, await second, await fleet.two.frame(SAME)]
    assert [(got.status, got.body) for got in answers] == [(200, FRAME.data)] * 3
    assert [got.headers["X-Cache"] for got in answers] in (["miss", "joined", "hit"], ["miss", "hit", "hit"])
    assert fleet.prompts == ["the same"]


async def test_both_tell_who_draws(fleet: Fleet) -> None:
    for service in (fleet.one, fleet.two):
        told = await workers_of(service, WORKERS)
        assert [worker["name"] for worker in told["workers"]] == ["w1", "w2", "w3", "w4"]
        assert (told["redis"], told["states"]["stuck"], told["states"]["paused"]) == ("up", 0, 0)
        await until_ready(service)
        health = await service.health()
        assert (health["status"], health["upstream"]["state"]) == ("ok", "usable")


async def test_a_job_of_one_is_fetched_at_the_other(fleet: Fleet, drawing: Drawing) -> None:
    path = await begin(fleet.one, {"prompt": "later"})
    await fleet.upstream.wait_for(1)
    waiting = asyncio.create_task(fleet.two.ask("GET", f"{path}/frame?wait=30"))
    drawing.now.set()
    got = await waiting
    assert (got.status, got.body, got.headers["Content-Type"]) == (200, FRAME.data, RAW)
    assert (await fleet.two.ask("GET", path)).json()["state"] == "done"


# --- What comes through -----------------------------------------------------------------------------------------


async def test_the_original_is_the_upstreams_byte_for_byte(fleet: Fleet) -> None:
    body = answer(png(GREEN, (64, 64)), PICTURE, parameters={"a": "é"}).body.replace(b", ", b" ,\n")
    assert len(max(body.split(b'"'), key=len)) >= 100
    fleet.upstream.standing = Reply(body=body, headers=(("content-type", "application/json; charset=x"),))
    got = await fleet.one.txt2img({"prompt": "b"}, "?answer=original")
    assert (got.status, got.body, got.headers["Content-Type"]) == (200, body, "application/json; charset=x")


@pytest.mark.parametrize("kind", ["original", "json"])
async def test_a_refusal_is_the_upstreams_own(fleet: Fleet, kind: str) -> None:
    fleet.upstream.standing = refusal = said({"detail": "Sampler not found"}, 404)
    got = await fleet.two.txt2img({"prompt": "c", "sampler_name": "x"}, f"?answer={kind}")
    assert (got.status, got.body) == (404, refusal.body)
    assert fleet.prompts == ["c"]


async def test_what_is_being_drawn_can_be_seen(fleet: Fleet, drawing: Drawing) -> None:
    state = {"job": "x", "job_count": 1, "job_no": 0, "sampling_step": 7, "sampling_steps": 20}
    preview = png(GREEN)
    drawing.told = {"progress": 0.35, "eta_relative": 4.5, "state": state, "current_image": b64(preview)}
    work = asyncio.create_task(fleet.one.frame({"prompt": "d"}))
    for _ in range(600):
        seen = await fleet.one.ask("GET", PROGRESS, accept=RAW)
        if seen.status == 200:
            break
        assert seen.status == 204
        await asyncio.sleep(0.02)
    assert (seen.status, seen.body) == (200, convert(preview, DEFAULT).data)
    told = (await fleet.one.ask("GET", PROGRESS)).json()
    assert (told["progress"], told["state"]["sampling_step"], told["current_image"]) == (0.35, 7, b64(preview))
    drawing.now.set()
    assert (await work).body == FRAME.data


# --- Who is not served ------------------------------------------------------------------------------------------


async def test_without_a_worker_nobody_waits(fleet: Fleet) -> None:
    nobody = fleet.redis.url.removesuffix("/0") + "/5"
    async with open_service(redis_url=nobody, fleet="celery") as service:
        got = await service.frame({"prompt": "e"})
        assert (got.status, got.json()["code"]) == (503, 503)
        assert 1 <= int(got.headers["Retry-After"]) <= 120
        health = await service.health()
        assert (health["status"], health["fleet"]["taking"], health["fleet"]["redis"]) == ("degraded", 0, "up")
        assert (await service.ask("GET", "/ready")).status == 503
    assert fleet.prompts == []


async def test_who_hangs_up_in_line_is_never_drawn(fleet: Fleet) -> None:
    gate = asyncio.Event()
    held = replace(answer(PICTURE), gate=gate)
    fleet.upstream.standing = lambda seen: held if seen.method == "POST" else said({"state": {"job_count": 0}})
    busy = [asyncio.create_task(fleet.one.frame({"prompt": f"busy {nth}"})) for nth in range(WORKERS)]
    try:
        await fleet.upstream.wait_for(WORKERS)
        async with open_raw_client(fleet.one.port) as client:
            await client.send(post(TXT2IMG, b'{"prompt": "left"}', "Content-Type: application/json"))
            await line_of(fleet.two, 1)
            client.leave()
            await line_of(fleet.two, 0)
    finally:
        gate.set()
    assert [(await work).status for work in busy] == [200] * WORKERS
    for nth in range(WORKERS):
        assert (await fleet.two.frame({"prompt": f"after {nth}"})).status == 200
    drawn = {f"{when} {nth}" for when in ("busy", "after") for nth in range(WORKERS)}
    assert Counter(fleet.prompts) == Counter(drawn)
