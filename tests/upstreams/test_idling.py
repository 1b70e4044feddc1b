"""A job that nobody wants any more: who is interrupted, who is waited for, and that the wait has an end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, said
from fakes.failures import UNAUTHORIZED, closed_port, never
from fakes.pictures import png
from fakes.turns import turns
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.upstreams import wire
from pico_a1111_proxy.upstreams.a1111 import A1111
from pico_a1111_proxy.upstreams.idling import IDLE_IN_A_ROW, LONGEST_PAUSE_SECONDS, LONGEST_SECONDS

TASK, STATE, INTERRUPT = (
    ("POST", "/internal/progress"),
    ("GET", "/sdapi/v1/progress?skip_current_image=true"),
    ("POST", "/sdapi/v1/interrupt"),
)
NOT_FOUND = said({"detail": "Not Found"}, 404)
LIMIT = 60  # seconds after which a test gives up


def job(**fields: Any) -> Job:
    return Job("txt2img", json.dumps({"prompt": "a", **fields}).encode(), default_display(240, 240, invert=True))


def running(count: int) -> Reply:
    return said({"progress": 0.5, "state": {"job_count": count, "sampling_steps": 20}})


def task(active: bool = False, queued: bool = False) -> Reply:
    return said({"active": active, "queued": queued, "completed": not (active or queued)})


@dataclass
class Pauses:
    """Pauses that take no time, written down."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@asynccontextmanager
async def a1111(url: str, pause: Callable[[float], Awaitable[object]], seconds: float = LIMIT) -> AsyncIterator[A1111]:
    async with wire.open_session(seconds) as session:
        yield A1111(session, url, None, pause)


def play(upstream: ScriptedA1111, **replies: list[Reply]) -> None:
    """Each of task, state and interrupt answers with its replies in turn, then with the last of them again."""
    kinds = {TASK: "task", STATE: "state", INTERRUPT: "interrupt"}

    def choose(seen: Seen) -> Reply:
        listed = replies.get(kinds[seen.method, seen.target], [NOT_FOUND])
        return listed.pop(0) if len(listed) > 1 else listed[0]

    upstream.standing = choose


def asked(upstream: ScriptedA1111) -> list[tuple[str, str]]:
    return [(seen.method, seen.target) for seen in upstream.seen]


async def leave(upstream: ScriptedA1111, pauses: Pauses, left: Job) -> list[tuple[str, str]]:
    """What the upstream was asked for `left`."""
    async with a1111(upstream.url, pauses) as way:
        await asyncio.wait_for(way.abandon(left), LIMIT)
    return asked(upstream)


@pytest.mark.parametrize("done", [said({}), Reply(204, headers=())], ids=["A1111", "SD.Next"])
async def test_ours_is_interrupted_once_when_it_is_the_one_that_runs(
    upstream: ScriptedA1111, pauses: Pauses, done: Reply
) -> None:
    states = [task(queued=True), task(active=True), task(active=True), task()]
    play(upstream, task=states, state=[running(1)], interrupt=[done])
    assert await leave(upstream, pauses, job(force_task_id="mine")) == [
        *(TASK, STATE),
        *(TASK, INTERRUPT, STATE),
        *(TASK, STATE),
        TASK,
    ]
    assert json.loads(upstream.seen[0].body) == {"id_task": "mine", "live_preview": False}
    assert upstream.seen[0].header("content-type") == "application/json"
    assert len(pauses.seconds) == 3


async def test_an_id_that_is_no_unicode_is_asked_for_as_it_came(upstream: ScriptedA1111, pauses: Pauses) -> None:
    play(upstream, task=[task()])
    assert await leave(upstream, pauses, job(force_task_id="\ud800")) == [TASK]
    assert json.loads(upstream.seen[0].body)["id_task"] == "\ud800"


async def test_one_that_is_done_is_left_alone(upstream: ScriptedA1111, pauses: Pauses) -> None:
    play(upstream, task=[task()], state=[running(1)])
    assert await leave(upstream, pauses, job(force_task_id="mine")) == [TASK]
    assert pauses.seconds == []


@pytest.mark.parametrize("fields", [{}, {"force_task_id": ""}, {"force_task_id": None}, {"force_task_id": 7}], ids=str)
async def test_without_an_id_nobody_is_interrupted(
    upstream: ScriptedA1111, pauses: Pauses, fields: dict[str, Any]
) -> None:
    play(upstream, task=[task(active=True)], state=[running(-1), running(2), running(0)])
    assert await leave(upstream, pauses, job(**fields)) == [STATE] * 3
    assert len(pauses.seconds) == 2


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
async def test_nor_where_the_body_is_no_object(upstream: ScriptedA1111, pauses: Pauses, body: bytes) -> None:
    play(upstream, state=[running(1), running(0)])
    assert await leave(upstream, pauses, Job("txt2img", body, job().display)) == [STATE] * 2


