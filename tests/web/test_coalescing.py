"""The same job once: equal jobs with a seed share a generation, whoever leaves; random ones never do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from fakes.a1111 import ScriptedA1111
from fakes.clients import RawClient, open_raw_client, post
from fakes.pictures import RED, png
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert
from service import RAW, TXT2IMG, Service, open_service

JOB = {"prompt": "a", "seed": 7, "steps": 3}
FRAME = convert(png(RED), default_display(240, 240, invert=True)).data


@pytest.fixture(scope="module")
async def _single(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, max_workers=1, queue_size=3, enable_caching=False) as service:
        yield service


@pytest.fixture
def single(_single: Service, upstream: ScriptedA1111) -> Service:
    """A service with one place, a line of three and no cache; `upstream` is as new."""
    return _single


async def arrived(service: Service, count: int) -> None:
    """Until so many requests are being answered, as the server counts them."""
    assert service.server is not None
    for _ in range(2000):
        if len(service.server.server_state.tasks) >= count:
            return
        await service.health()
    pytest.fail("They never came")


async def test_equal_jobs_are_drawn_once(single: Service, upstream: ScriptedA1111, gate: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        clients = await many(single, stack, 100)
        await upstream.wait_for(1)
        await arrived(single, 100)
        assert (await single.health())["queue"]["waiting"] == 0  # they stand in no line either
        gate.set()
        heard = await asyncio.gather(*(client.hear() for client in clients))
    assert len(upstream.generations) == 1
    assert {(got.status, got.body) for got in heard} == {(200, FRAME)}
    assert sorted(got["X-Cache"] for got in heard) == ["joined"] * 99 + ["miss"]


async def test_other_displays_and_answers_share_it_too(
    single: Service, upstream: ScriptedA1111, gate: asyncio.Event
) -> None:
    queries = [
        "?answer=frame",
        "?answer=json",
        "?answer=preview",
        "?width=128&height=64&format=mono-hlsb&answer=frame",
        "?width=8&height=8&answer=frame",
    ]
    asked = [asyncio.create_task(single.txt2img(JOB, query)) for query in queries]
    asked.append(asyncio.create_task(single.frame({"steps": 3, "seed": 7, "prompt": "a"})))  # in another order
    await upstream.wait_for(1)
    await arrived(single, len(asked))
    gate.set()
    answers = await asyncio.gather(*asked)
    assert [got.status for got in answers] == [200] * 6
    assert len(upstream.generations) == 1
    assert [len(got.body) for got in (answers[0], answers[3], answers[4])] == [115200, 1024, 128]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"prompt": "a"}, {"prompt": "a"}),
        ({**JOB, "seed": -1}, {**JOB, "seed": -1}),
        (JOB, {**JOB, "steps": 4}),
    ],
)
async def test_what_may_be_another_picture_is_drawn_for_itself(
    single: Service, upstream: ScriptedA1111, gate: asyncio.Event, one: dict[str, object], other: dict[str, object]
) -> None:
    asked = [asyncio.create_task(single.frame(body)) for body in (one, other)]
    await arrived(single, 2)
    gate.set()
    assert [got.headers["X-Cache"] for got in await asyncio.gather(*asked)] == ["miss", "miss"]
    assert len(upstream.generations) == 2


async def test_the_originals_are_never_shared(single: Service, upstream: ScriptedA1111, gate: asyncio.Event) -> None:
    asked = [asyncio.create_task(single.txt2img(JOB, "?answer=original")) for _ in range(2)]
    await arrived(single, 2)
    gate.set()
    await asyncio.gather(*asked)
    assert len(upstream.generations) == 2


async def many(service: Service, stack: AsyncExitStack, count: int) -> list[RawClient]:
    """So many who ask for the same, on connections of their own."""
    body = b'{"prompt": "a", "seed": 7, "steps": 3}'
    clients = [await stack.enter_async_context(open_raw_client(service.port)) for _ in range(count)]
    for client in clients:
        await client.send(post(TXT2IMG, body, f"Accept: {RAW}", "Connection: close"))
    return clients


async def test_the_leader_may_leave(single: Service, upstream: ScriptedA1111, gate: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        (leader,) = await many(single, stack, 1)
        await upstream.wait_for(1)
        clients = await many(single, stack, 99)
        await arrived(single, 100)
        leader.leave()
        for _ in range(50):
            await single.health()
        gate.set()
        heard = await asyncio.gather(*(client.hear() for client in clients))
    assert {(got.status, got.body) for got in heard} == {(200, FRAME)}
    assert {got["X-Cache"] for got in heard} == {"joined"}
    assert len(upstream.generations) == 1


async def test_with_the_last_who_leaves_the_work_is_cancelled(
    single: Service, upstream: ScriptedA1111, gate: asyncio.Event
) -> None:
    async with AsyncExitStack() as stack:
        clients = await many(single, stack, 100)
        await upstream.wait_for(1)
        await arrived(single, 100)
        for client in clients:
            client.leave()
        for _ in range(2000):
            if not (await single.health())["queue"]["in_flight"] and not upstream.inside:
                break
        else:
            pytest.fail("The upstream is still at it")
    assert len(upstream.generations) == 1
