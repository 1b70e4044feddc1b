"""The pool's relay: most goes to one, what changes an upstream to all, progress to the busy one; nothing goes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer, said
from fakes.pictures import png
from fakes.pools import LIMIT, Clock, Setup, job, open_dead, pool_of
from pico_a1111_proxy import errors
from pico_a1111_proxy.proxy import RelayAnswer, RelayRequest, Upstream
from pico_a1111_proxy.upstreams.a1111 import open_a1111
from pico_a1111_proxy.upstreams.circuit import COOL_DOWN_SECONDS
from pico_a1111_proxy.upstreams.pool import Pool
from pico_a1111_proxy.upstreams.sharing import MOST_SHARED

FOR_ALL = [
    ("POST", "/sdapi/v1/options"),
    ("POST", "/sdapi/v1/options/"),
    ("POST", "/sdapi/v1/Options?x=1"),
    ("POST", "/sdapi/v1/%6fptions"),
    ("POST", "/sdapi/v1/interrupt"),
    ("POST", "/sdapi/v1/skip"),
    ("POST", "/sdapi/v1/refresh-checkpoints"),
    ("POST", "/sdapi/v1/refresh-loras"),
    ("POST", "/sdapi/v1/reload-checkpoint"),
    ("POST", "/sdapi/v1/unload-checkpoint"),
    ("POST", "/sdapi/v1/server-restart"),
]
FOR_ONE = [
    ("GET", "/sdapi/v1/options"),
    ("HEAD", "/sdapi/v1/options"),
    ("GET", "/sdapi/v1/sd-models"),
    ("GET", "/file=tmp/options.png"),
    ("POST", "/sdapi/v1/png-info"),
    ("POST", "/sdapi/v1/progress-of-something"),
    ("POST", "/queue/join?refresh-x"),
]


async def pieces(*listed: bytes) -> AsyncIterator[bytes]:
    for piece in listed:
        yield piece


async def relay(pool: Pool, method: str, target: str, body: Sequence[bytes] | None = None) -> tuple[int, bytes]:
    request = RelayRequest(method, target, (), None if body is None else pieces(*body))
    async with pool.relay(request) as got:
        return got.status, b"".join([piece async for piece in got.body])


def targets(upstream: ScriptedA1111) -> list[str]:
    return [seen.target for seen in upstream.seen]


@pytest.mark.parametrize(("method", "target"), FOR_ONE)
async def test_most_goes_to_the_first_every_time(
    both: Setup, one: ScriptedA1111, two: ScriptedA1111, method: str, target: str
) -> None:
    await both.pool.generate(job())  # whose turn it is does not matter
    one.seen.clear()
    one.standing = Reply(body=b"one")
    for _ in range(3):
        assert await relay(both.pool, method, target) == (200, b"" if method == "HEAD" else b"one")
    assert (targets(one), targets(two)) == ([target] * 3, [])


async def test_and_to_the_next_while_the_first_is_down(two: ScriptedA1111) -> None:
    async with open_dead() as dead, pool_of(dead.url, two.url) as setup:
        for _ in range(3):
            assert (await relay(setup.pool, "POST", "/sdapi/v1/png-info", [b"a", b"b" * 10]))[0] == 200
        assert dead.connections == 1
        assert [seen.body for seen in two.seen] == [b"a" + b"b" * 10] * 3
        setup.clock.now += COOL_DOWN_SECONDS
        await relay(setup.pool, "GET", "/sdapi/v1/options")
        assert dead.connections == 2


@pytest.mark.parametrize("target", ["/sdapi/v1/png-info", "/sdapi/v1/options"])
async def test_what_may_have_been_sent_is_not_sent_again(
    both: Setup, one: ScriptedA1111, two: ScriptedA1111, target: str
) -> None:
    one.standing = Reply(mute=True)
    with pytest.raises(errors.UpstreamUnavailable):
        await relay(both.pool, "POST", target, [b"x"])
    assert targets(one) == [target]
    assert targets(two) == ([target] if target.endswith("options") else [])


async def test_an_answer_that_crashes_comes_back_and_shuts_nobody_out(both: Setup, one: ScriptedA1111) -> None:
    one.standing = said({"error": "RuntimeError"}, 500)
    for _ in range(10):
        assert (await relay(both.pool, "GET", "/sdapi/v1/loras"))[0] == 500
    assert both.states() == ["closed", "closed"]


class Halfway:
    """An upstream that takes some of the body, and then claims that it has got nothing."""

    def __init__(self) -> None:
        self.calls = 0

    @asynccontextmanager
    async def relay(self, request: RelayRequest) -> AsyncIterator[RelayAnswer]:
        self.calls += 1
        assert request.body is not None
        await request.body.__anext__()
        raise errors.UpstreamUnavailable("Gone", unsent=True)
        yield


async def test_a_body_that_was_begun_goes_nowhere_else() -> None:
    first: Any = Halfway()
    second: Any = Halfway()
    members: list[Upstream] = [first, second]
    with pytest.raises(errors.UpstreamUnavailable):
        await relay(Pool(members, lambda: 0.0), "POST", "/sdapi/v1/png-info", [b"x"])
    assert first.calls + second.calls == 1


@pytest.mark.parametrize(("method", "target"), FOR_ALL)
async def test_what_changes_an_upstream_goes_to_all(
    both: Setup, one: ScriptedA1111, two: ScriptedA1111, method: str, target: str
) -> None:
    one.standing, two.standing = Reply(body=b"one"), Reply(body=b"two")
    assert await relay(both.pool, method, target, [b"{", b"}"]) == (200, b"one")
    assert [(seen.method, seen.target, seen.body) for seen in one.seen + two.seen] == [(method, target, b"{}")] * 2


async def test_without_a_body_too(both: Setup, one: ScriptedA1111, two: ScriptedA1111) -> None:
    one.standing = two.standing = Reply(204, headers=())
    assert await relay(both.pool, "POST", "/sdapi/v1/interrupt") == (204, b"")
    assert [seen.body for seen in one.seen + two.seen] == [b"", b""]
    assert all(seen.header("transfer-encoding") is None for seen in one.seen + two.seen)


async def test_whoever_did_not_do_it_answers(both: Setup, one: ScriptedA1111, two: ScriptedA1111) -> None:
    two.standing = said({"error": "no such option"}, 500)
    assert (await relay(both.pool, "POST", "/sdapi/v1/options", [b"{}"]))[0] == 500
    two.standing = Reply(reset=True)
    with pytest.raises(errors.UpstreamUnavailable):
        await relay(both.pool, "POST", "/sdapi/v1/options", [b"{}"])
    assert len(one.seen) == len(two.seen) == 2


async def test_who_is_down_is_passed_over(two: ScriptedA1111) -> None:
    two.standing = Reply(body=b"two")
    async with open_dead() as dead, pool_of(dead.url, two.url) as setup:
        for _ in range(3):
            assert await relay(setup.pool, "POST", "/sdapi/v1/options", [b"{}"]) == (200, b"two")
        assert (dead.connections, len(two.seen)) == (1, 3)


async def test_where_all_are_down_it_is_an_error() -> None:
    async with open_dead() as one, open_dead() as two, pool_of(one.url, two.url) as setup:
        for _ in range(2):
            with pytest.raises(errors.UpstreamUnavailable):
                await relay(setup.pool, "POST", "/sdapi/v1/options", [b"{}"])


async def test_a_body_for_all_has_a_bound(both: Setup, one: ScriptedA1111, two: ScriptedA1111) -> None:
    full = [b"x" * 2**16] * (MOST_SHARED // 2**16)
    assert (await relay(both.pool, "POST", "/sdapi/v1/options", full))[0] == 200
    with pytest.raises(errors.BodyTooLarge):
        await relay(both.pool, "POST", "/sdapi/v1/options", [*full, b"x"])
    assert len(one.seen) == len(two.seen) == 1
    assert both.states() == ["closed", "closed"]


async def test_and_so_have_their_answers(both: Setup, two: ScriptedA1111) -> None:
    two.standing = Reply(body=b"x" * (MOST_SHARED + 1))
    with pytest.raises(errors.UpstreamNonsense):
        await relay(both.pool, "POST", "/sdapi/v1/options", [b"{}"])


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/sdapi/v1/progress?skip_current_image=true"), ("POST", "/internal/progress")]
)
async def test_progress_is_that_of_the_one_that_works_for_us(
    both: Setup, one: ScriptedA1111, two: ScriptedA1111, method: str, target: str
) -> None:
    held = asyncio.Event()
    one.standing, two.standing = Reply(body=b"one"), Reply(body=b"two")
    two.script = [replace(answer(png()), gate=held)]
    assert await relay(both.pool, method, target) == (200, b"one")
    with pytest.raises(errors.UpstreamNonsense):
        await both.pool.generate(job())  # the other one is next then
    task = asyncio.create_task(both.pool.generate(job()))
    await two.wait_for(1)
    assert await relay(both.pool, method, target) == (200, b"two")
    held.set()
    await asyncio.wait_for(task, LIMIT)
    assert await relay(both.pool, method, target) == (200, b"one")


@pytest.mark.parametrize("silent", [0, 1])
async def test_who_wants_a_drawing_stopped_does_not_wait_for_one_that_hangs(
    one: ScriptedA1111, two: ScriptedA1111, silent: int
) -> None:
    hangs, stops = (one, two) if silent == 0 else (two, one)
    hangs.standing, stops.standing = Reply(gate=asyncio.Event()), said({"stopped": True})
    async with AsyncExitStack() as stack:
        members = [await stack.enter_async_context(open_a1111(each.url, None, LIMIT)) for each in (one, two)]
        pool = Pool(members, Clock(), stop_seconds=0.5)
        assert await relay(pool, "POST", "/sdapi/v1/interrupt") == (200, b'{"stopped": true}')
        stops.standing = hangs.standing
        with pytest.raises(errors.UpstreamTimeout):  # nobody has stopped
            await relay(pool, "POST", "/sdapi/v1/skip")