@pytest.mark.parametrize("unknown", [NOT_FOUND, said({}, 500), said({"x": 1}), said([1]), Reply(body=b"<html>")])
async def test_nor_where_the_upstream_knows_no_ids(upstream: ScriptedA1111, pauses: Pauses, unknown: Reply) -> None:
    play(upstream, task=[unknown], state=[running(1), running(0)])
    assert await leave(upstream, pauses, job(force_task_id="mine")) == [TASK, STATE, STATE]


@pytest.mark.parametrize(
    "reply",
    [
        NOT_FOUND,
        Reply(405),
        Reply(501),
        Reply(502),
        UNAUTHORIZED,
        Reply(302, headers=(("location", "/login"),)),
        Reply(body=b"<html>", headers=(("content-type", "text/html"),)),
        said({}),
        said({"state": None}),
        said(["state"]),
    ],
)
async def test_who_can_not_say_is_asked_once(upstream: ScriptedA1111, pauses: Pauses, reply: Reply) -> None:
    play(upstream, state=[reply])
    assert await leave(upstream, pauses, job()) == [STATE]
    assert pauses.seconds == []


@pytest.mark.parametrize("fields", [{}, {"force_task_id": "mine"}], ids=str)
async def test_who_refuses_connections_is_gone(pauses: Pauses, fields: dict[str, Any]) -> None:
    with closed_port() as address:
        async with a1111(address, pauses) as way:
            await asyncio.wait_for(way.abandon(job(**fields)), LIMIT)
    assert pauses.seconds == []


@pytest.mark.parametrize("fields", [{}, {"force_task_id": "mine"}], ids=str)
async def test_who_hangs_or_hangs_up_is_asked_again(
    upstream: ScriptedA1111, pauses: Pauses, fields: dict[str, Any]
) -> None:
    upstream.script = [never(), Reply(reset=True), Reply(504)]
    play(upstream, task=[task()], state=[running(0)])
    async with a1111(upstream.url, pauses, seconds=0.5) as way:
        await asyncio.wait_for(way.abandon(job(**fields)), LIMIT)
    assert len(upstream.seen) >= 4
    assert len(pauses.seconds) >= 3


async def test_it_asks_more_and_more_seldom_and_not_for_ever(upstream: ScriptedA1111, pauses: Pauses) -> None:
    play(upstream, state=[running(1)])
    await leave(upstream, pauses, job())
    assert pauses.seconds[0] == 0.25
    assert pauses.seconds == sorted(pauses.seconds)
    assert pauses.seconds[-1] == LONGEST_PAUSE_SECONDS
    assert sum(pauses.seconds) <= LONGEST_SECONDS + LONGEST_PAUSE_SECONDS


async def test_an_id_that_is_kept_for_ever_is_not_waited_for(upstream: ScriptedA1111, pauses: Pauses) -> None:
    """A1111 says `active` for ever of a job that failed, and `queued` of one that failed before its start."""
    states = [running(0), running(1), *[running(0)] * IDLE_IN_A_ROW]
    play(upstream, task=[task(queued=True)], state=states)
    await leave(upstream, pauses, job(force_task_id="mine"))
    assert asked(upstream) == [TASK, STATE] * (2 + IDLE_IN_A_ROW)


async def test_when_a_later_one_is_drawn_it_is_over(upstream: ScriptedA1111) -> None:
    """On an upstream that others keep busy there may be no idle moment to be seen."""
    go_on = asyncio.Event()

    async def pause(_: float) -> None:
        await go_on.wait()
        await turns()

    upstream.standing = lambda seen: answer(png()) if seen.target.endswith("txt2img") else running(1)
    async with a1111(upstream.url, pause) as way:
        await way.generate(job())  # an earlier one tells nothing
        leaving = asyncio.create_task(way.abandon(job()))
        await upstream.wait_for(2)
        await way.generate(job())
        assert not leaving.done()
        go_on.set()
        await asyncio.wait_for(leaving, LIMIT)
    assert len(asked(upstream)) == 3


async def test_who_is_cancelled_stops_asking(upstream: ScriptedA1111) -> None:
    paused = asyncio.Event()

    async def pause(_: float) -> None:
        paused.set()
        await asyncio.Event().wait()

    play(upstream, state=[running(1)])
    async with a1111(upstream.url, pause) as way:
        leaving = asyncio.create_task(way.abandon(job()))
        await asyncio.wait_for(paused.wait(), LIMIT)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    assert asked(upstream) == [STATE]
