"""The watch: looks in the background, remembers, tells changes, and never dies of what it sees."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from structlog.testing import capture_logs

from pico_a1111_proxy.proxy import Condition
from pico_a1111_proxy.watch import Watch

WELL = Condition("a1111", usable=True)
ILL = Condition("a1111", usable=False, words="It refuses connections: is it running?")


class Patient:
    """As much of an Upstream as the watch looks at: in these conditions, one after the other."""

    def __init__(self, *conditions: Condition | Exception) -> None:
        self._conditions: Iterator[Condition | Exception] = iter(conditions)
        self.looked = 0
        self.seen_all = asyncio.Event()

    async def check(self) -> Condition:
        self.looked += 1
        condition = next(self._conditions, None)
        if condition is None:
            self.seen_all.set()
            await asyncio.Event().wait()  # as one that hangs
        if isinstance(condition, Exception):
            raise condition
        assert condition is not None
        return condition


def watch_over(*conditions: Condition | Exception) -> tuple[Watch, Patient]:
    patient: Any = Patient(*conditions)
    return Watch(patient, every_seconds=0), patient


async def test_nothing_is_known_before_the_first_look() -> None:
    watch, patient = watch_over(WELL)

    assert (watch.condition, patient.looked) == (None, 0)


async def test_the_newest_condition_is_remembered() -> None:
    watch, patient = watch_over(WELL, WELL, ILL)
    async with watch.running():
        await asyncio.wait_for(patient.seen_all.wait(), 10)
        assert patient.looked == 4
        assert watch.condition == ILL


async def test_only_a_change_is_told() -> None:
    watch, patient = watch_over(WELL, WELL, ILL, ILL, WELL)
    with capture_logs() as told:
        async with watch.running():
            await asyncio.wait_for(patient.seen_all.wait(), 10)

    assert [(line["log_level"], line["usable"], line["words"]) for line in told] == [
        ("info", True, ""),
        ("warning", False, ILL.words),
        ("info", True, ""),
    ]


async def test_who_asks_never_waits_for_a_look_that_hangs() -> None:
    watch, patient = watch_over(ILL)
    async with watch.running():
        await asyncio.wait_for(patient.seen_all.wait(), 10)  # the second look hangs now
        assert watch.condition == ILL


async def test_a_surprise_is_told_and_the_next_look_follows() -> None:
    watch, patient = watch_over(WELL, RuntimeError("a bug"), WELL)
    with capture_logs() as told:
        async with watch.running():
            await asyncio.wait_for(patient.seen_all.wait(), 10)

    assert watch.condition == WELL
    assert [line["event"] for line in told] == ["upstream", "surprise", "upstream"]  # well again is a change
    assert told[1]["exc_info"]


async def test_after_a_surprise_nothing_is_known() -> None:
    watch, patient = watch_over(WELL, RuntimeError("a bug"))
    with capture_logs():
        async with watch.running():
            await asyncio.wait_for(patient.seen_all.wait(), 10)
            assert watch.condition is None


async def test_the_end_ends_it_even_in_the_middle_of_a_look() -> None:
    watch, patient = watch_over()
    before = asyncio.all_tasks()
    async with watch.running():
        await asyncio.wait_for(patient.seen_all.wait(), 10)
        assert len(asyncio.all_tasks()) == len(before) + 1
    assert asyncio.all_tasks() == before
