"""Connections to the upstream: a new one for every call, and nothing is sent twice. Check 53."""

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


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_call_has_its_own(a1111: Upstream, upstream: ScriptedA1111, method: str) -> None:
    upstream.standing = KEPT
    for body in (None, one_piece(), None):
        await relay(a1111, method, body)
    assert (len(upstream.seen), connections(upstream)) == (3, 3)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("failure", [Reply(mute=True), Reply(reset=True)], ids=["hangs up", "resets"])
async def test_check_53_and_is_sent_once(a1111: Upstream, upstream: ScriptedA1111, method: str, failure: Reply) -> None:
    upstream.standing = failure
    with pytest.raises(UpstreamUnavailable):
        await relay(a1111, method)
    assert len(upstream.seen) == 1


async def test_at_the_same_time_they_do_not_wait_for_each_other(a1111: Upstream, upstream: ScriptedA1111) -> None:
    held = asyncio.Event()
    upstream.standing = replace(KEPT, gate=held)
    asking = [asyncio.create_task(relay(a1111, "GET")) for _ in range(8)]
    await upstream.wait_for(8)
    held.set()
    assert await asyncio.gather(*asking) == [KEPT.body] * 8
