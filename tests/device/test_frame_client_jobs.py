"""Jobs of the boards: posted, waited for with a word on how far they are, and what becomes of those that end badly."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from device.asking import JOB, WHITE, Levers, ask, each, frame, open_levers, open_scripted
from fakes.a1111 import Reply, ScriptedA1111, said
from fakes.jobs import Drawing
from fakes.pictures import BLUE, b64, png
from service import Service, open_service

WAITING = said({"state": "running", "position": 0, "progress": 0.5, "eta_seconds": 3.5, "live": True}, 202)


@pytest.fixture
async def narrow(upstream: ScriptedA1111) -> AsyncIterator[Service]:
    """A service that draws one picture at a time, in front of a line of two."""
    async with open_service(a1111_base_url=upstream.url, max_workers=1, queue_size=2) as service:
        yield service


@pytest.fixture
async def drawing(upstream: ScriptedA1111) -> AsyncIterator[Drawing]:
    upstream.standing = drawing = Drawing()
    yield drawing
    drawing.now.set()


@pytest.fixture
async def levers(drawing: Drawing) -> AsyncIterator[Levers]:
    """`draw` has the upstream draw, from now on."""
    async with open_levers(draw=drawing.now.set) as levers:
        yield levers


def begin(service: Service, poll: int = 0) -> str:
    return f"""
panel.fill(0xFFFF)
client = FrameClient({service.url!r}, panel, poll={poll})
seen = []
"""


# --- Jobs that are drawn ----------------------------------------------------------------------------------------


async def test_who_waits_is_told_how_far_it_is(
    vm: str, narrow: Service, upstream: ScriptedA1111, levers: Levers
) -> None:
    program = """
def show(told):
    seen.append(told)
    if len(seen) == 3:
        pull("draw")

first = client.submit("one", steps=4)
second = client.submit("two", steps=5)
tell("job", lambda: second)
tell("waited", client.wait, second, show)
tell("seen", lambda: seen)
tell("the first", client.wait, first)
tell("seed", lambda: client.seed)
tell("newest", client.newest)
"""
    asked = await ask(vm, begin(narrow) + program, levers=levers)
    gave = asked.gave
    assert gave["job"].startswith("/jobs/")
    assert (gave["waited"], gave["the first"], gave["seed"], gave["newest"]) == (None, None, 1234, False)
    assert (asked["waited"].rows, asked["the first"].rows) == (80, 80)
    assert [(told["state"], told["position"], told["progress"]) for told in gave["seen"][:3]] == [("queued", 1, 0)] * 3
    assert all(told["eta_seconds"] >= 0 for told in gave["seen"])
    assert {told["state"] for told in gave["seen"]} <= {"queued", "running"}
    assert [json.loads(seen.body) for seen in upstream.generations] == [
        {"prompt": "one", "steps": 4},
        {"prompt": "two", "steps": 5},
    ]
    assert asked.colours != {WHITE}


@pytest.mark.parametrize("live", [False, True])
async def test_the_drawing_is_seen_where_that_is_wanted(
    vm: str, narrow: Service, drawing: Drawing, levers: Levers, live: bool
) -> None:
    state = {"job": "txt2img", "job_count": 1, "job_no": 0, "sampling_step": 2, "sampling_steps": 4}
    drawing.told = {"progress": 0.5, "eta_relative": 1.0, "state": state, "current_image": b64(png(BLUE))}
    program = f"""
def show(told):
    if told["state"] == "running":
        seen.append(panel.begun)
    if len(seen) == 3:
        pull("draw")

tell("drawn", client.wait, client.submit("one"), show, live={live})
tell("rows", lambda: [seen[at + 1] - seen[at] for at in range(2)])
"""
    asked = await ask(vm, begin(narrow) + program, levers=levers)
    assert asked.gave == {"drawn": None, "rows": [80, 80] if live else [0, 0]}
    assert asked.colours != {(0, 0, 255)}


# --- Jobs that are not ------------------------------------------------------------------------------------------


async def test_jobs_that_end_badly(vm: str, narrow: Service, upstream: ScriptedA1111) -> None:
    # Held until it is over: in between, the upstream would be asked how far it is, and take a line of its script.
    upstream.script = [said({"detail": "steps: too many"}, 422), said({"detail": "out of memory"}, 500)]
    program = """
tell("refused", lambda: client.wait(client.submit("one")))
tell("failed", lambda: client.wait(client.submit("two")))
tell("never there", client.wait, "/jobs/nonsense")
tell("cancel that", client.cancel, "/jobs/nonsense")
"""
    asked = await ask(vm, begin(narrow, poll=4) + program)
    assert {told.name: (told.status, told.again, told.rows) for told in asked.told if told.error} == {
        "refused": (422, None, 0),
        "failed": (502, None, 0),
        "never there": (404, None, 0),
        "cancel that": (404, None, 0),
    }
    assert asked["refused"].error == "Upstream A1111 answered 422: steps: too many"
    assert asked["failed"].error == "Upstream A1111 service unavailable"
    for name in ("never there", "cancel that"):
        assert asked[name].error == "No such job: it was never there, or its time is over"
    assert asked.colours == {WHITE}


async def test_a_cancelled_job_is_not_drawn(
    vm: str, narrow: Service, upstream: ScriptedA1111, drawing: Drawing
) -> None:
    program = """
