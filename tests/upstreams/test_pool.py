"""The pool: the least busy is asked, who is down is left alone, and nothing is sent twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer, said
from fakes.failures import CUT_OFF, IN_TROUBLE, NO_HTTP, NONSENSE, REDIRECTS, REJECTED, UNAUTHORIZED, never
from fakes.pictures import png
from fakes.pools import Setup, counts, job, open_dead, pool_of
from pico_a1111_proxy import errors
from pico_a1111_proxy.proxy import RelayRequest
from pico_a1111_proxy.upstreams.circuit import COOL_DOWN_SECONDS, FAILURES_IN_A_ROW
from pico_a1111_proxy.upstreams.pool import Pool

CRASH = IN_TROUBLE["A1111 crashed"]


async def fails(pool: Pool, kind: type[errors.UpstreamError] = errors.UpstreamError) -> errors.UpstreamError:
    with pytest.raises(kind) as caught:
        await pool.generate(job())
    return caught.value


async def test_one_after_the_other_they_take_turns(both: Setup, one: ScriptedA1111, two: ScriptedA1111) -> None:
    for nth in range(1, 4):
        await both.pool.generate(job())
        await both.pool.generate(job())
        assert counts(one, two) == [nth, nth]


async def test_the_least_busy_is_asked(both: Setup, one: ScriptedA1111, two: ScriptedA1111) -> None:
    slow = asyncio.Event()
    one.standing = replace(answer(png()), gate=slow)
    first = asyncio.create_task(both.pool.generate(job()))
    await one.wait_for(1)
    assert both.in_flight() == [1, 0]
    for _ in range(3):
        await both.pool.generate(job())
    assert counts(one, two) == [1, 3]
    slow.set()
    await first
    assert both.in_flight() == [0, 0]


async def test_at_once_they_share_evenly(both: Setup, one: ScriptedA1111, two: ScriptedA1111) -> None:
    held = asyncio.Event()
    one.standing = two.standing = replace(answer(png()), gate=held)
    asked = [asyncio.create_task(both.pool.generate(job())) for _ in range(8)]
    await one.wait_for(4)
    await two.wait_for(4)
    assert both.in_flight() == [4, 4]
    held.set()
    await asyncio.gather(*asked)


async def test_what_was_not_sent_goes_to_the_next(two: ScriptedA1111) -> None:
    async with open_dead() as dead, pool_of(dead.url, two.url) as setup:
        for _ in range(10):
            await setup.pool.generate(job())
        assert (dead.connections, counts(two)) == (1, [10])
        assert setup.states() == ["open", "closed"]
        figures = setup.pool.members()[0]
        assert (figures.name, figures.in_flight) == ("upstream 1", 0)
        assert figures.words == "It can't be reached"


SENT: dict[str, Any] = {**CUT_OFF, **NO_HTTP, **IN_TROUBLE, **REDIRECTS, **{n: r for n, (r, _) in REJECTED.items()}}
SENT |= {"credentials": UNAUTHORIZED, "html": NONSENSE["html"], "an object": NONSENSE["an object without images"]}


@pytest.mark.parametrize("name", SENT)
async def test_what_may_have_been_sent_is_never_sent_again(
    both: Setup, one: ScriptedA1111, two: ScriptedA1111, name: str
) -> None:
    one.standing = two.standing = SENT[name]
    assert not (await fails(both.pool)).unsent
    assert sum(counts(one, two)) == 1


async def test_nor_is_what_is_not_answered_in_time(one: ScriptedA1111, two: ScriptedA1111) -> None:
    one.standing = two.standing = never()
    async with pool_of(one.url, two.url, seconds=1) as setup:
        await fails(setup.pool, errors.UpstreamTimeout)
    assert sum(counts(one, two)) <= 1


async def test_each_is_tried_at_most_once() -> None:
    async with open_dead() as one, open_dead() as two, open_dead() as three:
        async with pool_of(one.url, two.url, three.url) as setup:
            assert (await fails(setup.pool, errors.UpstreamUnavailable)).unsent
        assert [one.connections, two.connections, three.connections] == [1, 1, 1]


async def test_where_all_are_left_alone_one_is_tried_all_the_same() -> None:
    async with open_dead() as one, open_dead() as two, pool_of(one.url, two.url) as setup:
        await fails(setup.pool)
        for nth in range(1, 5):
            setup.clock.now += 1
            await fails(setup.pool)
            assert one.connections + two.connections == 2 + nth
        # By turns: the one that failed longest ago.
        assert (one.connections, two.connections) == (3, 3)


async def test_a_circuit_never_keeps_a_single_one_from_being_asked(one: ScriptedA1111) -> None:
    one.standing = CRASH
    async with pool_of(one.url) as setup:
        for _ in range(3 * FAILURES_IN_A_ROW):
            await fails(setup.pool)
        assert (counts(one), setup.states()) == ([3 * FAILURES_IN_A_ROW], ["open"])
        one.standing = answer(png())
        await setup.pool.generate(job())
        assert setup.states() == ["closed"]


async def test_the_dead_one_gets_one_probe_a_cool_down(two: ScriptedA1111) -> None:
    async with open_dead() as dead, pool_of(dead.url, two.url) as setup:
        for second in range(int(7 * COOL_DOWN_SECONDS)):
            setup.clock.now = float(second)
            for _ in range(2):
                await setup.pool.generate(job())
                await setup.pool.check()
                await setup.pool.progress()
                async with setup.pool.relay(RelayRequest("GET", "/sdapi/v1/options", ())):
                    pass
                async with setup.pool.relay(RelayRequest("POST", "/sdapi/v1/interrupt", ())):
                    pass
        # At 0, after 10, and after 20 more; 40 more are not over yet.
        assert dead.connections == 3


async def test_one_job_at_a_time_finds_out_whether_it_works_again(
    both: Setup, one: ScriptedA1111, two: ScriptedA1111
) -> None:
    one.standing = CRASH
    while both.states()[0] == "closed":
        await asyncio.gather(both.pool.generate(job()), both.pool.generate(job()), return_exceptions=True)
    crashed = counts(one)[0]
    assert crashed == FAILURES_IN_A_ROW
    two.seen.clear()
    await asyncio.gather(*(both.pool.generate(job()) for _ in range(5)))
    assert counts(one, two) == [crashed, 5]
    both.clock.now += COOL_DOWN_SECONDS
    held = asyncio.Event()
    one.standing = two.standing = replace(answer(png()), gate=held)
    asked = [asyncio.create_task(both.pool.generate(job())) for _ in range(6)]
    await one.wait_for(crashed + 1)
    await two.wait_for(10)
    assert counts(one, two) == [crashed + 1, 10]
    held.set()
    await asyncio.gather(*asked)
    assert both.states() == ["closed", "closed"]


@pytest.mark.parametrize("reply", [said({}, 422), said({}, 404), UNAUTHORIZED, said({}, 429)], ids=lambda r: r.status)
async def test_refused_requests_leave_all_in_use(
    both: Setup, one: ScriptedA1111, two: ScriptedA1111, reply: Reply
) -> None:
    one.standing = two.standing = reply
    for _ in range(4 * FAILURES_IN_A_ROW):
        await fails(both.pool)
    assert (both.states(), counts(one, two)) == (["closed"] * 2, [2 * FAILURES_IN_A_ROW] * 2)


async def test_so_do_clients_that_leave(both: Setup, one: ScriptedA1111, two: ScriptedA1111) -> None:
    one.standing = two.standing = never()
    for nth in range(1, 2 * FAILURES_IN_A_ROW + 1):
        leaving = [asyncio.create_task(both.pool.generate(job())) for _ in range(2)]
        await one.wait_for(nth)
        await two.wait_for(nth)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
    assert (both.states(), both.in_flight()) == (["closed"] * 2, [0, 0])
