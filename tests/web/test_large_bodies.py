"""Large bodies at the service: whole at every route, and no more of them at once than it can hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from fakes.a1111 import ScriptedA1111, answer, said
from fakes.clients import PATIENCE
from fakes.pictures import encode, gradient
from service import TXT2IMG, Service, open_service

MB = 1_000_000


@pytest.fixture(scope="module")
async def roomy(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, max_body_mb=10) as service:
        yield service


async def test_large_bodies_arrive_whole_at_every_route(roomy: Service, upstream: ScriptedA1111) -> None:
    prompt = b'{"prompt": "' + b"x" * 5 * MB + b'"}'
    upstream.standing = answer(encode(gradient()))
    for query in ("", "?answer=original"):
        assert (await roomy.txt2img(prompt, query)).status == 200
        assert upstream.seen[-1].body == prompt
    picture = encode(gradient()) + bytes(5 * MB)
    assert (await roomy.ask("POST", "/displays/default/frame?publish=false", picture)).status == 200
    upstream.standing = lambda seen: said(len(seen.body))
    got = await roomy.ask("POST", "/sdapi/v1/png-info", prompt, content_type="application/json")
    assert (got.status, got.body) == (200, str(len(prompt)).encode())


async def test_the_service_does_not_take_in_more_than_it_can_hold(roomy: Service, upstream: ScriptedA1111) -> None:
    async with AsyncExitStack() as stack:
        for path in (TXT2IMG, "/displays/default/frame", "/sdapi/v1/png-info"):
            for _ in range(50):
                client = await stack.enter_async_context(roomy.connect())
                head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {10 * MB}\r\n\r\n"
                await client.send(head.encode())
        # Nobody sends a byte more: without a bound there would be no answer at all.
        got = await asyncio.wait_for(client.hear(), 3 * PATIENCE)
        assert (got.status, got.json()["error"]) == (503, "The service holds too many large requests")
        assert (await roomy.frame()).status == 200
