"""The end of a service in a process of its own: what it has begun is answered, and nobody else holds it up."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer
from fakes.alone import PATIENCE, alone, ready
from fakes.clients import Heard, RawClient, open_raw_client, open_slow_client, post, understand
from fakes.commands import environment
from fakes.pictures import RED, png
from service import RAW, TXT2IMG, Said, Service

LONG = {"DRAIN_SECONDS": "300"}  # far longer than PATIENCE: who exits has not waited for it
PUSH = "/displays/default/frame"
SIGNALS = [signal.SIGTERM, signal.SIGINT]
FRAME_BYTES = 240 * 240 * 2


@pytest.fixture
async def gate(upstream: ScriptedA1111) -> AsyncIterator[asyncio.Event]:
    """Closed: the upstream takes every generation, and answers none until this is set."""
    gate = asyncio.Event()
    upstream.standing = replace(answer(png()), gate=gate)
    yield gate
    gate.set()


async def queue(service: Service, **figures: int) -> None:
    """Until /health tells these figures."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not figures.items() <= (now := (await service.health())["queue"]).items():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(now)


async def in_flight(service: Service, upstream: ScriptedA1111) -> asyncio.Task[Said]:
    """A generation that has reached the upstream."""
    count = len(upstream.seen)
    asked = asyncio.create_task(service.frame())
    await upstream.wait_for(count + 1)
    return asked


def sent_away(got: Said | Heard) -> bool:
    return got.status == 503 and got.json()["error"] == "The service is shutting down"


