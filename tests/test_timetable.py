"""The timetable: who is sent away together does not come again together, and who was told to come is known."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.visitors import Clock
from pico_a1111_proxy.timetable import EARLY_SECONDS, LATE_SECONDS, MOST_PROMISES, Timetable

LINE, LONGEST = 10, 120


def test_those_sent_away_together_come_again_one_after_the_other() -> None:
    timetable = Timetable(LINE, Clock(), LONGEST)
    told = [timetable.promise(f"{nth}", LINE, 2.0) for nth in range(60)]
    assert told == sorted(told)
    assert max(Counter(told).values()) <= LINE * 3 // 4
    # At two jobs a second they are all through not much later than that takes.
    assert 60 / 2 <= told[-1] <= 60 / 2 * 1.3


@pytest.mark.parametrize("line", [0, 1])
def test_without_a_line_they_come_one_at_a_time(line: int) -> None:
    timetable = Timetable(line, Clock(), LONGEST)
    told = [timetable.promise("a", line, 2.0) for _ in range(20)]
    assert max(Counter(told).values()) == 1


def test_nobody_is_told_to_come_later_than_the_longest_or_at_once() -> None:
    timetable = Timetable(LINE, Clock(), LONGEST)
    told = [timetable.promise("a", LINE, 0.01) for _ in range(3)]
    assert told == [LONGEST] * 3
    assert Timetable(LINE, Clock(), LONGEST).promise("a", 0, 1e9) == 1


@pytest.mark.parametrize(
    ("early", "is_known"), [(EARLY_SECONDS, True), (EARLY_SECONDS + 0.1, False), (-LATE_SECONDS, True), (-2.1, False)]
)
def test_who_was_told_to_come_is_known_when_it_does(early: float, is_known: bool) -> None:
    clock = Clock()
    timetable = Timetable(LINE, clock, LONGEST)
    clock.now = timetable.promise("a", LINE, 1.0) - early
    assert not timetable.keep("b")
    assert timetable.keep("a") is is_known
    assert not timetable.keep("a")  # once


@given(st.integers(0, 50), st.integers(0, 100), st.floats(0.001, 1000), st.integers(1, 300))
def test_the_seconds_are_always_good(line: int, waiting: int, pace: float, count: int) -> None:
    timetable = Timetable(line, Clock(), LONGEST)
    for nth in range(count):
        assert 1 <= timetable.promise(f"{nth}", waiting, pace) <= LONGEST


def test_promises_are_bounded() -> None:
    clock = Clock()
    timetable = Timetable(10**6, clock, LONGEST)
    told = {timetable.promise(f"{nth}", 10**6, 1e6) for nth in range(MOST_PROMISES + 50)}
    assert told == {1}
    clock.now = 1.0
    assert sum(timetable.keep(f"{nth}") for nth in range(MOST_PROMISES + 50)) == MOST_PROMISES