first, second = [client.submit(name) for name in ("one", "two")]
tell("cancelled", client.cancel, second)
tell("once more", client.cancel, second)
tell("second", client.wait, second)
tell("cancelled too", client.cancel, first)
tell("first", client.wait, first)
"""
    asked = await ask(vm, begin(narrow) + program)
    for name in ("first", "second"):
        assert (asked[name].error, asked[name].status) == ("The job was cancelled", 410)
    assert [asked[name].gave for name in ("cancelled", "once more", "cancelled too")] == ["cancelled"] * 3
    assert asked.colours == {WHITE}
    assert "two" not in [json.loads(seen.body).get("prompt") for seen in upstream.generations if seen.body]


async def test_a_full_line_is_told_with_a_time_to_come_again(vm: str, narrow: Service, drawing: Drawing) -> None:
    program = """
client.retries = 0
for number in range(4):
    tell(str(number), client.submit, "picture %d" % number)
"""
    asked = await ask(vm, begin(narrow) + program)
    assert [told.status for told in asked.told] == [None, None, None, 503]
    assert asked["3"].again is not None
    assert asked["3"].again > 0


async def test_patience_ends(vm: str, narrow: Service, drawing: Drawing) -> None:
    program = """
client.patience = 0
tell("waited", client.wait, client.submit("one"))
"""
    asked = await ask(vm, begin(narrow) + program)
    assert (asked["waited"].error, asked["waited"].status) == ("not drawn within 0 seconds", 0)
    assert asked["waited"].again is not None


# --- A service that does badly ----------------------------------------------------------------------------------


async def test_a_jobs_frame_that_is_cut_off_is_fetched_again(vm: str) -> None:
    replies: dict[str, Any] = {
        "a": [
            JOB,
            Reply(mute=True),
            WAITING,
            frame(cut=10_000),
            Reply(reset=True),
            frame(x_image_seed="77"),
        ]
    }
    async with open_scripted(replies) as server:
        program = f"""
client = FrameClient({server.url!r} + "/a", panel, poll=7)
tell("waited", lambda: client.wait(client.submit("one"), lambda told: tell("told", lambda: told)))
tell("seed", lambda: client.seed)
"""
        asked = await ask(vm, program)
        seen = server.asked("a")
    assert asked["told"].gave == json.loads(WAITING.body)
    assert (asked["waited"].error, asked["seed"].gave) == ("", 77)
    assert [one.method for one in seen] == ["POST"] + ["GET"] * 5
    assert {one.target for one in seen[1:]} == {"/a/jobs/one/frame?wait=7"}
    assert (seen[0].header("prefer"), seen[1].header("prefer")) == ("respond-async", None)


async def test_a_post_that_brings_no_job_is_an_error_and_is_not_repeated(vm: str) -> None:
    replies = {
        "nothing": Reply(mute=True),
        "reset": Reply(reset=True),
        "no job": Reply(202, b"{}"),
        "another place": Reply(202, b"{}", (("Location", "/elsewhere"),)),
        "a frame": frame(),
        "nothing there": Reply(404, b"<html>"),
    }
    async with open_scripted(replies) as server:
        asked = await ask(vm, each(replies, server.url, "txt2img('a')", patience=0))
        counts = {name: len(server.asked(name)) for name in replies}
    assert {told.name: told.again for told in asked.told if told.error} == dict.fromkeys(replies)
    assert set(counts.values()) == {1}
    assert asked.colours == {WHITE}


async def test_what_can_not_be_seen_of_a_drawing_does_not_end_the_waiting(vm: str) -> None:
    replies = {"a": [WAITING, said({"error": "Upstream A1111 service unavailable"}, 502), WAITING, frame()]}
    async with open_scripted(replies) as server:
        program = f"""
tell("waited", lambda: FrameClient({server.url!r} + "/a", panel).wait("/jobs/one", live=True))
"""
        asked = await ask(vm, program)
        asked_for = [seen.target.split("/")[-1] for seen in server.asked("a")]
    assert (asked["waited"].error, asked["waited"].rows) == ("", 80)
    assert asked_for == ["frame?wait=1", "progress", "frame?wait=4", "frame?wait=4"]


async def test_a_job_is_waited_for_without_words_on_it(vm: str) -> None:
    """A 202 that says nothing that can be read still means: later."""
    odd = [Reply(202, b"<html>"), Reply(202), said([1], 202), said({}, 202), Reply(202, b"{" * 5000), frame()]
    async with open_scripted({"a": odd}) as server:
        program = f"""
tell("waited", lambda: FrameClient({server.url!r} + "/a", panel).wait("/jobs/one", lambda told: None, live=True))
"""
        asked = await ask(vm, program)
    assert (asked["waited"].error, asked["waited"].rows) == ("", 80)
