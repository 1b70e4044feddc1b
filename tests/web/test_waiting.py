"""Long-polls over real sockets: who waits is woken once, who leaves is forgotten, a service that stops tells all."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import structlog

from fakes.a1111 import ScriptedA1111
from fakes.clients import RawClient, open_raw_client
from fakes.pictures import BLUE, GREEN, RED, png
from fakes.turns import no_task_is_left
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.newest import Newest
from pico_a1111_proxy.settings import Settings
from pico_a1111_proxy.web.server import allow_many_sockets
from service import Said, Service, open_service

FRAME = "/displays/default/frame"
WAIT = f"{FRAME}?wait=30"
MANY = 300
DISPLAY = default_display(240, 240, invert=True)
FRAMES = {colour: convert(png(colour), DISPLAY).data for colour in (RED, GREEN, BLUE)}


@pytest.fixture
async def fresh(upstream: ScriptedA1111) -> AsyncIterator[Service]:
    """A service that has seen no picture yet."""
    async with open_service(a1111_base_url=upstream.url) as service:
        yield service


def newest_of(service: Service) -> Newest:
    assert service.server
    newest = service.server.config.app.state.service.newest  # type: ignore[union-attr]
    assert isinstance(newest, Newest)
    return newest


async def waiters(service: Service, count: int) -> None:
    """Until so many wait; each look is a request, so the service gets on in between."""
    for _ in range(1000):
        await service.health()
        now = newest_of(service).waiting
        if now == count:
            return
    pytest.fail(f"{now} wait, not {count}")


async def push(service: Service, colour: tuple[int, int, int]) -> str:
    got = await service.ask("POST", FRAME, png(colour))
    assert got.status == 200
    return got.headers["ETag"]


def get(path: str, etag: str = "", version: str = "1.1") -> bytes:
    lines = [f"GET {path} HTTP/{version}", "Host: pico", *([f"If-None-Match: {etag}"] if etag else [])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def wait_for_next(service: Service, etag: str, query: str = "?wait=30") -> asyncio.Task[Said]:
    """Ask, and be sure that the service has understood."""
    waiting = asyncio.create_task(service.ask("GET", FRAME + query, if_none_match=etag))
    await waiters(service, 1)
    return waiting


# --- What comes when --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("star", [False, True])
async def test_who_has_the_newest_gets_the_next(fresh: Service, star: bool) -> None:
    etag = await push(fresh, RED)
    waiting = await wait_for_next(fresh, "*" if star else f'"other", W/{etag}')
    pushed = await push(fresh, GREEN)
    got = await waiting
    assert (got.status, got.body, got.headers["ETag"]) == (200, FRAMES[GREEN], pushed)


@pytest.mark.parametrize("named", ["", '"other"', "junk"])
async def test_who_has_not_got_the_newest_gets_it_at_once(fresh: Service, named: str) -> None:
    await push(fresh, RED)
    got = await fresh.ask("GET", WAIT, **({"if_none_match": named} if named else {}))
    assert (got.status, got.body) == (200, FRAMES[RED])


@pytest.mark.parametrize("named", ["", '"other"', "*"])
async def test_before_the_first_all_wait_for_it(fresh: Service, named: str) -> None:
    waiting = await wait_for_next(fresh, named)
    await push(fresh, RED)
    got = await waiting
    assert (got.status, got.body) == (200, FRAMES[RED])


async def test_in_the_end_there_is_nothing_new(fresh: Service) -> None:
    assert (await fresh.ask("GET", f"{FRAME}?wait=0.02")).status == 404
    etag = await push(fresh, RED)
    got = await fresh.ask("GET", f"{FRAME}?wait=.02", if_none_match=etag)
    assert (got.status, got.body, got.headers["ETag"]) == (304, b"", etag)
    assert "Content-Length" not in got.headers
    assert (await fresh.ask("HEAD", f"{FRAME}?wait=0.02", if_none_match="*")).status == 304


async def test_the_same_frame_is_nothing_new(fresh: Service) -> None:
    etag = await push(fresh, RED)
    waiting = await wait_for_next(fresh, etag)
    assert await push(fresh, RED) == etag
    # Another file, but of the same pixels: its waiter looks, and goes on waiting.
    assert (await fresh.ask("POST", FRAME, png(RED, (9, 9)))).headers["ETag"] == etag
    await waiters(fresh, 1)
    assert not waiting.done()
    await push(fresh, BLUE)
    assert (await waiting).body == FRAMES[BLUE]


async def test_a_frame_that_one_already_had_before_the_last_is_new(fresh: Service) -> None:
    first, second = await push(fresh, RED), await push(fresh, GREEN)
    waiting = await wait_for_next(fresh, f"{first}, {second}")
    await push(fresh, RED)
    assert (await waiting).body == FRAMES[RED]


async def test_each_waits_for_its_own_options(fresh: Service) -> None:
    await push(fresh, RED)
    queries = ["?wait=30", "?wait=30&format=rgb332&rotate=90", "?wait=30&answer=preview", "?wait=30&answer=json"]
    tags = [(await fresh.ask("GET", FRAME + query)).headers["ETag"] for query in queries]
    asked = zip(queries, tags, strict=True)
    waiting = [asyncio.create_task(fresh.ask("GET", FRAME + query, if_none_match=tag)) for query, tag in asked]
    await waiters(fresh, 4)
    await push(fresh, GREEN)
    got = await asyncio.gather(*waiting)
    assert [one.status for one in got] == [200] * 4
    assert got[0].body == FRAMES[GREEN]
    assert len(got[1].body) == 240 * 240
    assert not {one.headers["ETag"] for one in got} & set(tags)


@pytest.mark.parametrize("wait", ["-1", "60.01", "61", "nan", "inf", "", "soon", "1e9", "5s", "0x5"])
async def test_how_long_is_limited(service: Service, wait: str) -> None:
    got = await service.ask("GET", f"{FRAME}?wait={wait}")
    assert (got.status, got.json()["error"]) == (422, f"wait: '{wait}' is not a number of seconds from 0 to 60")


async def test_old_clients_wait_as_well(fresh: Service) -> None:
    etag = await push(fresh, RED)
    async with open_raw_client(fresh.port) as client:
        await client.send(get(f"{FRAME}/?wait=30", etag, "1.0"))
        await waiters(fresh, 1)
        await push(fresh, GREEN)
        assert (await client.hear_rest()).endswith(b"\r\n\r\n" + FRAMES[GREEN])


# --- Many -------------------------------------------------------------------------------------------------------


async def test_many_are_woken_once_each_and_ask_again_on_the_same_socket(fresh: Service) -> None:
    etag = await push(fresh, RED)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(open_raw_client(fresh.port)) for _ in range(MANY)]
        for colour in (GREEN, BLUE):
            await asyncio.gather(*(client.send(get(WAIT, etag)) for client in clients))
            await waiters(fresh, MANY)
            etag = await push(fresh, colour)
            heard = await asyncio.gather(*(client.hear() for client in clients))
            assert {(one.status, one["ETag"], one.body) for one in heard} == {(200, etag, FRAMES[colour])}
            await waiters(fresh, 0)


async def test_who_leaves_leaves_nothing_behind(fresh: Service) -> None:
    etag = await push(fresh, RED)
    await fresh.ask("GET", FRAME, if_none_match=etag)
    async with no_task_is_left():
        lines = await come_and_leave(fresh, etag)
    assert [line["status"] for line in lines if line["event"] == "request"].count(499) == 100


async def come_and_leave(fresh: Service, etag: str) -> Sequence[Mapping[str, object]]:
    """A hundred who wait, and hang up; the log of it."""
    with structlog.testing.capture_logs() as lines:
        for how in (RawClient.leave, RawClient.finish):
            async with AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(open_raw_client(fresh.port)) for _ in range(50)]
                for client in clients:
                    await client.send(get(WAIT, etag))
                await waiters(fresh, 50)
                for client in clients:
                    how(client)
                await waiters(fresh, 0)
    gc.collect()
    return lines


# --- The end ----------------------------------------------------------------------------------------------------


async def test_a_service_that_stops_sends_the_waiters_away(fresh: Service) -> None:
    etag = await push(fresh, RED)
    waiting = await wait_for_next(fresh, etag)
    assert fresh.server
    fresh.server.should_exit = True
    got = await waiting
    assert (got.status, got.headers["Retry-After"]) == (503, "5")
    assert got.json()["error"] == "The service is shutting down"


COMMAND = [sys.executable, "-W", "error", "-m", "pico_a1111_proxy", "serve", "--host", "127.0.0.1", "--port", "0"]
MORE_THAN_SELECT_KNOWS = 1100


async def test_sigterm_ends_it_with_more_than_a_thousand_waiters(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * MORE_THAN_SELECT_KNOWS:
        pytest.skip("the hard limit of open files is too low here")
    allow_many_sockets()  # for this end of them
    nobodys = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    service = await asyncio.create_subprocess_exec(
        *("bash", "-c", 'ulimit -Sn 1024; exec "$@"', "bash", *COMMAND),
        cwd=tmp_path,
        env={**nobodys, "A1111_BASE_URL": "demo:", "DRAIN_SECONDS": "300"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert service.stdout
        while not (found := re.search(rb"Listening on http://127.0.0.1:(\d+)", await service.stdout.readline())):
            assert service.returncode is None
        port = int(found[1])
        async with AsyncExitStack() as stack:
            clients = []
            for _ in range(MORE_THAN_SELECT_KNOWS):
                clients.append(await stack.enter_async_context(open_raw_client(port)))
                await clients[-1].send(get(WAIT))
            # Answered last, so all before it have been read. Were it one too many, nobody would accept it.
            last = await stack.enter_async_context(open_raw_client(port))
            assert (await last.ask(get("/health"))).status == 200
            service.send_signal(signal.SIGTERM)
            heard = await asyncio.gather(*(client.hear() for client in clients))
            assert {(one.status, one["Retry-After"]) for one in heard} == {(503, "5")}
            assert await asyncio.wait_for(service.wait(), 30) == 0
    finally:
        if service.returncode is None:
            service.kill()
            await service.wait()


def test_the_soft_limit_of_open_files_becomes_the_hard_one() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 1, hard))
    allow_many_sockets()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
