"""The roll of workers: who is on it, who is not any more, and who says to be idle while jobs wait."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fakes.redis import RedisServer
from pico_a1111_proxy.crews import MOST_DESCRIBED, CrewFigures, WorkerFigures, describe_crew
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.line import Line
from pico_a1111_proxy.fleet.link import Link, key, open_link
from pico_a1111_proxy.fleet.roll import EXPIRIES, SIGNATURES, Roll, Signature, leave, sign
from pico_a1111_proxy.jobs import Job, Priority

DISPLAY = default_display(8, 8, invert=True)
LOOKS = 1500  # a hundredth of a second between two: more than GONE_SECONDS


@pytest.fixture
async def link(redis: RedisServer) -> AsyncIterator[Link]:
    async with open_link(redis.url, time.monotonic) as link:
        yield link


async def wait(line: Line, name: str, priority: Priority = "interactive", patience: float = 60) -> None:
    await line.enter(name, Job("txt2img", b"{}", DISPLAY, priority=priority), "me", patience, 60)


async def backdate(link: Link, seconds: float) -> None:
    """Have all in line wait for so much longer already."""
    for name in await link.redis.zrange(key("line"), 0, -1):
        await link.redis.zincrby(key("line"), -seconds * 1000, name)


def said(crew: CrewFigures) -> dict[str, str]:
    return {worker.name: worker.state for worker in crew.workers}


# --- Who is on it -----------------------------------------------------------------------------------------------


async def test_who_has_signed_is_on_the_roll_with_what_it_said(link: Link) -> None:
    now = time.time()
    await sign(link, Signature("gpu-2", "busy", "", now - 7, (12, 1), "1.2"))
    await sign(link, Signature("gpu-1", "paused", "It refuses connections", now - 100))
    first, second = (await Roll(link).look()).workers
    assert (first.name, first.state, first.words) == ("gpu-1", "paused", "It refuses connections")
    assert first.seconds >= 99
    assert second == WorkerFigures("gpu-2", "busy", second.seconds, 12, 1, "", "1.2")
    assert second.seconds >= 6


async def test_the_last_signature_counts(link: Link) -> None:
    await sign(link, Signature("a", "idle"))
    await sign(link, Signature("a", "stopping"))
    assert said(await Roll(link).look()) == {"a": "stopping"}


async def test_who_leaves_is_gone_at_once(link: Link) -> None:
    await sign(link, Signature("a", "idle"))
    await sign(link, Signature("b", "idle"))
    await leave(link, "a")
    assert said(await Roll(link).look()) == {"b": "idle"}


async def test_who_signs_no_more_is_gone_and_nothing_of_it_stays(link: Link) -> None:
    for name in ("a", "b"):
        await sign(link, Signature(name, "idle"))
    await link.redis.zincrby(EXPIRIES, -10_000, "a")
    assert said(await Roll(link).look()) == {"b": "idle"}
    await sign(link, Signature("b", "idle"))
    assert await link.redis.hkeys(SIGNATURES) == [b"b"]
    for name in (EXPIRIES, SIGNATURES):
        assert 0 < await link.redis.pttl(name) <= 10_000


async def test_a_thousand_workers_are_one_question(link: Link) -> None:
    for number in range(1000):
        await sign(link, Signature(f"gpu-{number}", "idle"))
    assert (await Roll(link).look()).taking == 1000
    assert (await link.redis.info("commandstats"))["cmdstat_eval"]["calls"] == 1001


async def test_a_signature_of_another_version_does_no_harm(link: Link) -> None:
    await sign(link, Signature("a", "idle"))
    good: Any = await link.redis.hget(SIGNATURES, "a")
    others = {
        "new": good.replace(b'"name":"a"', b'"name":"new","mood":"good"'),
        "odd": good.replace(b'"idle"', b'"asleep"'),
        "short": b'{"name":"short"}',
        "list": b"[]",
        "torn": good[:20],
    }
    for name, signature in others.items():
        await sign(link, Signature(name, "idle"))
        await link.redis.hset(SIGNATURES, name, signature)
    assert said(await Roll(link).look()) == {"a": "idle", "new": "idle"}


# --- The line ---------------------------------------------------------------------------------------------------


async def test_nothing_in_redis_is_nobody_and_no_line(link: Link) -> None:
    assert await Roll(link).look() == CrewFigures(True)


async def test_the_line_is_told_with_its_oldest_of_either_rank(link: Link) -> None:
    line = Line(link)
    await wait(line, "slow", "background")
    await backdate(link, 30)
    await wait(line, "quick")
    await wait(line, "quick-2")
    crew = await Roll(link).look()
    assert (crew.waiting, crew.background) == (3, 1)
    assert 30 <= crew.oldest_seconds < 60
    await line.begin("slow", "a", 10)
    await backdate(link, 100)
    crew = await Roll(link).look()
    assert (crew.waiting, crew.background) == (2, 0)
    assert 100 <= crew.oldest_seconds < 130


async def test_the_time_of_a_job_is_the_average(link: Link) -> None:
    line = Line(link)
    for name, seconds in (("one", 2.0), ("two", 7.0)):
        await wait(line, name)
        await line.begin(name, "a", 10)
        await line.finish(name, b"", seconds)
    assert (await Roll(link).look()).job_seconds == pytest.approx(3.0)


async def test_jobs_that_nobody_knows_any_more_do_not_wait(link: Link) -> None:
    line = Line(link)
    await wait(line, "forgotten")
    await backdate(link, 100)
    await wait(line, "there")
    await link.redis.unlink(key("job", "forgotten"))
    crew = await Roll(link).look()
    assert crew.waiting == 1
    assert crew.oldest_seconds < 50


async def test_nobody_waits_for_a_job_that_came_too_late(link: Link) -> None:
    await sign(link, Signature("a", "idle", since=time.time() - 60))
    line = Line(link)
    await wait(line, "late", patience=-1)
    await backdate(link, 100)
    crew = await Roll(link).look()
    assert (crew.oldest_seconds, said(crew)) == (0, {"a": "idle"})


# --- Who is stuck, and whose clock is wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "idle", "waited", "told"),
    [
        ("idle", 30, 30, "stuck"),
        ("idle", 5, 30, "idle"),  # it has just drawn: the line moves
        ("idle", 30, 5, "idle"),  # the message is on its way
        ("idle", 30, None, "idle"),
        ("busy", 30, 30, "busy"),
        ("paused", 30, 30, "paused"),
        ("stopping", 30, 30, "stopping"),
    ],
)
async def test_who_idles_while_a_job_waits_is_stuck(
    link: Link, state: Any, idle: float, waited: float | None, told: str
) -> None:
    await sign(link, Signature("a", state, since=time.time() - idle))
    if waited is not None:
        await wait(Line(link), "job", "background")
        await backdate(link, waited)
    crew = await Roll(link).look()
    (worker,) = crew.workers
    assert worker.state == told
    assert worker.words.startswith("idle, while a job has waited for 3" if told == "stuck" else "")
    assert (crew.stuck, crew.taking) == (told == "stuck", told in ("idle", "busy"))


@pytest.mark.parametrize(("wrong", "words"), [(6000, "ahead of"), (-6000, "behind"), (2, "")])
async def test_a_wrong_clock_is_told_and_changes_nothing_else(link: Link, wrong: float, words: str) -> None:
    now = time.time() + wrong
    await sign(link, Signature("a", "idle", since=now - 20, clock=now))
    (worker,) = (await Roll(link).look()).workers
    assert re.fullmatch(rf"its clock is [56]\d\d\d s {words} that of Redis" if words else "", worker.words)
    assert 20 <= worker.seconds < 60
    crew = await Roll(link, lambda: time.time() + wrong).look()
    assert re.fullmatch(rf"the clock here is [56]\d\d\d s {words} that of Redis" if words else "", crew.words)


# --- A proxy that watches it ------------------------------------------------------------------------------------


async def until(roll: Roll, wanted: Any) -> CrewFigures:
    """The figures, once they are as `wanted`."""
    for _ in range(LOOKS):
        if wanted(roll.figures()):
            return roll.figures()
        await asyncio.sleep(0.01)
    raise AssertionError(roll.figures())


async def test_before_the_first_look_nobody_is_known(link: Link) -> None:
    assert Roll(link).figures() == CrewFigures(False)


async def test_what_has_changed_is_seen_by_itself(link: Link) -> None:
    await sign(link, Signature("a", "idle"))
    roll = Roll(link)
    async with roll.running():
        assert said(roll.figures()) == {"a": "idle"}
        await sign(link, Signature("a", "busy"))
        await until(roll, lambda crew: said(crew) == {"a": "busy"})


async def test_who_wants_to_know_hears_when_the_first_comes_and_the_last_goes(link: Link) -> None:
    roll = Roll(link)
    heard: list[int] = []
    roll.changed.append(lambda: heard.append(roll.figures().taking))
    for worker, state in (("a", "paused"), ("b", "idle"), ("a", "busy"), ("b", "stopping"), ("a", "stopping")):
        await sign(link, Signature(worker, state))  # type: ignore[arg-type]  # mypy sees str
        await roll.look()
    assert heard == [1, 0]


async def test_without_redis_the_last_figures_stay(redis: RedisServer, link: Link) -> None:
    await sign(link, Signature("a", "idle"))
    roll = Roll(link)
    async with roll.running():
        known = roll.figures()
        assert known.is_well
        await redis.kill()
        crew = await until(roll, lambda crew: not crew.is_up)
        assert (crew.workers[0].name, crew.taking, crew.is_well) == ("a", 1, False)
        with pytest.raises(FleetUnavailable):
            await roll.look()
        await redis.start()
        await until(roll, lambda crew: crew.is_up)


async def test_without_redis_it_starts(tmp_path: Path, redis: RedisServer) -> None:
    await redis.kill()
    async with open_link(redis.url, time.monotonic) as link:
        roll = Roll(link)
        async with roll.running():
            assert not roll.figures().is_up
            await redis.start()
            async with open_link(redis.url, time.monotonic) as other:
                await sign(other, Signature("a", "idle"))
            await until(roll, lambda crew: crew.is_up and said(crew) == {"a": "idle"})


# --- What the figures tell --------------------------------------------------------------------------------------


def crew_of(*states: Any, **figures: Any) -> CrewFigures:
    workers = tuple(WorkerFigures(f"{number}", state) for number, state in enumerate(states))
    return CrewFigures(**{"is_up": True, "workers": workers, **figures})


@pytest.mark.parametrize(
    ("crew", "well", "wait"),
    [
        (crew_of("idle", "idle"), True, 0.0),
        (crew_of("idle", "busy", "paused", job_seconds=4.0), True, 0.0),
        (crew_of("busy", "busy", job_seconds=4.0), True, 2.0),
        (crew_of("busy", "idle", waiting=3, job_seconds=4.0), True, 8.0),
        (crew_of("idle", "stuck"), False, 0.0),
        (crew_of("paused", "stopping"), False, None),
        (crew_of(), False, None),
        (crew_of("idle", is_up=False), False, 0.0),
    ],
)
def test_how_well_it_is_and_how_long_a_job_would_wait(crew: CrewFigures, well: bool, wait: float | None) -> None:
    assert (crew.is_well, crew.wait_seconds) == (well, wait)
    assert crew.present == crew.taking + crew.stuck


def test_of_very_many_workers_those_in_trouble_are_listed() -> None:
    crew = crew_of(*["idle"] * 500, "stuck", *["busy"] * 400, "paused")
    described = describe_crew(crew)
    assert [worker["state"] for worker in described["workers"]][:2] == ["stuck", "paused"]
    assert len(described["workers"]) == MOST_DESCRIBED
    assert described["states"] == {"idle": 500, "busy": 400, "paused": 1, "stuck": 1, "stopping": 0}
