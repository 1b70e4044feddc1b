"""The pool and its members: who had a job that nobody wants any more, how each is, and how far."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace

import pytest

from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, said
from fakes.failures import IN_TROUBLE, closed_port, never
from fakes.pictures import png
from fakes.pools import LIMIT, Setup, counts, job, open_dead, pool_of
from fakes.turns import turns
from pico_a1111_proxy import errors
from pico_a1111_proxy.proxy import Condition
from pico_a1111_proxy.upstreams.circuit import COOL_DOWN_SECONDS

CRASH = IN_TROUBLE["A1111 crashed"]


def drawing(seen: Seen) -> Reply:
    return never() if seen.target.endswith("txt2img") else said({"state": {"job_count": 0}})


async def test_who_had_it_is_asked_about_it(both: Setup, one: ScriptedA1111, two: ScriptedA1111) -> None:
    one.standing = two.standing = drawing
    left = [job(), job()]  # equal, and yet two
    tasks = [asyncio.create_task(both.pool.generate(each)) for each in left]
    await one.wait_for(1)
    await two.wait_for(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(both.pool.abandon(left[1]), LIMIT)
    assert [len(one.seen), len(two.seen)] == [1, 2]
    await asyncio.wait_for(both.pool.abandon(left[0]), LIMIT)
    assert [len(one.seen), len(two.seen)] == [2, 2]


async def test_for_so_long_it_counts_as_busy(both: Setup, one: ScriptedA1111, two: ScriptedA1111) -> None:
    one.standing = drawing
    left = job()
    task = asyncio.create_task(both.pool.generate(left))
    await one.wait_for(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    held = asyncio.Event()
    one.standing = replace(said({"state": {"job_count": 0}}), gate=held)
    abandoning = asyncio.create_task(both.pool.abandon(left))
    await one.wait_for(2)
    assert both.in_flight() == [1, 0]
    for _ in range(3):
        await both.pool.generate(job())
    assert counts(one, two) == [1, 3]
    held.set()
    await asyncio.wait_for(abandoning, LIMIT)
    assert both.in_flight() == [0, 0]


async def test_who_had_a_job_is_forgotten_with_it(both: Setup) -> None:
    for _ in range(20):
        await both.pool.generate(job())
    gc.collect()
    assert both.pool._had == {}


async def test_it_is_usable_while_one_is(two: ScriptedA1111) -> None:
    async with open_dead() as dead, pool_of(dead.url, two.url) as setup:
        condition = await setup.pool.check()
        assert condition.usable
        assert condition.kind == "pool"
        assert condition.words.startswith("1 of 2 upstreams can be used; upstream 1: It can't be reached")
        assert str(two.port) not in condition.words
        two.samplers = CRASH
        condition = await setup.pool.check()
        assert not condition.usable
        assert condition.words.startswith("0 of 2 upstreams can be used; upstream 1: ")


async def test_all_of_them(both: Setup) -> None:
    assert await both.pool.check() == Condition("pool", usable=True, words="2 of 2 upstreams can be used")


async def test_who_was_found_down_is_not_asked_and_who_answers_again_is(
    both: Setup, one: ScriptedA1111, two: ScriptedA1111
) -> None:
    one.samplers = CRASH
    await both.pool.check()
    assert both.states() == ["open", "closed"]
    for _ in range(4):
        await both.pool.generate(job())
    assert counts(one, two) == [0, 4]
    one.samplers = two.samplers
    looks = len(one.looks)
    await both.pool.check()
    assert len(one.looks) == looks  # it is left alone for a while
    both.clock.now += COOL_DOWN_SECONDS
    await both.pool.check()
    assert both.states() == ["closed", "closed"]
    await both.pool.generate(job())
    assert counts(one, two) == [1, 4]


async def test_when_all_are_down_one_is_looked_at_all_the_same() -> None:
    async with open_dead() as one, open_dead() as two, pool_of(one.url, two.url) as setup:
        assert not (await setup.pool.check()).usable
        setup.clock.now += 1
        await setup.pool.check()
        assert one.connections + two.connections == 3


async def test_who_works_for_us_tells_how_far_it_is(both: Setup, one: ScriptedA1111, two: ScriptedA1111) -> None:
    one.standing = said({"progress": 0.1, "state": {"job_count": 1}})
    assert (await both.pool.progress()).fraction == 0.1
    held = asyncio.Event()
    two.standing = lambda seen: (
        replace(answer(png()), gate=held) if seen.method == "POST" else said({"progress": 0.7, "state": {}})
    )
    with pytest.raises(errors.UpstreamNonsense):  # takes its turn: the other one is next
        await both.pool.generate(job())
    task = asyncio.create_task(both.pool.generate(job()))
    await two.wait_for(1)
    assert (await both.pool.progress()).fraction == 0.7
    held.set()
    await task


async def test_progress_goes_on_to_the_next(two: ScriptedA1111) -> None:
    two.standing = said({"progress": 0.3, "state": {}})
    with closed_port() as address:
        async with pool_of(address, two.url) as setup:
            assert (await setup.pool.progress()).fraction == 0.3


async def test_the_way_to_each_is_told(two: ScriptedA1111) -> None:
    with closed_port() as address:
        async with pool_of(address, two.url) as setup:
            findings = [finding async for finding in setup.pool.examine()]
    bad = [finding for finding in findings if not finding.good]
    assert [finding.what for finding in bad] == ["upstream 1: connection"]
    assert findings[-1].what == "upstream 2: samplers"


async def test_nothing_is_left_of_a_pool_that_closes(one: ScriptedA1111) -> None:
    one.standing = never()
    async with pool_of(one.url) as setup:
        task = asyncio.create_task(setup.pool.generate(job()))
        await one.wait_for(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await turns()
    assert setup.in_flight() == [0]
