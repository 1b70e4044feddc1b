"""What is relayed waits behind no generation. Checks 49 and 50, and 54 and 55 while somebody draws."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, said
from fakes.pictures import png
from service import Said, Service, open_service

PLACES, LINE = 1, 50
BASES = ["", "/original", "/displays/default"]
BESIDE = {
    ("GET", "/sdapi/v1/progress"): said({"progress": 0.5, "state": {"job_count": 1}, "current_image": None}),
    ("POST", "/sdapi/v1/interrupt"): Reply(body=b"{}"),
    ("POST", "/sdapi/v1/skip"): Reply(body=b"null"),
    ("GET", "/sdapi/v1/options"): said({"sd_model_checkpoint": "x"}),
    ("POST", "/sdapi/v1/options"): Reply(body=b"null"),
    ("GET", "/sdapi/v1/sd-models"): said([{"title": "x"}]),
    ("POST", "/internal/progress"): said({"active": True}),
    ("GET", "/internal/ping"): Reply(body=b"{}"),
    ("GET", "/controlnet/version"): said({"version": 3}),
}


@pytest.fixture(scope="module")
async def busy_service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, max_workers=PLACES, queue_size=LINE) as service:
        yield service


@pytest.fixture
async def gate(upstream: ScriptedA1111) -> AsyncIterator[asyncio.Event]:
    """Closed: who draws is not answered before it is set; all else is answered at once."""
    gate = asyncio.Event()
    drawn = replace(answer(png()), gate=gate)

    def choose(seen: Seen) -> Reply:
        if seen.target.endswith("?skip_current_image=true"):
            return said({"state": {"job_count": 0}})  # the service asks whether it is idle, when a client has left
        return drawn if seen.target.endswith("2img") else BESIDE[seen.method, seen.target]

    upstream.standing = choose
    yield gate
    gate.set()


@pytest.fixture
async def busy(
    busy_service: Service, upstream: ScriptedA1111, gate: asyncio.Event
) -> AsyncIterator[tuple[Service, list[asyncio.Task[Said]]]]:
    """The service while one draws and all places in line are taken, and those who wait."""
    bases = [BASES[n % len(BASES)] for n in range(PLACES + LINE)]
    asked = [asyncio.create_task(busy_service.ask("POST", f"{base}/sdapi/v1/txt2img", {"n": 1})) for base in bases]
    for _ in range(1000):
        queue = (await busy_service.health())["queue"]
        if queue["in_flight"] == PLACES and queue["waiting"] == LINE:
            break
    assert queue["waiting"] == LINE
    await upstream.wait_for(PLACES)
    upstream.seen.clear()
    yield busy_service, asked
    gate.set()
    assert {got.status for got in await asyncio.gather(*asked)} == {200}


async def test_check_49_all_else_is_answered_while_one_draws_and_fifty_wait(
    busy: tuple[Service, list[asyncio.Task[Said]]], upstream: ScriptedA1111, gate: asyncio.Event
) -> None:
    service, asked = busy
    for base in BASES:
        for (method, path), reply in BESIDE.items():
            got = await service.ask(method, base + path, b"{}" if method == "POST" else None)
            assert (got.status, got.body) == (200, reply.body), f"{method} {base}{path}"
    # The gate is closed still: nobody who draws has been answered.
    assert not gate.is_set()
    assert not any(task.done() for task in asked)
    assert [(seen.method, seen.target) for seen in upstream.seen] == list(BESIDE) * len(BASES)


async def test_check_49_the_line_is_full_and_says_so(
    busy: tuple[Service, list[asyncio.Task[Said]]], upstream: ScriptedA1111
) -> None:
    service, _ = busy
    for base in BASES:
        assert (await service.ask("POST", f"{base}/sdapi/v1/txt2img", {})).status == 503
        assert (await service.ask("POST", f"{base}/sdapi/v1/img2img", {})).status == 503
    assert not upstream.seen


@pytest.mark.parametrize("base", BASES)
async def test_check_50_an_interrupt_goes_straight_up_and_the_partial_answer_comes_down(
    busy_service: Service, upstream: ScriptedA1111, base: str
) -> None:
    interrupted = asyncio.Event()
    partial = replace(answer(png((7, 7, 7)), info='{"index_of_first_image": 0, "interrupted": true}'), gate=interrupted)

    def choose(seen: Seen) -> Reply:
        if seen.target == "/sdapi/v1/interrupt":
            interrupted.set()
            return Reply(body=b"{}")
        return partial

    upstream.standing = choose
    drawing = asyncio.create_task(busy_service.ask("POST", "/original/sdapi/v1/txt2img", {"batch_size": 4}))
    await upstream.wait_for(1)
    waiting = asyncio.create_task(busy_service.ask("POST", "/original/sdapi/v1/txt2img", {"batch_size": 4}))
    got = await busy_service.ask("POST", f"{base}/sdapi/v1/interrupt", b"")
    assert (got.status, got.body) == (200, b"{}")
    for task in (drawing, waiting):
        answered = await task
        assert (answered.status, answered.body) == (200, partial.body)


async def test_many_may_be_relayed_at_once(busy_service: Service, upstream: ScriptedA1111) -> None:
    gate = asyncio.Event()
    upstream.standing = Reply(body=b"[]", gate=gate)
    asked = [asyncio.create_task(busy_service.ask("GET", "/sdapi/v1/sd-models")) for _ in range(60)]
    # All of them are inside before one is answered, whatever MAX_WORKERS is; and a drawing is let in beside them.
    await upstream.wait_for(60)
    drawing = asyncio.create_task(busy_service.txt2img())
    await upstream.wait_for(61)
    upstream.standing = answer(png())
    gate.set()
    assert {got.body for got in await asyncio.gather(*asked)} == {b"[]"}
    assert (await drawing).status == 502  # a list is no picture
    assert upstream.most_inside == 61


async def test_relaying_takes_no_place(busy_service: Service, upstream: ScriptedA1111) -> None:
    gate = asyncio.Event()
    upstream.standing = Reply(body=b"[]", gate=gate)
    asked = asyncio.create_task(busy_service.ask("POST", "/sdapi/v1/refresh-loras", b""))
    await upstream.wait_for(1)
    queue = (await busy_service.health())["queue"]
    assert (queue["in_flight"], queue["waiting"]) == (0, 0)
    gate.set()
    assert (await asked).status == 200


PATHS_OF_DRAWINGS = [
    *("/sdapi/v1/txt2img", "/sdapi/v1/img2img/", "/sdapi/v1/%74xt2img", "/sdapi/v1/%69mg2img/?a=b"),
    *("/sdapi%2fv1%2ftxt2img", "/sd%61pi/v1/txt2img", "/sdapi/v1/./txt2img", "/sdapi//v1/txt2img", "/txt2img"),
    # koboldcpp looks at the end of a path alone.
    *("/internal/sdapi/v1/txt2img", "/sdapi/v1/x/sdapi/v1/img2img", "/controlnet/sdapi/v1/txt2img/"),
]


async def test_every_drawing_stands_in_line(
    busy: tuple[Service, list[asyncio.Task[Said]]], upstream: ScriptedA1111
) -> None:
    service, _ = busy
    for target in (base + path for base in BASES for path in PATHS_OF_DRAWINGS):
        assert (await service.ask("POST", target, {})).status in (400, 404, 503), target
        assert not upstream.seen, target
