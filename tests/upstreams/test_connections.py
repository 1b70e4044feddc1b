"""Connections to the upstream: one for every call that could do something, kept ones for GET and HEAD. Check 53."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fakes.a1111 import Reply, ScriptedA1111, said
from pico_a1111_proxy.errors import UpstreamUnavailable
from pico_a1111_proxy.proxy import RelayRequest, Upstream
from pico_a1111_proxy.settings import read_settings
from pico_a1111_proxy.wiring import open_upstream

PATH = "/sdapi/v1/options"
KEPT = replace(said({"samples_format": "png"}), keep_alive=True)


@pytest.fixture
async def a1111(upstream: ScriptedA1111) -> AsyncIterator[Upstream]:
    async with open_upstream(read_settings(env_file=None, a1111_base_url=upstream.url)) as opened:
        yield opened


async def one_piece() -> AsyncIterator[bytes]:
    yield b"{}"


async def relay(a1111: Upstream, method: str, body: AsyncIterator[bytes] | None = None) -> bytes:
    async with a1111.relay(RelayRequest(method, PATH, (), body)) as answer:
        return b"".join([piece async for piece in answer.body])


def connections(upstream: ScriptedA1111) -> int:
    return len({seen.connection for seen in upstream.seen})


async def test_gets_share_a_connection(a1111: Upstream, upstream: ScriptedA1111) -> None:
    upstream.standing = KEPT
    for _ in range(5):
        assert await relay(a1111, "GET") == KEPT.body
    assert (len(upstream.seen), connections(upstream)) == (5, 1)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_whatever_may_do_something_has_its_own(a1111: Upstream, upstream: ScriptedA1111, method: str) -> None:
    upstream.standing = KEPT
    await relay(a1111, "GET")
    for body in (None, one_piece()):
        await relay(a1111, method, body)
    await relay(a1111, "GET", one_piece())
    assert (len(upstream.seen), connections(upstream)) == (4, 4)


async def test_check_53_a_get_on_a_connection_that_was_closed_meanwhile_is_sent_again(
    a1111: Upstream, upstream: ScriptedA1111
) -> None:
    upstream.script = [KEPT, Reply(mute=True), KEPT]
    for _ in range(2):
        assert await relay(a1111, "GET") == KEPT.body
    first, stale, again = [seen.connection for seen in upstream.seen]
    assert first == stale != again


async def test_check_53_but_not_on_a_new_one(a1111: Upstream, upstream: ScriptedA1111) -> None:
    upstream.script = [Reply(mute=True), KEPT, Reply(reset=True), Reply(mute=True)]
    with pytest.raises(UpstreamUnavailable):
        await relay(a1111, "GET")
    assert len(upstream.seen) == 1
    assert await relay(a1111, "GET") == KEPT.body
    # Sent again once, and no more than once.
    with pytest.raises(UpstreamUnavailable):
        await relay(a1111, "GET")
    assert len(upstream.seen) == 4


async def test_check_53_a_post_is_never_sent_again(a1111: Upstream, upstream: ScriptedA1111) -> None:
    upstream.script = [KEPT, Reply(mute=True), Reply(reset=True)]
    await relay(a1111, "GET")
    for _ in range(2):
        with pytest.raises(UpstreamUnavailable):
            await relay(a1111, "POST", one_piece())
    assert len(upstream.seen) == 3


async def test_at_the_same_time_they_do_not_wait_for_each_other(a1111: Upstream, upstream: ScriptedA1111) -> None:
    held = asyncio.Event()
    upstream.standing = replace(KEPT, gate=held)
    asking = [asyncio.create_task(relay(a1111, "GET")) for _ in range(8)]
    await upstream.wait_for(8)
    held.set()
    assert await asyncio.gather(*asking) == [KEPT.body] * 8
    assert connections(upstream) == 8
