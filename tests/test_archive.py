"""The archive: ready renderings within their bound and their time, and nothing kept that a change may have spoilt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fakes.visitors import Clock
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.archive import KNOWN_SECONDS, RECENT_BYTES, Archive, CacheFigures
from pico_a1111_proxy.caches.memory import MemoryCache
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import Frame
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.renderings import Rendering

DISPLAY = default_display(4, 4, invert=True)
JOB = Job("txt2img", b"{}", DISPLAY, key="7", repeatable=True)
ANSWER = Answer(200, (("a", "b"),), b"answer")


def rendering(picture: bytes = b"png", **more: Any) -> Rendering:
    return Rendering({}, {}, 1, ANSWER, (Frame(b"\0" * 32, 4, 4, "rgb565-be"),), 0, picture, 7, **more)


def archive(seconds: float = 60, clock: Clock | None = None) -> Archive:
    clock = clock or Clock()
    return Archive(MemoryCache(10**6, seconds, clock), seconds, clock)


def test_what_was_made_is_ready_and_told_as_a_hit() -> None:
    ours = archive()
    assert ours.recall(JOB) is None
    ours.keep_recent(JOB, rendering(), ours.moment)
    assert ours.recall(replace(JOB, body=b"other bytes, same key")) == replace(rendering(origin="hit"), answer=None)
    assert ours.figures().hits == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, key="8"),
        replace(JOB, key=None),
        replace(JOB, display=replace(DISPLAY, invert=False)),
        replace(JOB, index=1),
        replace(JOB, wanted="all"),
        replace(JOB, caching="renew"),
        replace(JOB, caching="avoid"),
    ],
)
def test_for_another_job_it_is_not(other: Job) -> None:
    ours = archive()
    ours.keep_recent(JOB, rendering(), ours.moment)
    assert ours.recall(other) is None


@pytest.mark.parametrize("job", [replace(JOB, key=None), replace(JOB, caching="avoid")])
async def test_what_nobody_wants_kept_is_not_kept(job: Job) -> None:
    ours = archive()
    ours.keep_recent(job, rendering(), ours.moment)
    await ours.keep(job, ANSWER, ours.moment)
    assert (ours.recall(JOB), await ours.find(JOB)) == (None, None)


async def test_what_is_renewed_is_kept() -> None:
    ours = archive()
    ours.keep_recent(JOB, rendering(b"old"), ours.moment)
    job = replace(JOB, caching="renew")
    ours.keep_recent(job, rendering(b"new"), ours.moment)
    await ours.keep(job, ANSWER, ours.moment)
    kept = ours.recall(JOB)
    assert kept is not None
    assert (kept.picture, await ours.find(JOB)) == (b"new", ANSWER)
    assert await ours.find(job) is None


@pytest.mark.parametrize("change", ["disturb", "clear"])
async def test_what_was_begun_before_a_change_is_not_kept(change: str) -> None:
    ours = archive()
    ours.keep_recent(JOB, rendering(), ours.moment)
    await ours.keep(JOB, ANSWER, ours.moment)
    before = ours.moment
    if change == "clear":
        await ours.clear()
        assert (ours.recall(JOB), await ours.find(JOB)) == (None, None)
    else:
        ours.disturb()
        assert ours.recall(JOB) is not None  # what was whole before is good still
        assert await ours.find(JOB) == ANSWER
    other = replace(JOB, key="8")
    ours.keep_recent(other, rendering(), before)
    await ours.keep(other, ANSWER, before)
    assert (ours.recall(other), await ours.find(other)) == (None, None)


async def test_it_is_good_for_so_long() -> None:
    clock = Clock()
    ours = archive(60, clock)
    ours.keep_recent(JOB, rendering(), ours.moment)
    clock.now = 60
    assert ours.recall(JOB) is not None
    clock.now = 60.1
    assert ours.recall(JOB) is None


def test_memory_is_bounded_and_the_last_used_stays() -> None:
    ours = archive()
    half = rendering(bytes(RECENT_BYTES // 2 - 1000))
    jobs = [replace(JOB, key=str(nth)) for nth in range(3)]
    for job in jobs[:2]:
        ours.keep_recent(job, half, ours.moment)
    assert ours.recall(jobs[0]) is not None
    ours.keep_recent(jobs[2], half, ours.moment)
    assert [ours.recall(job) is not None for job in jobs] == [True, False, True]
    ours.keep_recent(jobs[0], rendering(bytes(RECENT_BYTES)), ours.moment)
    assert [ours.recall(job) is not None for job in jobs] == [False, False, True]


async def test_after_clearing_there_is_room_for_as_much_as_before() -> None:
    ours = archive()
    half = rendering(bytes(RECENT_BYTES // 2 - 1000))
    jobs = [replace(JOB, key=str(nth)) for nth in range(2)]
    ours.keep_recent(jobs[0], half, ours.moment)
    await ours.clear()
    for job in jobs:
        ours.keep_recent(job, half, ours.moment)
    assert [ours.recall(job) is not None for job in jobs] == [True, True]


def test_what_is_drawn_anew_lets_go_of_all_that_was_made_of_the_old() -> None:
    ours = archive()
    alike = [JOB, replace(JOB, display=replace(DISPLAY, width=8)), replace(JOB, wanted="all"), replace(JOB, index=1)]
    other = replace(JOB, key="8")
    for job in (*alike, other):
        ours.keep_recent(job, rendering(), ours.moment)
    ours.renew(replace(JOB, caching="renew"))
    assert [ours.recall(job) for job in alike] == [None] * 4
    assert ours.recall(other) is not None


@pytest.mark.parametrize(
    ("seconds", "known", "good_for"),
    [(3600, True, KNOWN_SECONDS), (3600, False, 3600), (10, True, 10)],
)
def test_what_the_cache_knew_is_asked_for_again_soon(seconds: float, known: bool, good_for: float) -> None:
    clock = Clock()
    ours = archive(seconds, clock)
    ours.keep_recent(JOB, rendering(), ours.moment, known=known)
    clock.now = good_for
    assert ours.recall(JOB) is not None
    clock.now = good_for + 0.1
    assert ours.recall(JOB) is None


def test_the_words_of_a_large_request_count() -> None:
    ours = archive()
    large = replace(rendering(), parameters={"init_images": ["x" * RECENT_BYTES]})
    ours.keep_recent(JOB, large, ours.moment)
    assert ours.recall(JOB) is None


async def test_switched_off_it_keeps_nothing() -> None:
    ours = Archive(None, 60, Clock())
    ours.keep_recent(JOB, rendering(), ours.moment)
    await ours.keep(JOB, ANSWER, ours.moment)
    await ours.clear()
    assert (ours.is_on, ours.recall(JOB), await ours.find(JOB)) == (False, None, None)
    assert ours.figures() == CacheFigures()
