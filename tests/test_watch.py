"""The watch: looks in the background, remembers, tells changes, and never dies of what it sees."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from fakes.turns import no_task_is_left, turns
from pico_a1111_proxy.errors import UpstreamUnavailable
from pico_a1111_proxy.jobs import Progress
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
    async with no_task_is_left(), watch.running():
        await asyncio.wait_for(patient.seen_all.wait(), 10)


# --- Progress ---------------------------------------------------------------------------------------------------


class Drawing:
    """As much of an Upstream as tells its progress: once `now` is set, and until then nothing."""

    def __init__(self, told: Progress | Exception) -> None:
        self.told = told
        self.asked = 0
        self.now = asyncio.Event()
        self.clock = 100.0

    async def progress(self) -> Progress:
        self.asked += 1
        await self.now.wait()
        if isinstance(self.told, Exception):
            raise self.told
        return self.told

    async def check(self) -> Condition:
        return await asyncio.Event().wait() or WELL


def watch_drawing(told: Progress | Exception) -> tuple[Watch, Drawing]:
    drawing: Any = Drawing(told)
    return Watch(drawing, 0, lambda: drawing.clock), drawing


HALF = Progress(0.5, 2.0, 5, 10)


async def test_progress_is_asked_for_once_a_second_however_many_want_it() -> None:
    watch, drawing = watch_drawing(HALF)
    drawing.now.set()
    assert await asyncio.gather(*(watch.progress() for _ in range(50))) == [HALF] * 50
    drawing.clock += 0.9
    drawing.told = Progress()
    assert (await watch.progress(), drawing.asked) == (HALF, 1)
    drawing.clock += 0.2
    assert (await watch.progress(), drawing.asked) == (Progress(), 2)


async def test_progress_from_before_is_not_told() -> None:
    watch, drawing = watch_drawing(HALF)
    drawing.now.set()
    assert await watch.progress(0) == HALF
    drawing.clock += 0.5
    assert (await watch.progress(0.4), await watch.progress(0.6)) == (None, HALF)
    assert drawing.asked == 1


async def test_who_asks_for_progress_does_not_wait_for_an_upstream_that_hangs() -> None:
    watch, drawing = watch_drawing(HALF)
    before = asyncio.all_tasks()
    async with watch.running():
        assert await watch.progress() is None
        drawing.clock += 30
        for _ in range(100):
            assert await watch.progress() is None
        assert drawing.asked == 1
    assert asyncio.all_tasks() == before


async def test_progress_that_comes_late_is_told_then() -> None:
    watch, drawing = watch_drawing(HALF)
    assert await watch.progress() is None
    drawing.now.set()
    await turns()
    assert await watch.progress() == HALF


@pytest.mark.parametrize(("error", "surprises"), [(UpstreamUnavailable("down"), 0), (RuntimeError("a bug"), 1)])
async def test_an_upstream_that_can_not_tell_is_left_alone_for_a_second(error: Exception, surprises: int) -> None:
    watch, drawing = watch_drawing(error)
    drawing.now.set()
    with capture_logs() as told:
        assert [await watch.progress() for _ in range(3)] == [None] * 3
    assert (drawing.asked, len(told)) == (1, surprises)
    drawing.clock += 2
    drawing.told = HALF
    assert await watch.progress() == HALF
