"""Workers at work for a test: what they draw with, and what is asked of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, said
from fakes.pictures import png
from fakes.redis import RedisServer
from fakes.waiting import until
from fakes.worker import Asking, WorkerProcess, open_workers
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.fleet.link import PREFIX
from pico_a1111_proxy.jobs import Generation, Job, Priority

DISPLAY = default_display(8, 8, invert=True)
IDLE: dict[str, Any] = {"progress": 0.0, "eta_relative": 0.0, "state": {"job_count": 0, "sampling_steps": 0}}


@asynccontextmanager
async def taking(
    asking: Asking, redis: RedisServer, *upstreams: str, **more: Any
) -> AsyncIterator[list[WorkerProcess]]:
    """Workers that take jobs, one for each upstream."""
    async with open_workers(redis.url, *upstreams, **more) as workers:
        await asking.until_taking(*(worker.name for worker in workers))
        yield workers


def job(prompt: str = "a", priority: Priority = "interactive") -> Job:
    return Job("txt2img", json.dumps({"prompt": prompt}).encode(), DISPLAY, priority=priority)


def prompts(upstream: ScriptedA1111) -> list[str]:
    return [json.loads(seen.body)["prompt"] for seen in upstream.generations if "txt2img" in seen.target]


class Drawing:
    """How an upstream draws: each picture once `now` is set; and what it tells of its progress meanwhile."""

    def __init__(self, upstream: ScriptedA1111) -> None:
        self.now = asyncio.Event()
        self.told: dict[str, Any] = IDLE
        self.asked = 0
        upstream.standing = self

    def __call__(self, seen: Seen) -> Reply:
        if "progress" in seen.target:
            self.asked += 1
            return said(self.told)
        return replace(answer(png()), gate=self.now) if "txt2img" in seen.target else said({})


def ask(asking: Asking, prompt: str = "a", priority: Priority = "interactive") -> asyncio.Task[Generation]:
    return asyncio.create_task(asking.fleet.generate(job(prompt, priority)))


async def drawn(upstream: ScriptedA1111, count: int) -> None:
    await until(lambda: len(prompts(upstream)) == count, f"never were {count}: {prompts(upstream)}")


async def nothing_is_left(asking: Asking) -> None:
    """No message waits at Celery, none is unacknowledged, and what is left of jobs is so for a while only."""
    redis = asking.link.redis
    await asking.fleet.close()
    for _ in range(1000):
        names = {name.decode().removeprefix(PREFIX) async for name in redis.scan_iter() if await redis.ttl(name) == -1}
        names = {name for name in names if name != "job_seconds" and not name.startswith("_kombu.binding")}
        if not names:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"These stay for ever: {names}")
