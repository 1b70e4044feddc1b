"""A client that leaves: its job leaves the line, or is given up where it has begun. Check 51."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, said
from fakes.clients import RawClient, open_raw_client, post
from fakes.pictures import png
from service import RAW, TXT2IMG, Service, open_service

ACCEPT_RAW = f"Accept: {RAW}"
PATHS = [TXT2IMG, f"{TXT2IMG}?answer=original", f"/original{TXT2IMG}", f"/displays/default{TXT2IMG}"]


@pytest.fixture(scope="module")
async def _narrow(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, max_workers=1, queue_size=2) as service:
        yield service


@pytest.fixture
def narrow(_narrow: Service, upstream: ScriptedA1111) -> Service:
    """A service with one place and a line of two; `upstream` is as new."""
    return _narrow


async def queue_of(service: Service, **wanted: int) -> Any:
    """The queue, once it is as wanted; each look is a request, so the service gets on in between."""
    for _ in range(500):
        queue = (await service.health())["queue"]
        if wanted.items() <= queue.items():
            return queue
    pytest.fail(f"The queue never was as wanted: {queue}")


def leave(client: RawClient, how: str) -> None:
    client.leave() if how == "with a RST" else client.finish()


@pytest.mark.parametrize("how", ["with a RST", "quietly"])
@pytest.mark.parametrize("path", PATHS)
async def test_check_51_who_leaves_the_line_is_never_drawn_for(
    narrow: Service, upstream: ScriptedA1111, path: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    held = asyncio.Event()
    upstream.script = [replace(answer(png()), gate=held)]
    running = asyncio.create_task(narrow.frame({"prompt": "first"}))
    await upstream.wait_for(1)
    with structlog.testing.capture_logs() as lines:
        async with open_raw_client(narrow.port) as client:
            await client.send(post(path, b'{"prompt": "left"}', ACCEPT_RAW))
            await queue_of(narrow, in_flight=1, waiting=1)
            leave(client, how)
            await queue_of(narrow, in_flight=1, waiting=0)
        held.set()
        assert (await running).status == 200
        assert (await narrow.frame({"prompt": "last"})).status == 200
    assert [seen.body for seen in upstream.seen] == [b'{"prompt": "first"}', b'{"prompt": "last"}']
    assert 499 in [line["status"] for line in lines if line["event"] == "request"]
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]


@pytest.mark.parametrize("path", PATHS)
async def test_check_51_who_leaves_while_it_is_drawn_gives_the_place_back(
    narrow: Service, upstream: ScriptedA1111, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.script = [replace(answer(png()), gate=asyncio.Event())]
    async with open_raw_client(narrow.port) as client:
        await client.send(post(path, b"{}", ACCEPT_RAW))
        await upstream.wait_for(1)
        client.leave()
    assert (await narrow.frame()).status == 200
    await queue_of(narrow, in_flight=0, waiting=0)
    assert upstream.most_inside == 1  # the connection of the first was closed before the second came
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]


def busy_with(job_count: int) -> Reply:
    return said({"progress": 0.5, "eta_relative": 1, "state": {"job_count": job_count, "sampling_steps": 9}})


@pytest.mark.parametrize("path", [TXT2IMG, "/sdapi/v1/control"])
async def test_check_51_the_place_stays_closed_while_the_upstream_draws_on(
    narrow: Service, upstream: ScriptedA1111, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A1111 draws on whoever leaves: a second job in it would only wait there, and out of our sight."""
    drawing = True

    def reply(seen: Seen) -> Reply:
        if "/progress" in seen.target:
            return busy_with(1 if drawing else 0)
        return replace(answer(png()), gate=asyncio.Event() if b"left" in seen.body else None)

    upstream.standing = reply
    async with open_raw_client(narrow.port) as client:
        await client.send(post(path, b'{"prompt": "left"}', ACCEPT_RAW))
        await upstream.wait_for(1)
        client.leave()
    next_one = asyncio.create_task(narrow.frame({"prompt": "next"}))
    await queue_of(narrow, in_flight=1, waiting=1)
    await upstream.wait_for(3)  # it has been asked how far it is, and again
    assert [seen.body for seen in upstream.generations] == [b'{"prompt": "left"}']
    drawing = False
    assert (await next_one).status == 200
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]


async def test_a_service_that_ends_does_not_wait_for_who_has_left(upstream: ScriptedA1111) -> None:
    upstream.standing = replace(answer(png()), gate=asyncio.Event())
    async with open_service(a1111_base_url=upstream.url) as service, open_raw_client(service.port) as client:
        await client.send(post(TXT2IMG, b"{}", ACCEPT_RAW))
        await upstream.wait_for(1)
        client.leave()
