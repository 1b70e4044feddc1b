"""Scenes: a proxy before a scripted upstream, whose generations end when the test says so."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from fakes.pictures import RED, b64, png
from fakes.turns import no_task_is_left, turns
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.archive import Archive, Cache
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.gate import Gate
from pico_a1111_proxy.jobs import Generation, Job, Progress
from pico_a1111_proxy.newest import Newest
from pico_a1111_proxy.proxy import Condition, Finding, Proxy, RelayAnswer, RelayRequest

DISPLAY = default_display(4, 4, invert=True)
WIDE = replace(DISPLAY, name="wide", width=8)
RANDOM = Job("txt2img", b"{}", DISPLAY)
SEEDED = replace(RANDOM, key="7", repeatable=True)


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

    def stage(self, job: Job, *, closely: bool = False) -> None:
        return None

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
async def scene(
    outcome: Exception | Generation | None = None, places: int = 2, cache: Cache | None = None
) -> AsyncIterator[Scene]:
    """`cache` is what the proxy remembers in, None for a proxy that does not."""
    async with no_task_is_left():
        with ThreadPoolExecutor(1) as threads:
            upstream = Scripted(outcome) if outcome else Scripted()
            newest = Newest({DISPLAY.name: DISPLAY}, threads)
            archive = Archive(cache, 3600, time.monotonic)
            proxy = Proxy(upstream, Gate(places, 2, time.monotonic), archive, threads, newest)
            try:
                yield Scene(upstream, proxy, newest, threads)
            finally:
                await proxy.close()
                assert (proxy.gate.inside, proxy.gate.waiting) == (0, 0)
