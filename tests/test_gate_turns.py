"""The gate's line: the clients by turns, nobody kept out by one who is greedy, nobody waiting for too long."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.visitors import Clock, Visitor, ends_of, failure_of, settle
from pico_a1111_proxy.errors import QueueFull
from pico_a1111_proxy.gate import Gate


@asynccontextmanager
async def clients(gate: Gate, whose: str) -> AsyncIterator[tuple[list[Visitor], list[asyncio.Task[None]]]]:
    """A visitor for each letter, whose client it is, come one after the other."""
    entered: list[Visitor] = []
    visitors = [Visitor(gate, entered, who) for who in whose]
    tasks = [asyncio.create_task(visitor.go()) for visitor in visitors]
    await settle()
    try:
        yield visitors, tasks
    finally:
        for visitor in visitors:
            visitor.may_leave.set()
        await ends_of(tasks)
        assert (gate.inside, gate.waiting) == (0, 0)


async def served(gate: Gate, visitors: list[Visitor]) -> str:
    """Whose turn it was, one after the other, until nobody is left."""
    entered = visitors[0].entered
    for nth in range(len(visitors)):
        if nth < len(entered):
            entered[nth].may_leave.set()
            await settle()
    return "".join(visitor.who for visitor in entered)


@pytest.mark.parametrize(
    ("came", "went"),
    [
        ("gggggp", "ggpggg"),  # one inside, four in line, and the polite one is next but one
        ("ggggpq", "ggpqgg"),
        ("gggpp", "ggpgp"),
        ("abcabc", "abcabc"),
        ("gppppg", "gpgppp"),
    ],
)
async def test_each_client_in_its_turn(came: str, went: str) -> None:
    gate = Gate(1, 10, Clock())
    async with clients(gate, came) as (visitors, _):
        assert await served(gate, visitors) == went


@given(st.text("abcd", min_size=1, max_size=12))
def test_a_place_in_line_is_the_order_of_going_in(came: str) -> None:
    async def walk() -> None:
        gate = Gate(1, 12, Clock())
        async with clients(gate, came) as (visitors, _):
            told = sorted(visitors, key=lambda visitor: visitor.visit.position if visitor.visit else math.nan)
            await served(gate, visitors)
            assert visitors[0].entered == told

    asyncio.run(walk())


async def test_a_full_line_makes_room_for_who_has_less_in_it() -> None:
    gate = Gate(1, 3, Clock())
    async with clients(gate, "gggg") as (greedy, tasks):
        polite = Visitor(gate, greedy[0].entered, "p")
        came = asyncio.create_task(polite.go())
        error = await failure_of(tasks[-1], QueueFull)  # the last that came of whoever has most
        assert (str(error), error.retry_after >= 1) == ("The queue is full, and others wait for their turn", True)
        assert gate.waiting == 3
        assert polite.visit is not None
        assert polite.visit.position == 2
        assert str(await failure_of(Visitor(gate, [], "g").go(), QueueFull)) == "The queue is full"
        polite.may_leave.set()
        for visitor in greedy:
            visitor.may_leave.set()
        await ends_of([came])
        assert polite in polite.entered


async def test_two_who_are_alike_do_not_take_each_others_places() -> None:
    gate = Gate(1, 4, Clock())
    async with clients(gate, "ggpgp") as (visitors, _):
        for who in "gp":
            await failure_of(Visitor(gate, [], who).go(), QueueFull)
        assert await served(gate, visitors) == "ggpgp"


async def test_without_a_line_nobody_is_sent_away_for_another() -> None:
    gate = Gate(2, 0, Clock())
    async with clients(gate, "gg"):
        await failure_of(Visitor(gate, [], "p").go(), QueueFull)


async def test_who_has_waited_for_too_long_is_sent_away() -> None:
    gate = Gate(1, 2, Clock(), patience=0)
    async with clients(gate, "a") as (visitors, _):
        error = await failure_of(Visitor(gate, visitors[0].entered, "b").go(), QueueFull)
        assert (str(error), gate.waiting) == ("No place came free in time", 0)
        assert error.retry_after >= 1


async def test_a_place_never_goes_to_who_has_waited_for_too_long() -> None:
    clock = Clock()
    gate = Gate(1, 3, clock, patience=100)
    async with clients(gate, "ab") as (visitors, tasks):
        clock.now = 50
        patient = Visitor(gate, visitors[0].entered, "c")
        came = asyncio.create_task(patient.go())
        await settle()
        clock.now = 100  # the timer of b, which runs on real seconds, is far from done
        visitors[0].may_leave.set()
        await failure_of(tasks[1], QueueFull)
        assert patient.inside
        patient.may_leave.set()
        await ends_of([came])


async def test_nobody_waits_for_longer_than_the_gate_allows() -> None:
    clock = Clock()
    gate = Gate(1, 3, clock, patience=100)
    async with clients(gate, "ab") as (visitors, tasks):
        clock.now = 100
        visitors[0].may_leave.set()
        await failure_of(tasks[1], QueueFull)
        assert (gate.inside, gate.waiting) == (0, 0)


async def test_leaving_twice_gives_the_place_back_once() -> None:
    gate = Gate(1, 1, Clock())
    visit, other = gate.come(), gate.come()
    for _ in range(2):
        visit.leave()
    await other.admitted()
    assert (gate.inside, visit.is_inside, other.is_inside) == (1, False, True)
    other.leave()
    assert gate.inside == 0


async def test_who_comes_when_it_was_told_to_takes_the_place_of_the_last_who_was_not() -> None:
    clock = Clock()
    gate = Gate(1, 2, clock)
    async with clients(gate, "abc") as (visitors, tasks):
        error = await failure_of(Visitor(gate, [], "d").go(), QueueFull)
        assert str(await failure_of(Visitor(gate, [], "e").go(), QueueFull)) == "The queue is full"
        clock.now = error.retry_after
        back = Visitor(gate, visitors[0].entered, "d")
        came = asyncio.create_task(back.go())
        last = await failure_of(tasks[-1], QueueFull)  # c, which came after b
        assert (str(last), gate.waiting) == ("The queue is full, and others wait for their turn", 2)
        await failure_of(Visitor(gate, [], "d").go(), QueueFull)  # it was told to come once
        back.may_leave.set()
        for visitor in visitors:
            visitor.may_leave.set()
        await ends_of([came])
        assert back in back.entered


async def test_nobody_takes_the_place_of_its_own() -> None:
    clock = Clock()
    gate = Gate(1, 2, clock)
    async with clients(gate, "aaa"):
        error = await failure_of(Visitor(gate, [], "a").go(), QueueFull)
        clock.now = error.retry_after
        await failure_of(Visitor(gate, [], "a").go(), QueueFull)
        assert gate.waiting == 2


async def comes(gate: Gate, who: str) -> asyncio.Task[None]:
    """One more, who goes on at once when its turn has come."""
    visitor = Visitor(gate, [], who)
    visitor.may_leave.set()
    task = asyncio.create_task(visitor.go())
    await settle()
    return task


async def test_of_two_who_were_told_to_come_the_second_does_not_take_the_place_of_the_first() -> None:
    clock = Clock()
    gate = Gate(1, 1, clock)
    async with clients(gate, "ab") as (_, tasks):
        told = [(await failure_of(Visitor(gate, [], who).go(), QueueFull)).retry_after for who in "de"]
        clock.now = told[0]
        first = await comes(gate, "d")
        await failure_of(tasks[1], QueueFull)
        clock.now = told[1]
        assert str(await failure_of(Visitor(gate, [], "e").go(), QueueFull)) == "The queue is full"
        assert not first.done()
    await ends_of([first])


async def test_who_lost_its_place_is_let_in_when_it_comes_as_it_was_told_to() -> None:
    clock = Clock()
    gate = Gate(1, 2, clock)
    async with clients(gate, "gggp") as (visitors, tasks):
        error = await failure_of(tasks[2], QueueFull)  # its place went to p
        assert str(error) == "The queue is full, and others wait for their turn"
        visitors[0].may_leave.set()
        visitors[3].may_leave.set()
        visitors[1].may_leave.set()
        await settle()
        async with clients(gate, "xyz") as (_, later):
            clock.now = error.retry_after
            back = await comes(gate, "g")
            await failure_of(later[2], QueueFull)
            assert not back.done()
        await ends_of([back])
        assert back.exception() is None


async def test_so_is_who_has_waited_for_too_long() -> None:
    clock = Clock()
    gate = Gate(1, 2, clock, patience=1000)
    async with clients(gate, "ab") as (visitors, tasks):
        clock.now = 1000
        visitors[0].may_leave.set()
        error = await failure_of(tasks[1], QueueFull)
        assert str(error) == "No place came free in time"
        async with clients(gate, "xyz") as (_, later):
            clock.now += error.retry_after
            back = await comes(gate, "b")
            await failure_of(later[2], QueueFull)
            assert not back.done()
        await ends_of([back])
        assert back.exception() is None


async def test_what_is_promised_is_not_taken_for_who_has_less() -> None:
    gate = Gate(1, 3, Clock())
    async with clients(gate, "gggg") as (visitors, tasks):
        for visitor in visitors[2:]:
            assert visitor.visit
            visitor.visit.is_promised = True
        first = await comes(gate, "p")
        await failure_of(tasks[1], QueueFull)  # the only one that is not promised
        assert str(await failure_of(Visitor(gate, [], "q").go(), QueueFull)) == "The queue is full"
        assert not any(task.done() for task in (tasks[2], tasks[3], first))
    await ends_of([first])


async def test_what_is_promised_is_not_taken_for_who_was_told_to_come() -> None:
    clock = Clock()
    gate = Gate(1, 2, clock)
    async with clients(gate, "abc") as (visitors, tasks):
        for visitor in visitors[1:]:
            assert visitor.visit
            visitor.visit.is_promised = True
        error = await failure_of(Visitor(gate, [], "d").go(), QueueFull)
        clock.now = error.retry_after
        assert str(await failure_of(Visitor(gate, [], "d").go(), QueueFull)) == "The queue is full"
        assert not any(task.done() for task in tasks)
