"""The gate: never too many inside, the line in its order, and no place lost whoever leaves when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakes.visitors import Clock, Visitor, crowd, ends_of, failure_of, inside, settle
from pico_a1111_proxy.errors import LONGEST_RETRY_SECONDS, QueueFull, ShuttingDown
from pico_a1111_proxy.gate import Gate


@pytest.mark.parametrize(("places", "line"), [(1, 0), (1, 3), (4, 10), (3, 1)])
async def test_the_bounds_are_exact(places: int, line: int) -> None:
    gate = Gate(places, line, Clock())
    async with crowd(gate, places + line + 2) as people:
        assert [visitor.inside for visitor, _ in people] == [True] * places + [False] * (line + 2)
        assert (gate.inside, gate.waiting) == (places, line)
        for _, task in people[-2:]:
            assert str(await failure_of(task, QueueFull)) == "The queue is full"


async def test_the_line_moves_in_the_order_they_came() -> None:
    async with crowd(Gate(2, 5, Clock()), 7) as people:
        for visitor, _ in people:
            visitor.may_leave.set()
            await settle()
        assert people[0][0].entered == [visitor for visitor, _ in people]


async def test_a_newcomer_does_not_pass_those_who_wait() -> None:
    gate = Gate(1, 5, Clock())
    async with crowd(gate, 2) as people:
        (first, _), (second, _) = people
        first.may_leave.set()
        newcomer = Visitor(gate, first.entered)
        task = asyncio.create_task(newcomer.go())
        await settle()
        assert (second.inside, newcomer.inside) == (True, False)
        second.may_leave.set()
        newcomer.may_leave.set()
        await ends_of([task])
        assert first.entered == [first, second, newcomer]


async def test_a_place_is_given_back_when_the_work_fails() -> None:
    gate = Gate(1, 0, Clock())
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with inside(gate):
                _ = 1 / 0
    assert gate.inside == 0


async def test_cancelled_inside_the_place_goes_to_the_next() -> None:
    async with crowd(Gate(1, 2, Clock()), 3) as people:
        people[0][1].cancel()
        await settle()
        assert [visitor.inside for visitor, _ in people] == [False, True, False]


async def test_cancelled_in_line_the_others_move_up() -> None:
    gate = Gate(1, 2, Clock())
    async with crowd(gate, 3) as people:
        people[1][1].cancel()
        await settle()
        assert (gate.inside, gate.waiting) == (1, 1)
        people[0][0].may_leave.set()
        await settle()
        assert people[2][0].inside


async def test_cancelled_just_as_the_place_is_handed_over_it_goes_to_the_next() -> None:
    gate = Gate(1, 2, Clock())
    async with crowd(gate, 3) as people:
        people[0][1].cancel()
        await asyncio.sleep(0)  # the first has left, the second was told and has not moved yet
        assert gate.waiting == 1
        people[1][1].cancel()
        await settle()
        assert [visitor.inside for visitor, _ in people] == [False, False, True]


async def test_closing_sends_the_line_away_and_lets_those_inside_finish() -> None:
    gate = Gate(1, 2, Clock())
    async with crowd(gate, 3) as people:
        gate.close()
        await settle()
        assert people[0][0].inside
        for _, task in people[1:]:
            assert (await failure_of(task, ShuttingDown)).retry_after >= 1
        await failure_of(Visitor(gate).go(), ShuttingDown)
        people[0][0].may_leave.set()
        assert await ends_of([people[0][1]]) == [None]


async def test_closing_and_cancelling_at_once_is_a_cancellation() -> None:
    gate = Gate(1, 1, Clock())
    async with crowd(gate, 2) as people:
        gate.close()
        people[1][1].cancel()
        await settle()
        assert people[1][1].cancelled()


@pytest.mark.parametrize(
    ("places", "waiting", "seconds", "retry_after"),
    [
        (1, 0, [], 6),  # nothing seen yet: the first guess of 5, and a little caution
        (4, 0, [], 2),  # one of four places comes free four times as soon: 1.25
        (1, 3, [], 16),  # the line of three need not be empty by then
        (1, 0, [10.0], 7),  # the newest counts a fifth
        (1, 1, [10.0], 11),
        (1, 0, [5.0005], 6),  # rounded up: too late is better than in vain
        (1, 0, [0.0] * 30, 1),  # never nothing
        (1, 9, [1000.0], LONGEST_RETRY_SECONDS),
    ],
)
async def test_when_to_come_back(places: int, waiting: int, seconds: list[float], retry_after: int) -> None:
    clock = Clock()
    gate = Gate(places, waiting, clock)
    for length in seconds:
        async with inside(gate):
            clock.now += length
    async with crowd(gate, places + waiting + 1) as people:
        assert (await failure_of(people[-1][1], QueueFull)).retry_after == retry_after


async def test_nobody_is_told_to_come_back_after_hours() -> None:
    clock = Clock()
    gate = Gate(1, 0, clock)
    async with inside(gate):
        clock.now += 100_000
    assert gate.retry_after() == LONGEST_RETRY_SECONDS


async def test_jobs_that_take_no_time_are_no_trouble() -> None:
    gate = Gate(1, 0, Clock())
    gate.job_seconds = 0.0
    async with crowd(gate, 2) as people:
        assert (await failure_of(people[-1][1], QueueFull)).retry_after == gate.retry_after() == 1


async def test_what_failed_does_not_count_as_a_short_job() -> None:
    clock = Clock()
    gate = Gate(1, 0, clock)
    before = gate.retry_after()
    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            async with inside(gate):
                _ = 1 / 0
    assert gate.retry_after() == before


class Crowd(RuleBasedStateMachine):
    """People come, leave and give up at any moment, also between two turns of the loop."""

    @initialize(places=st.integers(1, 3), line=st.integers(0, 3))
    def open(self, places: int, line: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.gate = Gate(places, line, Clock())
        self.people: list[tuple[Visitor, asyncio.Task[None]]] = []
        self.entered: list[Visitor] = []
        self.given_up: set[Visitor] = set()
        self.closed = False

    def run(self, step: Callable[[], Awaitable[None]]) -> None:
        self.loop.run_until_complete(step())

    @rule(who=st.sampled_from("abc"))
    def come(self, who: str) -> None:
        visitor = Visitor(self.gate, self.entered, who)
        self.people.append((visitor, self.loop.create_task(visitor.go())))

    @precondition(lambda self: self.people)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.people))[0].may_leave.set()

    @precondition(lambda self: self.people)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        visitor, task = data.draw(st.sampled_from(self.people))
        if task.cancel():
            self.given_up.add(visitor)

    @rule()
    def turn(self) -> None:
        self.run(lambda: asyncio.sleep(0))

    @rule()
    def close(self) -> None:
        self.gate.close()
        self.closed = True

    @rule()
    def settle(self) -> None:
        self.run(settle)
        if self.gate.waiting:
            assert self.gate.inside == self.gate.places  # nobody waits before an empty place
        assert self.gate.inside == sum(visitor.inside for visitor, _ in self.people)

    @invariant()
    def bounds_hold(self) -> None:
        assert sum(visitor.inside for visitor, _ in self.people) <= self.gate.inside <= self.gate.places
        assert 0 <= self.gate.waiting <= self.gate.line

    @invariant()
    def the_order_is_kept(self) -> None:
        # Who needs not wait may be inside a turn of the loop before one who was just given a place.
        waited = [visitor for visitor, _ in self.people if visitor.has_to_wait and visitor in self.entered]
        for who in "abc":
            came = [visitor for visitor in waited if visitor.who == who]
            assert came == [visitor for visitor in self.entered if visitor.has_to_wait and visitor.who == who]

    @invariant()
    def places_in_line_are_told(self) -> None:
        told = [visitor.visit.position for visitor, _ in self.people if visitor.visit]
        assert sorted(filter(None, told)) == list(range(1, self.gate.waiting + 1))

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        for visitor, _ in self.people:
            visitor.may_leave.set()
        ends = self.loop.run_until_complete(ends_of([task for _, task in self.people]))
        self.loop.close()
        assert (self.gate.inside, self.gate.waiting) == (0, 0)
        for (visitor, _), end in zip(self.people, ends, strict=True):
            refused = isinstance(end, (QueueFull, ShuttingDown) if self.closed else QueueFull)
            assert visitor in self.entered or refused or visitor in self.given_up  # nobody is lost


Crowd.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestCrowd = Crowd.TestCase