# --- The first signal -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", SIGNALS)
async def test_what_is_in_flight_is_answered_and_who_waits_is_sent_away(
    upstream: ScriptedA1111, gate: asyncio.Event, tmp_path: Path, number: signal.Signals
) -> None:
    one_place = {"MAX_WORKERS": "1", "QUEUE_SIZE": "2"}
    async with alone(tmp_path, upstream, **LONG, **one_place) as running, running.service.connect() as idle:
        service = running.service
        assert (await idle.ask(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
        inside = await in_flight(service, upstream)
        waiting = [asyncio.create_task(service.frame()) for _ in range(2)]
        await queue(service, in_flight=1, waiting=2)
        poll = asyncio.create_task(service.ask("GET", f"{PUSH}?wait=60"))

        await running.send(number)
        for got in await asyncio.gather(*waiting, poll):
            assert sent_away(got)
            assert int(got.headers["Retry-After"]) >= 1
        # The door is open, and what takes no time is answered; also to who is connected already.
        newcomer = await service.frame()
        assert sent_away(newcomer)
        assert int(newcomer.headers["Retry-After"]) >= 1
        assert (await service.ask("GET", "/displays", connection="close")).status == 200
        health = await service.health()
        assert (health["status"], health["draining"]) == ("degraded", True)
        assert health["queue"].items() >= {"in_flight": 1, "waiting": 0}.items()
        heard = await idle.ask(b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (heard.status, heard["Connection"]) == (503, "close")
        assert not inside.done()

        gate.set()
        got = await inside
        assert (got.status, len(got.body)) == (200, FRAME_BYTES)
        assert await running.ended() == 0
    assert len(upstream.generations) == 1


async def test_a_service_with_nothing_to_do_ends(upstream: ScriptedA1111, tmp_path: Path) -> None:
    async with alone(tmp_path, upstream, **LONG) as running, running.service.connect() as idle:
        assert (await idle.ask(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
        running.process.send_signal(signal.SIGTERM)
        assert await idle.hear_rest() == b""
        assert await running.ended() == 0


async def test_a_push_that_has_begun_is_finished(upstream: ScriptedA1111, gate: asyncio.Event, tmp_path: Path) -> None:
    async with alone(tmp_path, upstream, **LONG) as running, running.service.connect() as client:
        inside = await in_flight(running.service, upstream)
        data = post(PUSH, png(RED))
        await client.send(data[:-20])
        await running.send(signal.SIGTERM)
        await client.send(data[-20:])
        heard = await client.hear()
        assert (heard.status, len(heard.body)) == (200, FRAME_BYTES)
        gate.set()
        assert (await inside).status == 200
        assert await running.ended() == 0


@pytest.mark.parametrize(
    "asked",
    [b"GET /sdapi/v1/loras HTTP/1.1\r\nHost: a\r\n\r\n", post(f"{TXT2IMG}?answer=original", b"{}")],
    ids=["in pieces", "at once"],
)
async def test_who_reads_slowly_gets_the_whole_answer(upstream: ScriptedA1111, tmp_path: Path, asked: bytes) -> None:
    upstream.standing = answer(png(), more="x" * 12_000_000)
    async with alone(tmp_path, upstream, **LONG) as running, open_slow_client(running.service.port) as slow:
        await slow.send(asked)
        start = await slow.hear_exactly(1000)
        await running.send(signal.SIGTERM)
        for _ in range(100):  # it would have gone by now
            assert (await ready(running.service)).status == 503
        heard = understand(start + await slow.hear_rest())
        assert (heard.status, heard.body) == (200, upstream.standing.body)
        assert await running.ended() == 0


# --- What does not hold it up -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", False),
        (b"GET /hea", False),
        (post(PUSH, png(RED))[:-20], True),
        (post(TXT2IMG, b'{"prompt": "a"}')[:-5], True),
        (post("/sdapi/v1/options", b'{"samples_save": true}')[:-5], True),
    ],
    ids=["nothing", "half a line", "half a push", "half a generation", "half of what is relayed"],
)
async def test_who_does_not_finish_sending_does_not_hold_it_up(
    upstream: ScriptedA1111, tmp_path: Path, sent: bytes, told: bool
) -> None:
    async with alone(tmp_path, upstream, **LONG) as running, running.service.connect() as slow:
        await slow.send(sent)
        # It has been read by then: it came before.
        assert (await running.service.ask("GET", "/health", connection="close")).status == 200
        running.process.send_signal(signal.SIGTERM)
        rest = await slow.hear_rest()
        assert not told or sent_away(understand(rest, "POST"))
        assert await running.ended() == 0


async def test_who_keeps_asking_does_not_hold_it_up(
    upstream: ScriptedA1111, gate: asyncio.Event, tmp_path: Path
) -> None:
    async with alone(tmp_path, upstream, **LONG) as running:
        inside = await in_flight(running.service, upstream)
        await running.send(signal.SIGTERM)
        statuses: set[int] = set()

        async def keep_asking() -> None:
            with suppress(OSError, aiohttp.ClientError):  # it may end at any moment
                # Afterwards the port may be somebody else's.
                while running.process.returncode is None:
                    statuses.add((await ready(running.service)).status)

        asking = [asyncio.create_task(keep_asking()) for _ in range(8)]
        gate.set()
        assert (await inside).status == 200
        assert await running.ended() == 0
        await asyncio.gather(*asking)
        assert statuses == {503}


async def test_work_that_nobody_wants_any_more_does_not_hold_it_up(
    upstream: ScriptedA1111, gate: asyncio.Event, tmp_path: Path
) -> None:
    async with alone(tmp_path, upstream, **LONG) as running, AsyncExitStack() as stack:
        client: RawClient = await stack.enter_async_context(open_raw_client(running.service.port))
        await client.send(post(TXT2IMG, b"{}", f"Accept: {RAW}"))
        await upstream.wait_for(1)
        client.leave()
        # It has been noticed, since the upstream is asked whether it is idle; that is not answered.
        await upstream.wait_for(2)
        await queue(running.service, in_flight=1)
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended() == 0


THREAD_THAT_HANGS = """
import asyncio, signal, sys, threading
from pico_a1111_proxy.settings import read_settings
from pico_a1111_proxy.web.server import make_server, open_socket

async def main():
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    server = asyncio.create_task(make_server(read_settings()).serve([listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"GET /health HTTP/1.0\\r\\n\\r\\n")
    await reader.read()
    signal.raise_signal(signal.SIGTERM)
    await server

listener = open_socket("127.0.0.1", 0)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # as `serve` does
asyncio.run(main())
"""


async def test_a_thread_that_hangs_does_not_hold_it_up(tmp_path: Path) -> None:
    command = (sys.executable, "-W", "error", "-c", THREAD_THAT_HANGS)
    process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=environment(A1111_BASE_URL="demo:"))
    try:
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


# --- The time is over -------------------------------------------------------------------------------------------


async def test_what_hangs_is_told_when_the_time_is_over(
    upstream: ScriptedA1111, gate: asyncio.Event, tmp_path: Path
) -> None:
    async with alone(tmp_path, upstream, DRAIN_SECONDS="1") as running:
        hung = await in_flight(running.service, upstream)
        running.process.send_signal(signal.SIGTERM)
        got = await hung
        assert sent_away(got)
        assert got.headers["X-Request-Id"]
        assert await running.ended() == 0


async def test_an_answer_that_is_cut_is_seen_to_be(upstream: ScriptedA1111, tmp_path: Path) -> None:
    upstream.standing = Reply(body=bytes(1000), hang=500)
    async with (
        alone(tmp_path, upstream, DRAIN_SECONDS="1") as running,
        open_slow_client(running.service.port) as client,
    ):
        await client.send(b"GET /sdapi/v1/loras HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await client.hear_line() == b"HTTP/1.1 200 OK\r\n"
        while await client.hear_line() != b"\r\n":
            pass
        assert await client.hear_exactly(500) == bytes(500)
        running.process.send_signal(signal.SIGTERM)
        assert await client.hear_rest() == b""
        assert await running.ended() == 0


# --- The second signal ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", SIGNALS)
@pytest.mark.parametrize("first", SIGNALS)
async def test_a_second_signal_ends_it_at_once(
    upstream: ScriptedA1111, gate: asyncio.Event, tmp_path: Path, first: signal.Signals, second: signal.Signals
) -> None:
    async with alone(tmp_path, upstream, **LONG) as running, running.service.connect() as client:
        await client.send(post(TXT2IMG, b"{}", f"Accept: {RAW}"))
        await upstream.wait_for(1)
        await running.send(first)
        running.process.send_signal(second)
        assert await running.ended() == 128 + second
        assert await client.hear_rest() == b""
