"""Jobs over real sockets, at two proxies that share a Redis: each answers as the other does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111
from fakes.jobs import FRAME, LATER, Drawing, begin, state_of, until
from fakes.redis import RedisServer, open_redis
from service import RAW, Said, Service, open_service


@pytest.fixture(scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    async with open_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@asynccontextmanager
async def open_place(upstream: ScriptedA1111, redis: RedisServer, **settings: Any) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=upstream.url, redis_url=redis.url, **settings) as service:
        yield service


@pytest.fixture(scope="module")
async def here(_upstream: ScriptedA1111, redis: RedisServer) -> AsyncIterator[Service]:
    async with open_place(_upstream, redis, target_width=240) as service:
        yield service


@pytest.fixture(scope="module")
async def there(_upstream: ScriptedA1111, redis: RedisServer) -> AsyncIterator[Service]:
    async with open_place(_upstream, redis, target_width=100) as service:  # whose default display is another one
        yield service


@pytest.fixture
async def drawing(upstream: ScriptedA1111) -> AsyncIterator[Drawing]:
    upstream.standing = drawing = Drawing()
    yield drawing
    drawing.now.set()


def alike(said: Said) -> tuple[int, dict[str, str], bytes]:
    """All of it but what is another one each time."""
    others = {name: value for name, value in said.headers.items() if name not in ("Date", "X-Request-Id")}
    return said.status, others, said.body


@pytest.mark.parametrize("answer", ["frame", "preview", "json"])
async def test_posted_here_and_fetched_there(here: Service, there: Service, drawing: Drawing, answer: str) -> None:
    path = await begin(here)
    assert (await state_of(there, path))["state"] == "running"
    not_yet = await there.ask("GET", f"{path}/frame")
    assert (not_yet.status, not_yet.headers["Location"]) == (202, path)
    waiting = asyncio.create_task(there.ask("GET", f"{path}/frame?wait=60&answer={answer}"))
    drawing.now.set()
    got = await waiting
    wanted = await here.ask("GET", f"{path}/frame?answer={answer}")
    assert got.status == 200
    assert alike(got) == alike(wanted)
    if answer == "frame":
        assert (got.body, got.headers["X-Image-Seed"], got.headers["Content-Type"]) == (FRAME.data, "1234", RAW)
    again = await there.ask("GET", f"{path}/frame?answer={answer}", if_none_match=wanted.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    documents = [await until(place, path, "done") for place in (here, there)]
    lasts = [document.pop("expires_seconds") for document in documents]
    assert documents[0] == documents[1]
    assert abs(lasts[0] - lasts[1]) < 60


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=503, body=b"busy", headers=(("retry-after", "9"),)),
        Reply(status=404, body=b'{"detail": "Sampler not found"}'),
        Reply(body=b'{"images": ["/no/picture"]}'),
    ],
)
async def test_a_failure_is_the_same(here: Service, there: Service, upstream: ScriptedA1111, reply: Reply) -> None:
    upstream.standing = reply
    path = await begin(here)
    got = await there.ask("GET", f"{path}/frame?wait=60")
    assert got.status >= 400
    assert alike(got) == alike(await here.ask("GET", f"{path}/frame"))
    documents = [await state_of(place, path) for place in (here, there)]
    assert [(one["state"], one["error"], one["code"]) for one in documents] == [
        ("failed", documents[0]["error"], got.status)
    ] * 2


async def test_cancelled_there(here: Service, there: Service, upstream: ScriptedA1111, drawing: Drawing) -> None:
    path = await begin(here)
    await upstream.wait_for(1)
    got = await there.ask("DELETE", path)
    assert (got.status, got.json()["state"]) == (200, "cancelled")
    again = await here.ask("DELETE", path)
    assert {**again.json(), "expires_seconds": 0} == {**got.json(), "expires_seconds": 0}
    fetched = [await place.ask("GET", f"{path}/frame") for place in (here, there)]
    assert alike(fetched[0]) == alike(fetched[1])
    assert fetched[0].status == 410


async def test_what_is_done_is_forgotten_there(here: Service, there: Service, drawing: Drawing) -> None:
    drawing.now.set()
    path = await begin(here)
    assert (await there.ask("GET", f"{path}/frame?wait=60")).status == 200
    got = await there.ask("DELETE", path)
    assert (got.status, got.json()["state"]) == (200, "done")
    gone = await there.ask("GET", path)
    assert (gone.status, gone.headers["Cache-Control"]) == (404, "no-store")
    for _ in range(500):
        if (await here.ask("GET", path)).status == 404:
            return
    pytest.fail("The one that had it still has it")


async def test_a_job_that_nobody_has(there: Service) -> None:
    for path in ("/jobs/nothing", "/jobs/" + "x" * 22, "/jobs/%00%ff"):
        assert (await there.ask("GET", path)).status == 404


async def test_redis_is_gone(upstream: ScriptedA1111, tmp_path: Path, drawing: Drawing) -> None:
    async with open_redis(tmp_path) as redis, open_place(upstream, redis) as here, open_place(upstream, redis) as there:
        path = await begin(here)
        await redis.kill()
        for method, what in (("GET", path), ("GET", f"{path}/frame?wait=60"), ("DELETE", path)):
            got = await there.ask(method, what)
            assert (got.status, int(got.headers["Retry-After"]) > 0) == (503, True)
        assert (await state_of(here, path))["state"] == "running"
        unshared = await here.txt2img({"n": 2}, **LATER)
        assert unshared.status == 202
        drawing.now.set()
        assert (await here.ask("GET", f"{path}/frame?wait=60")).status == 200
        await redis.start()
        for _ in range(5000):
            got = await there.ask("GET", f"{unshared.headers['Location']}/frame")
            if got.status == 200:
                break
            assert got.status in (202, 404, 503)
        assert got.body == FRAME.data
