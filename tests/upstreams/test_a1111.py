"""A1111 over HTTP: what it is sent, what is made of its answers, and that a picture is never asked for twice.

Check 53 of the conformance suite, and 7, 9, 11 and 45 as seen from the upstream.
"""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, open_scripted_a1111, said
from fakes.failures import (
    CUT_OFF,
    IN_TROUBLE,
    NO_HTTP,
    NONSENSE,
    REDIRECTS,
    REJECTED,
    SLOW,
    UNAUTHORIZED,
    closed_port,
    full_backlog,
)
from fakes.pictures import GREEN, RED, b64, encode, gradient, png
from pico_a1111_proxy import errors
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.jobs import Job, Progress
from pico_a1111_proxy.proxy import Condition, Upstream
from pico_a1111_proxy.settings import read_settings
from pico_a1111_proxy.wiring import open_upstream

JOB = Job("txt2img", b'{"prompt": "a"}', default_display(240, 240, invert=True))


def a1111(upstream: ScriptedA1111, path: str = "", **settings: Any) -> AbstractAsyncContextManager[Upstream]:
    """The way to `upstream`, as the settings build it."""
    return open_upstream(read_settings(env_file=None, a1111_base_url=upstream.url + path, **settings))


FAILURES: dict[str, tuple[type[errors.UpstreamError], Any]] = {
    **{name: (errors.UpstreamUnavailable, reply) for name, reply in {**CUT_OFF, **NO_HTTP, **IN_TROUBLE}.items()},
    **{f"redirects: {name}": (errors.UpstreamUnavailable, reply) for name, reply in REDIRECTS.items()},
    **{f"is slow: {name}": (errors.UpstreamTimeout, reply) for name, reply in SLOW.items()},
    **{f"refuses: {name}": (errors.UpstreamRejected, reply) for name, (reply, _) in REJECTED.items()},
    "refuses credentials": (errors.UpstreamUnauthorized, UNAUTHORIZED),
    **{
        f"answers {name}": (errors.UpstreamNonsense, NONSENSE[name])
        for name in ("html", "nothing", "half a document", "a list", "an object without images", "a 204")
    },
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_check_53_a_generation_is_posted_once_however_it_fails(upstream: ScriptedA1111, failure: str) -> None:
    kind, reply = FAILURES[failure]
    # The connection that the first one leaves open might be used for the second, which would then be tried again.
    upstream.script = [replace(answer(png()), keep_alive=True), reply() if callable(reply) else reply]
    async with a1111(upstream, a1111_timeout=0.2 if "slow" in failure else 20) as way:
        assert len((await way.generate(JOB)).pictures) == 1
        with pytest.raises(errors.UpstreamError) as caught:
            await way.generate(JOB)
        assert type(caught.value) is kind
        assert len(upstream.generations) == 2
        # It is no worse for it.
        assert len((await way.generate(JOB)).pictures) == 1
    assert len({seen.connection for seen in upstream.generations}) == 3


@pytest.mark.parametrize("failure", [*CUT_OFF, *NO_HTTP])
async def test_the_cause_is_kept_and_not_told(upstream: ScriptedA1111, failure: str) -> None:
    upstream.script = [{**CUT_OFF, **NO_HTTP}[failure]]
    async with a1111(upstream) as way:
        with pytest.raises(errors.UpstreamUnavailable) as caught:
            await way.generate(JOB)
    assert caught.value.__cause__ is not None
    assert str(upstream.port) not in f"{caught.value} {caught.value.detail}"


async def test_check_53_every_generation_has_a_connection_of_its_own(upstream: ScriptedA1111) -> None:
    upstream.standing = replace(answer(png()), keep_alive=True)
    async with a1111(upstream) as way:
        for _ in range(5):
            await way.generate(JOB)
    assert len({seen.connection for seen in upstream.generations}) == 5


async def test_check_53_an_upstream_that_hangs_up_when_idle_is_no_trouble(upstream: ScriptedA1111) -> None:
    # It promises to keep the connection and closes it after each answer all the same.
    body = answer(png()).body
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: keep-alive\r\n\r\n".encode()
    upstream.standing = Reply(raw=head + body)
    async with a1111(upstream) as way:
        for _ in range(5):
            assert len((await way.generate(JOB)).pictures) == 1
    assert len(upstream.generations) == 5


async def test_nobody_there() -> None:
    with closed_port() as url:
        async with open_upstream(read_settings(env_file=None, a1111_base_url=url)) as way:
            with pytest.raises(errors.UpstreamUnavailable) as caught:
                await way.generate(JOB)
    assert caught.value.detail == "It refuses connections: is it running?"
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_connection_that_is_not_accepted_is_a_timeout() -> None:
    with full_backlog() as url:
        async with open_upstream(read_settings(env_file=None, a1111_base_url=url, a1111_timeout=0.2)) as way:
            with pytest.raises(errors.UpstreamTimeout):
                await way.generate(JOB)


@pytest.mark.parametrize("path", ["", "/", "//", "/sub", "/sub/path/", "/a%20b"])
async def test_check_07_the_base_url_may_end_in_a_slash_or_a_path(upstream: ScriptedA1111, path: str) -> None:
    async with a1111(upstream, path) as way:
        await way.generate(JOB)
        await way.generate(replace(JOB, route="img2img", query="a=%2F&b"))
    base = path.rstrip("/")
    assert [seen.target for seen in upstream.seen] == [
        f"{base}/sdapi/v1/txt2img",
        f"{base}/sdapi/v1/img2img?a=%2F&b",
    ]
    assert {seen.header("host") for seen in upstream.seen} == {f"127.0.0.1:{upstream.port}"}


async def test_check_09_the_body_goes_up_as_it_is(upstream: ScriptedA1111) -> None:
    body = '{"b": 1e-7, "a": NaN, "a": 18446744073709551616, "prompt": "熊 \\ud83d"} '.encode() + b"\n" * 3_000_000
    async with a1111(upstream) as way:
        await way.generate(replace(JOB, body=body))
    (seen,) = upstream.seen
    assert seen.body == body
    assert (seen.header("content-type"), seen.header("content-length")) == ("application/json", str(len(body)))


@pytest.mark.parametrize("password", ["secret", "se:cr:et", ":", "schlüssel 熊", "a" * 300, '"quoted"'])
async def test_check_45_credentials_go_with_every_call(upstream: ScriptedA1111, password: str) -> None:
    expected = "Basic " + base64.b64encode(f"somebody:{password}".encode()).decode()
    async with a1111(upstream, a1111_username="somebody", a1111_password=password) as way:
        await way.generate(JOB)
        await way.progress()
        await way.check()
    calls: list[Seen] = [*upstream.seen, *upstream.looks[-1:]]
    assert len(calls) == 3
    assert [seen.header("authorization") for seen in calls] == [expected] * 3


async def test_without_credentials_none_are_sent(upstream: ScriptedA1111) -> None:
    async with a1111(upstream) as way:
        await way.generate(JOB)
    assert upstream.seen[0].header("authorization") is None


async def test_check_45_credentials_go_nowhere_else(upstream: ScriptedA1111, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_scripted_a1111() as elsewhere:
        # Neither a redirect nor a proxy of the environment may lead them there.
        upstream.script = [Reply(307, b"", (("location", f"{elsewhere.url}/sdapi/v1/txt2img"),))]
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, elsewhere.url)
        async with a1111(upstream, a1111_username="somebody", a1111_password="secret") as way:
            with pytest.raises(errors.UpstreamUnavailable, match="unavailable"):
                await way.generate(JOB)
            await way.generate(JOB)
        assert not elsewhere.seen
    assert len(upstream.seen) == 2


async def test_a_cookie_is_not_kept(upstream: ScriptedA1111) -> None:
    upstream.standing = replace(answer(png()), headers=(("set-cookie", "session=one"),))
    async with a1111(upstream) as way:
        for _ in range(2):
            await way.generate(JOB)
    assert upstream.seen[1].header("cookie") is None


async def test_what_it_generated(upstream: ScriptedA1111) -> None:
    pictures = [encode(gradient()), png(RED), png(GREEN)]
    info = json.dumps({"index_of_first_image": 1, "seed": 5, "all_seeds": [5, 6]})
    upstream.standing = answer(*pictures, "/a/path.mp4", info=info, parameters={"prompt": "a"})
    async with a1111(upstream) as way:
        generation = await way.generate(JOB)
    assert [generation.picture(i) for i in generation.pictures] == pictures
    assert (generation.first, generation.seed(1), generation.seed(2)) == (1, 5, 6)
    assert generation.parameters == {"prompt": "a"}
    assert generation.answer.body == upstream.standing.body


BUSY = {"job_count": 1, "sampling_step": 7, "sampling_steps": 20}


@pytest.mark.parametrize(
    ("document", "progress"),
    [
        (
            {"progress": 0.35, "eta_relative": 4.5, "state": BUSY, "current_image": b64(png())},
            Progress(0.35, 4.5, 7, 20, png()),
        ),
        (
            {"progress": 0.35, "state": BUSY, "current_image": "data:image/png;base64," + b64(png())},
            Progress(0.35, 0, 7, 20, png()),
        ),
        ({"progress": 1, "state": {**BUSY, "job_count": -1}, "current_image": None}, Progress(1, 0, 7, 20)),
        ({"progress": 0.0, "state": {**BUSY, "job_count": 0}}, Progress(0, 0, 7, 0)),
        ({"progress": "x", "eta_relative": True, "state": [], "current_image": 5}, Progress()),
        ({}, Progress()),
        ([], Progress()),
    ],
    ids=range(7),
)
async def test_progress(upstream: ScriptedA1111, document: Any, progress: Progress) -> None:
    upstream.standing = said(document)
    async with a1111(upstream) as way:
        assert await way.progress() == progress
    assert [(seen.method, seen.target) for seen in upstream.seen] == [("GET", "/sdapi/v1/progress")]


@pytest.mark.parametrize("failure", ["hangs up", "has bad chunks"])
async def test_progress_that_fails(upstream: ScriptedA1111, failure: str) -> None:
    upstream.standing = {**CUT_OFF, **NO_HTTP}[failure]
    async with a1111(upstream) as way:
        with pytest.raises(errors.UpstreamUnavailable):
            await way.progress()


@pytest.mark.parametrize(
    ("samplers", "condition"),
    [
        (said([]), Condition("a1111", usable=True)),
        (said({"detail": "Not Found"}, 404), Condition("a1111", usable=True)),
        (UNAUTHORIZED, Condition("a1111", False, "A1111_USERNAME and A1111_PASSWORD are not those of --api-auth")),
        (CUT_OFF["hangs up"], Condition("a1111", False, "It hung up before the answer was complete")),
        (NO_HTTP["speaks something else"], Condition("a1111", False, "It answered with something that is no HTTP")),
        (IN_TROUBLE["a gateway without upstream"], Condition("a1111", False, "It answered 502")),
    ],
    ids=range(6),
)
async def test_its_condition(upstream: ScriptedA1111, samplers: Reply, condition: Condition) -> None:
    upstream.samplers = samplers
    async with a1111(upstream) as way:
        assert await way.check() == condition


async def in_its_line(way: Upstream, upstream: ScriptedA1111, count: int) -> list[asyncio.Task[Any]]:
    """So many generations, which the upstream has got in this order."""
    asked = []
    for number in range(1, count + 1):
        asked.append(asyncio.create_task(way.generate(JOB)))
        await upstream.wait_for(number)
    return asked


async def test_what_waits_in_the_upstreams_own_line_is_not_late(upstream: ScriptedA1111) -> None:
    """It draws one at a time: each has its time from when the one before was drawn."""
    drawn = [asyncio.Event() for _ in range(4)]
    upstream.script = [replace(answer(png()), gate=event) for event in drawn]
    async with a1111(upstream, a1111_timeout=4) as way:
        asked = await in_its_line(way, upstream, 4)
        for event, task in zip(drawn[:-1], asked, strict=False):
            await asyncio.wait(asked, timeout=1.5)
            event.set()
            await task
        assert not asked[-1].done()  # 4.5 seconds after it was posted
        with pytest.raises(errors.UpstreamTimeout):
            await asked[-1]  # and nobody is drawn before it any more


async def test_what_is_drawn_after_it_gives_it_no_more_time(upstream: ScriptedA1111) -> None:
    drawn = [asyncio.Event() for _ in range(4)]
    upstream.script = [replace(answer(png()), gate=event) for event in drawn]
    async with a1111(upstream, a1111_timeout=4) as way:
        asked = await in_its_line(way, upstream, 4)
        for event, task in zip(drawn[1:], asked[1:], strict=True):
            await asyncio.wait(asked[:1], timeout=1.5)
            event.set()
            await asyncio.wait([task])
        assert asked[0].done()  # 4.5 seconds after it was posted
        with pytest.raises(errors.UpstreamTimeout):
            await asked[0]
