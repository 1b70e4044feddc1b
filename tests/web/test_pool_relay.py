"""The relay before several upstreams: what goes to all of them, what to one, and what clients see of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer, said
from fakes.failures import closed_port
from fakes.pictures import png
from service import Service, open_service

OPTIONS = "/sdapi/v1/options"
PROGRESS = "/sdapi/v1/progress"


@pytest.fixture
async def pooled(one: ScriptedA1111, two: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=f"{one.url}, {two.url}/") as service:
        yield service


@pytest.mark.parametrize("base", ["", "/original", "/displays/default"])
async def test_options_are_set_everywhere_and_read_from_the_first(
    pooled: Service, one: ScriptedA1111, two: ScriptedA1111, base: str
) -> None:
    one.standing, two.standing = said({"one": 1}), said({"two": 2})
    got = await pooled.ask("POST", base + OPTIONS, {"CLIP_stop_at_last_layers": 2})
    assert (got.status, got.json()) == (200, {"one": 1})
    assert [seen.body for seen in one.seen] == [seen.body for seen in two.seen]
    assert one.seen[0].header("content-length") == two.seen[0].header("content-length") == "31"
    for _ in range(2):
        assert (await pooled.ask("GET", base + OPTIONS)).json() == {"one": 1}
    assert (len(one.seen), len(two.seen)) == (3, 1)


async def test_options_over_a_megabyte_are_refused(pooled: Service, one: ScriptedA1111, two: ScriptedA1111) -> None:
    got = await pooled.ask("POST", OPTIONS, b"{" + b" " * 2**20 + b"}", content_type="application/json")
    assert got.status == 413
    assert one.seen == two.seen == []


async def test_progress_is_that_of_the_one_that_draws(pooled: Service, one: ScriptedA1111, two: ScriptedA1111) -> None:
    await pooled.frame()
    held = asyncio.Event()
    two.script = [replace(answer(png()), gate=held)]
    two.standing = said({"progress": 0.7, "state": {"job_count": 1}})
    one.standing = said({"progress": 0.0, "state": {"job_count": 0}})
    drawing = asyncio.create_task(pooled.frame())
    await two.wait_for(1)
    assert (await pooled.ask("GET", PROGRESS)).json()["progress"] == 0.7
    held.set()
    assert (await drawing).status == 200
    assert (await pooled.ask("GET", PROGRESS)).json()["progress"] == 0.0


async def test_a_page_comes_from_the_next_while_the_first_is_down(two: ScriptedA1111) -> None:
    two.standing = Reply(body=b"two")
    with closed_port() as address:
        async with open_service(a1111_base_url=f"{address},{two.url}") as service:
            for method, path in (("GET", OPTIONS), ("POST", OPTIONS), ("POST", "/sdapi/v1/png-info")):
                got = await service.ask(method, path, {} if method == "POST" else None)
                assert (got.status, got.body) == (200, b"two")
