"""The picture being drawn, as a frame where the server shows it; and nobody waits for who draws. Checks 48, 49."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from conformance.both import ORIGINAL, Both, Handler, assert_refused, definition, pictures, told
from fakes.a1111 import Reply, ScriptedA1111, Seen
from service import RAW, TXT2IMG, Service, open_service

PROGRESS = "/sdapi/v1/progress"
ASKED = [("GET", PROGRESS), ("POST", "/sdapi/v1/interrupt"), ("POST", "/sdapi/v1/skip"), ("GET", "/sdapi/v1/options")]


@pytest.fixture(scope="module")
async def roomy(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, max_workers=4, queue_size=16) as service:
        yield service


async def test_the_picture_being_drawn_is_a_frame(both: Both) -> None:
    both.made_with = {"busy": True}
    direct = await both.same("GET", PROGRESS)
    through = await both.ask_through("GET", PROGRESS, accept=RAW)
    if not both.server.has_progress:
        assert_refused(through, direct.status)
        return
    picture = base64.b64decode(direct.json()["current_image"])
    assert (through.status, through.body) == (200, definition(picture))
    at_a_display = await both.ask_through("GET", f"/displays/default{PROGRESS}", accept=RAW)
    assert at_a_display.body == through.body


async def test_nothing_is_drawn(both: Both) -> None:
    direct, through = await both.ask("GET", PROGRESS, None, "", accept=RAW)
    if both.server.has_progress:
        assert direct.json()["current_image"] is None
        assert (through.status, through.body) == (204, b"")
    else:
        assert_refused(through, direct.status)


async def test_check_49_progress_is_told_while_others_wait(both: Both) -> None:
    alone = [await both.ask_direct(*ask) for ask in ASKED]
    gate = asyncio.Event()

    def slowly(server: Handler) -> Handler:
        def answer(seen: Seen) -> Reply:
            return replace(server(seen), gate=gate) if seen.target == TXT2IMG else server(seen)

        return answer

    both.dress = slowly
    both.renew()
    busy = [asyncio.create_task(both.through.txt2img(both.body(), accept=RAW)) for _ in range(6)]
    try:
        await both.upstream.wait_for(4)
        for (method, path), said in zip(ASKED, alone, strict=True):
            got = await both.through.ask(method, ORIGINAL + path, accept_encoding="identity")
            assert told(got) == told(said)
    finally:
        gate.set()
        answers = await asyncio.gather(*busy)
    assert {got.status for got in answers} == {200}


async def test_check_48_a_crowd_is_let_in_by_four_and_each_gets_its_own(a1111: Both, roomy: Service) -> None:
    seeds = range(20)
    alone = [definition(pictures(await a1111.ask_direct("POST", TXT2IMG, a1111.body(seed=seed)))[0]) for seed in seeds]
    gate = asyncio.Event()
    a1111.dress = lambda server: lambda seen: replace(server(seen), gate=gate)
    a1111.renew()
    asked = [asyncio.create_task(roomy.txt2img(a1111.body(seed=seed), accept=RAW)) for seed in seeds]
    try:
        await a1111.upstream.wait_for(4)
    finally:
        gate.set()
        answers = await asyncio.gather(*asked)
    assert [got.body for got in answers] == alone
    assert len(set(alone)) == len(seeds)
    assert a1111.upstream.most_inside == 4
