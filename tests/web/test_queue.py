"""The gate through the wire: what is in flight is bounded, what waits is bounded, the rest is refused at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from fakes.a1111 import ScriptedA1111, answer
from fakes.failures import CUT_OFF, IN_TROUBLE, NONSENSE, REJECTED, UNREADABLE
from fakes.pictures import png
from service import Said, Service, open_service

PLACES, LINE, TOO_MANY = 2, 3, 7


@pytest.fixture(scope="module")
async def gated_service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, max_workers=PLACES, queue_size=LINE) as service:
        yield service


@pytest.fixture
def gated(gated_service: Service, upstream: ScriptedA1111) -> Service:
    """The service with MAX_WORKERS=2 and QUEUE_SIZE=3; `upstream` is as new."""
    return gated_service


@pytest.fixture
async def gate(upstream: ScriptedA1111) -> AsyncIterator[asyncio.Event]:
    """Closed: the upstream takes every request, and answers none until this is set."""
    gate = asyncio.Event()
    upstream.standing = replace(answer(png()), gate=gate)
    yield gate
    gate.set()


async def wait_until(service: Service, **queue: int) -> None:
    """Until /health tells these figures; it answers in between, however full the queue is."""
    for _ in range(500):
        now = (await service.health())["queue"]
        if queue.items() <= now.items():
            return
    raise AssertionError(now)


async def first(count: int, asked: list[asyncio.Task[Said]]) -> list[Said]:
    """The answers that come first, exactly so many."""
    pending = set(asked)
    while len(asked) - len(pending) < count:
        done, pending = await asyncio.wait(pending, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert done, "nobody was answered for ten seconds"
    return [task.result() for task in asked if task not in pending]


def refused(answers: list[Said]) -> list[Said]:
    return [got for got in answers if got.status == 503]


async def test_the_bounds_are_exact(gated: Service, upstream: ScriptedA1111, gate: asyncio.Event) -> None:
    asked = [asyncio.create_task(gated.frame({"n": n})) for n in range(PLACES + LINE + TOO_MANY)]
    # Nobody is served before the gate opens, so those that are done now were refused, and at once.
    early = await first(TOO_MANY, asked)
    assert len(refused(early)) == TOO_MANY
    for got in early:
        assert got.json() == {"error": "The queue is full", "code": 503, "detail": "The queue is full"}
        assert got.headers["Retry-After"].isdigit()
        assert 1 <= int(got.headers["Retry-After"]) <= 120
    await upstream.wait_for(PLACES)
    await wait_until(gated, in_flight=PLACES, waiting=LINE)
    assert len(upstream.generations) == PLACES
    gate.set()
    answers = await asyncio.gather(*asked)
    assert sorted(got.status for got in answers) == [200] * (PLACES + LINE) + [503] * TOO_MANY
    assert len(upstream.generations) == PLACES + LINE
    assert upstream.most_inside == PLACES
    await wait_until(gated, in_flight=0, waiting=0)


@pytest.mark.parametrize("how", ["frame", "preview", "json", "original"])
async def test_check_52_a_full_queue_says_so_in_every_answer(gated: Service, gate: asyncio.Event, how: str) -> None:
    asked = [asyncio.create_task(gated.frame()) for _ in range(PLACES + LINE)]
    await wait_until(gated, in_flight=PLACES, waiting=LINE)
    got = await gated.txt2img({}, f"?answer={how}")
    assert (got.status, got.json()["code"]) == (503, 503)
    assert int(got.headers["Retry-After"]) >= 1
    gate.set()
    assert {got.status for got in await asyncio.gather(*asked)} == {200}


async def test_check_48_they_are_served_in_the_order_they_came(gated: Service, upstream: ScriptedA1111) -> None:
    count = PLACES + LINE
    gates = [asyncio.Event() for _ in range(count)]
    upstream.standing = lambda seen: replace(answer(png()), gate=gates[json.loads(seen.body)["n"]])
    asked = []
    for n in range(count):
        asked.append(asyncio.create_task(gated.frame({"n": n})))
        await wait_until(gated, in_flight=min(n + 1, PLACES), waiting=max(0, n + 1 - PLACES))
    await upstream.wait_for(PLACES)
    for n in range(count):
        gates[n].set()
        assert (await asked[n]).status == 200
        # Who leaves makes room for exactly the one at the head of the line.
        await upstream.wait_for(min(n + 1 + PLACES, count))
        assert [json.loads(seen.body)["n"] for seen in upstream.seen[PLACES:]] == list(
            range(PLACES, min(n + 1 + PLACES, count))
        )
    assert upstream.most_inside == PLACES


async def test_health_and_bad_requests_wait_for_nobody(gated: Service, gate: asyncio.Event) -> None:
    asked = [asyncio.create_task(gated.frame()) for _ in range(PLACES + LINE)]
    await wait_until(gated, in_flight=PLACES, waiting=LINE)
    health = await gated.health()
    full = {"in_flight": PLACES, "waiting": LINE, "places": PLACES, "line": LINE}
    assert health["queue"].items() >= full.items()
    assert (await gated.frame(b"{bad")).status == 422
    assert (await gated.frame(query="?fit=x")).status == 422
    assert (await gated.ask("GET", "/docs")).status == 200
    gate.set()
    await asyncio.gather(*asked)


BAD_ENDS: list[Any] = [
    CUT_OFF["hangs up in the body"],
    IN_TROUBLE["A1111 crashed"],
    NONSENSE["html"],
    UNREADABLE["a path"],
    REJECTED["A1111 validates"][0],
]


@pytest.mark.parametrize("reply", BAD_ENDS, ids=range(len(BAD_ENDS)))
async def test_a_failure_frees_its_place(gated: Service, upstream: ScriptedA1111, reply: Any) -> None:
    upstream.standing = reply
    for _ in range(PLACES + LINE + 1):
        assert (await gated.frame()).status >= 400
    await wait_until(gated, in_flight=0, waiting=0)
    assert len(upstream.generations) == PLACES + LINE + 1


async def test_stopping_sends_the_line_away_and_finishes_what_runs(
    upstream: ScriptedA1111, gate: asyncio.Event
) -> None:
    async with open_service(a1111_base_url=upstream.url, max_workers=1, queue_size=1) as service:
        inside = asyncio.create_task(service.frame())
        await upstream.wait_for(1)
        waiting = asyncio.create_task(service.frame())
        await wait_until(service, waiting=1)
        assert service.server
        service.server.should_exit = True
        away = await waiting
        assert away.status == 503
        assert away.json()["error"] == "The service is shutting down"
        assert int(away.headers["Retry-After"]) >= 1
        gate.set()
        assert (await inside).status == 200
    assert len(upstream.generations) == 1


async def test_who_says_how_long_it_waits_stands_in_line_no_longer(
    gated: Service, upstream: ScriptedA1111, gate: asyncio.Event
) -> None:
    asked = [asyncio.create_task(gated.frame({"prompt": "x"})) for _ in range(PLACES)]
    await wait_until(gated, in_flight=PLACES)
    refused = await gated.frame({"prompt": "left"}, prefer="wait=0")
    assert (refused.status, refused.json()["error"]) == (503, "No place came free in time")
    assert int(refused.headers["Retry-After"]) >= 1
    await wait_until(gated, in_flight=PLACES, waiting=0)
    gate.set()
    assert [got.status for got in await asyncio.gather(*asked)] == [200] * PLACES
    # What has begun is not given up for it.
    assert (await gated.frame(prefer="wait=0")).status == 200
    assert not [seen for seen in upstream.generations if b"left" in seen.body]


async def test_who_joins_waits_for_as_long_as_it_says_and_the_others_for_as_long_as_they_say(
    gated: Service, upstream: ScriptedA1111, gate: asyncio.Event
) -> None:
    asked = [asyncio.create_task(gated.frame({"prompt": "x"})) for _ in range(PLACES)]
    await wait_until(gated, in_flight=PLACES)
    patient = asyncio.create_task(gated.frame({"seed": 7}))
    await wait_until(gated, waiting=1)
    assert (await gated.frame({"seed": 7}, prefer="wait=0")).status == 503
    gate.set()
    assert (await patient).status == 200
    await asyncio.gather(*asked)
