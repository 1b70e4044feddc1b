"""The proxy's work for a client that has left, and for a display that has got a newer picture meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from fakes.pictures import GREEN, RED, b64, png
from fakes.turns import turns
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import UpstreamUnavailable
from pico_a1111_proxy.gate import Gate
from pico_a1111_proxy.jobs import Generation, Job, Progress
from pico_a1111_proxy.newest import Newest, Published
from pico_a1111_proxy.proxy import Condition, Finding, Proxy, RelayAnswer, RelayRequest

JOB = Job("txt2img", b"{}", default_display(240, 240, invert=True), "none")


class Scripted:
    """An upstream that ends with `outcome` once `now` is set."""

    def __init__(self, outcome: Exception | Generation) -> None:
        self.begun = asyncio.Event()
        self.now = asyncio.Event()
        self._outcome = outcome

    async def generate(self, job: Job) -> Generation:
        self.begun.set()
        await self.now.wait()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def relay(self, request: RelayRequest) -> AbstractAsyncContextManager[RelayAnswer]:
        raise NotImplementedError

    async def progress(self) -> Progress:
        raise NotImplementedError

    async def check(self) -> Condition:
        raise NotImplementedError

    def examine(self) -> AsyncIterator[Finding]:
        raise NotImplementedError


async def fail_for_nobody(error: Exception) -> list[BaseException]:
    """What asyncio is told of `error`, which comes after the client has left."""
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context))
    upstream = Scripted(error)
    with ThreadPoolExecutor(1) as threads:
        proxy = Proxy(upstream, Gate(1, 0, time.monotonic), threads, Newest({}, threads))
        asked = asyncio.create_task(proxy.render(JOB))
        try:
            await asyncio.wait_for(upstream.begun.wait(), 10)
            asked.cancel()
            await asyncio.wait({asked})
            assert proxy.gate.inside == 1
            upstream.now.set()
            await turns()  # lets the work come to its end
            assert proxy.gate.inside == 0
            await proxy.close()
        finally:
            loop.set_exception_handler(before)
    assert asked.cancelled()
    return [context["exception"] for context in told]


async def test_a_bug_is_told_even_where_nobody_waits_any_more() -> None:
    bug = KeyError("a bug")
    assert await fail_for_nobody(bug) == [bug]


async def test_an_error_of_ours_is_nobodys_business_then() -> None:
    assert await fail_for_nobody(UpstreamUnavailable("down")) == []


async def test_closing_ends_the_work_and_gives_the_places_back() -> None:
    upstream = Scripted(UpstreamUnavailable("down"))
    with ThreadPoolExecutor(1) as threads:
        proxy = Proxy(upstream, Gate(2, 0, time.monotonic), threads, Newest({}, threads))
        first = asyncio.create_task(proxy.render(JOB))
        await asyncio.wait_for(upstream.begun.wait(), 10)
        second = asyncio.create_task(proxy.render(JOB))
        await asyncio.sleep(0)
        await proxy.close()
        assert proxy.gate.inside == 0
        for asked in (first, second):
            with pytest.raises(asyncio.CancelledError):
                await asked


async def test_a_picture_that_arrives_while_one_is_converted_is_newer_than_that() -> None:
    document = {"images": [b64(png(RED))], "parameters": {}, "info": "{}"}
    generation = Generation.read(Answer(200, (), json.dumps(document).encode()))
    upstream = Scripted(generation)
    upstream.now.set()
    display = default_display(4, 4, invert=True)
    with ThreadPoolExecutor(1) as threads:
        newest = Newest({display.name: display}, threads)
        proxy = Proxy(upstream, Gate(1, 0, time.monotonic), threads, newest)
        busy = threading.Event()
        threads.submit(busy.wait)  # so that converting lasts until the other picture is there
        asked = asyncio.create_task(proxy.render(Job("txt2img", b"{}", display)))
        try:
            await turns()  # lets it come to the converting
            pushed = Published(png(GREEN))
            newest.publish(display.name, pushed)
        finally:
            busy.set()
        assert (await asked).picture == png(RED)
        assert newest.get(display.name) is pushed
