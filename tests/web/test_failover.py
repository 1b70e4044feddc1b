"""Several upstreams as a client meets them: pictures come as long as one works, and never twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer
from fakes.failures import CUT_OFF, IN_TROUBLE, closed_port
from fakes.pictures import png
from service import Service, open_service


@pytest.fixture
async def pooled(one: ScriptedA1111, two: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=f"{one.url},{two.url}") as service:
        yield service


async def test_both_draw(pooled: Service, one: ScriptedA1111, two: ScriptedA1111) -> None:
    got = await asyncio.gather(*(pooled.frame({"seed": -1, "n": n}) for n in range(6)))
    assert [said.status for said in got] == [200] * 6
    assert len(one.generations) + len(two.generations) == 6
    assert one.generations
    assert two.generations


async def test_nobody_notices_that_one_is_gone(two: ScriptedA1111) -> None:
    with closed_port() as address:
        async with open_service(a1111_base_url=f"{address},{two.url}") as service:
            for n in range(6):
                assert (await service.frame({"n": n})).status == 200
            health = await service.health()
    assert len(two.generations) == 6
    assert health["status"] == "ok"
    assert address.rpartition(":")[2] not in str(health["upstream"])


async def test_with_none_left_it_is_an_error_at_once() -> None:
    with closed_port() as one, closed_port() as two:
        async with open_service(a1111_base_url=f"{one},{two}") as service:
            for _ in range(3):
                got = await service.frame()
                assert (got.status, got.json()["error"]) == (502, "Upstream A1111 service unavailable")


@pytest.mark.parametrize("reply", [CUT_OFF["hangs up"], CUT_OFF["hangs up in the body"], IN_TROUBLE["A1111 crashed"]])
async def test_what_was_sent_is_an_error_and_not_drawn_twice(
    pooled: Service, one: ScriptedA1111, two: ScriptedA1111, reply: Reply
) -> None:
    one.standing = two.standing = reply
    assert (await pooled.frame()).status == 502
    assert len(one.generations) + len(two.generations) == 1


async def test_one_that_hangs_keeps_its_job_and_the_other_draws_on(one: ScriptedA1111, two: ScriptedA1111) -> None:
    goes_on = asyncio.Event()
    one.standing = replace(answer(png()), gate=goes_on)
    async with open_service(a1111_base_url=f"{one.url},{two.url}", max_workers=2) as service:
        asked = [asyncio.create_task(service.frame({"n": n})) for n in range(8)]
        await asyncio.gather(one.wait_for(1), two.wait_for(7))
        goes_on.set()
        assert {said.status for said in await asyncio.gather(*asked)} == {200}
    assert (len(one.generations), len(two.generations)) == (1, 7)
