"""Health, docs and the front door."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, said
from fakes.failures import CUT_OFF, REDIRECTS, UNAUTHORIZED, closed_port, full_backlog
from fakes.redis import open_redis
from fakes.tally import read_figures
from pico_a1111_proxy.crews import CrewFigures, WorkerFigures
from pico_a1111_proxy.fleet.link import open_link
from pico_a1111_proxy.fleet.roll import Signature, leave, sign
from pico_a1111_proxy.web.ops import VERSION, describe_health
from service import Service, open_service


async def looked_at(service: Service) -> dict[str, str]:
    """What /health says of the upstream once the service has looked at it, and of itself."""
    for _ in range(500):
        health = await service.health()
        if health["upstream"]["state"] != "not looked at yet":
            return {"status": health["status"], **health["upstream"]}
    raise AssertionError(health)


async def test_a_good_upstream(service: Service) -> None:
    assert await looked_at(service) == {"status": "ok", "kind": "a1111", "state": "usable"}
    health = await service.health()
    assert health.pop("uptime_seconds") >= 0
    assert health.pop("tasks") > 0
    # Others have drawn with this service, and taken their time.
    assert 1 <= health["queue"].pop("retry_after") <= 120
    assert health["queue"].pop("job_seconds") >= 0
    assert health["cache"].pop("enabled") in (True, False)
    assert health == {
        "status": "ok",
        "draining": False,
        "upstream": {"kind": "a1111", "state": "usable"},
        "queue": {"in_flight": 0, "waiting": 0, "places": 4, "line": 10},
        "cache": {**health["cache"], "trouble": 0},
        "version": VERSION,
    }
    assert health["cache"].keys() == {"hits", "misses", "trouble", "entries", "bytes"}


@pytest.mark.parametrize(
    ("samplers", "words"),
    [
        (UNAUTHORIZED, "A1111_USERNAME and A1111_PASSWORD are not those of --api-auth"),
        (CUT_OFF["resets"], "It hung up before the answer was complete"),
        (REDIRECTS["302"], "It redirects elsewhere: check A1111_BASE_URL"),
        (said({"error": "RuntimeError"}, 500), "It answered 500 (RuntimeError)"),
    ],
)
async def test_a_bad_upstream_is_told_in_words(upstream: ScriptedA1111, samplers: Reply, words: str) -> None:
    upstream.samplers = samplers
    async with open_service(a1111_base_url=upstream.url) as service:
        assert await looked_at(service) == {"status": "degraded", "kind": "a1111", "state": "unusable", "words": words}
        assert (await service.ask("GET", "/health")).status == 200


async def test_a_server_without_a_list_of_samplers_is_good(upstream: ScriptedA1111) -> None:
    upstream.samplers = said({"detail": "Not Found"}, 404)
    async with open_service(a1111_base_url=upstream.url) as service:
        assert (await looked_at(service))["state"] == "usable"


async def test_how_long_jobs_take_is_told(upstream: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=upstream.url) as service:
        before = (await service.health())["queue"]
        assert (before["job_seconds"], before["retry_after"]) == (5.0, 2)  # a guess, and a place in four
        # A job whose end is seen at once is shorter than the guess.
        assert (await service.frame()).status == 200
        assert (await service.health())["queue"]["job_seconds"] != before["job_seconds"]


async def test_nobody_there() -> None:
    with closed_port() as url:
        async with open_service(a1111_base_url=url) as service:
            words = (await looked_at(service))["words"]
    assert words == "It refuses connections: is it running?"


async def test_health_does_not_wait_for_a_hung_upstream(upstream: ScriptedA1111) -> None:
    upstream.samplers = Reply(gate=asyncio.Event())
    async with open_service(a1111_base_url=upstream.url) as service:
        assert (await service.health())["upstream"] == {"state": "not looked at yet"}
        assert (await service.health())["status"] == "degraded"
    with full_backlog() as url:
        async with open_service(a1111_base_url=url) as service:
            assert (await service.health())["upstream"] == {"state": "not looked at yet"}


async def test_health_shows_no_address(upstream: ScriptedA1111) -> None:
    async with open_service(
        a1111_base_url=upstream.url + "/sub", a1111_username="somebody", a1111_password="s3cret"
    ) as service:
        await looked_at(service)
        text = (await service.ask("GET", "/health")).body.decode()
    for secret in ("127.0.0.1", str(upstream.port), "somebody", "s3cret", "/sub"):
        assert secret not in text


# --- A fleet ----------------------------------------------------------------------------------------------------


IDLE, BUSY = WorkerFigures("gpu-1", "idle", 3.21), WorkerFigures("gpu-2", "busy", 1.0, 12, 1, version="1.0")
STUCK, PAUSED = WorkerFigures("gpu-3", "stuck"), WorkerFigures("gpu-4", "paused", words="It refuses connections")
CREW = CrewFigures(True, (IDLE, BUSY), 7, 12.04, 4.0, 2)


async def describe(service: Service, crew: CrewFigures | None, *, up: bool = True) -> dict[str, Any]:
    """The health of `service`, were it one with Redis, and with such a crew."""
    assert (await looked_at(service))["status"] == "ok"
    assert service.server
    built = service.server.lifespan.state["service"]
    return describe_health(
        replace(built, crew=(lambda: crew) if crew else None, redis_is_up=lambda: up), draining=False
    )


async def health_when(service: Service, wanted: Callable[[Any], object]) -> Any:
    """What it says, once it is as `wanted`."""
    for _ in range(1500):
        health = await service.health()
        if wanted(health):
            return health
        await asyncio.sleep(0.01)
    raise AssertionError(health)


async def test_a_fleet_is_told_with_all_its_workers(service: Service) -> None:
    health = await describe(service, CREW)
    assert health["status"] == "ok"
    assert health["fleet"] == {
        "redis": "up",
        "workers": [
            {"name": "gpu-1", "state": "idle", "seconds": 3.2, "drawn": 0, "failed": 0, "version": ""},
            {"name": "gpu-2", "state": "busy", "seconds": 1.0, "drawn": 12, "failed": 1, "version": "1.0"},
        ],
        "states": {"idle": 1, "busy": 1, "paused": 0, "stuck": 0, "stopping": 0},
        "taking": 2,
        "waiting": 7,
        "background": 2,
        "oldest_seconds": 12.0,
        "job_seconds": 4.0,
    }
    assert health["queue"]["waiting"] == 7


@pytest.mark.parametrize(
    ("crew", "up", "status"),
    [
        (CREW, True, "ok"),
        (replace(CREW, workers=(IDLE, PAUSED)), True, "ok"),  # the other does its work
        (replace(CREW, workers=(IDLE, STUCK)), True, "degraded"),
        (replace(CREW, workers=(PAUSED,)), True, "degraded"),
        (replace(CREW, workers=()), True, "degraded"),
        (CREW, False, "degraded"),
        (None, True, "ok"),
        (None, False, "degraded"),
    ],
)
async def test_who_has_no_redis_or_no_worker_is_degraded(
    service: Service, crew: CrewFigures | None, up: bool, status: str
) -> None:
    health = await describe(service, crew, up=up)
    assert (health["status"], health["fleet"]["redis"]) == (status, "up" if up else "down")


async def test_redis_alone_is_no_crew(service: Service) -> None:
    assert (await describe(service, None))["fleet"] == {"redis": "up"}


async def test_words_are_told_where_there_are_any(service: Service) -> None:
    fleet = (await describe(service, replace(CREW, workers=(PAUSED,), words="a clock")))["fleet"]
    assert (fleet["workers"][0]["words"], fleet["words"]) == ("It refuses connections", "a clock")


async def test_it_tells_that_redis_goes_and_comes(upstream: ScriptedA1111, tmp_path: Path) -> None:
    async with open_redis(tmp_path) as redis, open_service(a1111_base_url=upstream.url, redis_url=redis.url) as service:
        await health_when(service, lambda health: health["status"] == "ok" and health["fleet"] == {"redis": "up"})
        await redis.kill()
        await health_when(service, lambda health: health["status"] == "degraded" and health["fleet"]["redis"] == "down")
        told = read_figures((await service.ask("GET", "/metrics")).body.decode())
        assert {name: told[name] for name in told if "fleet" in name} == {"fleet_redis_up": {(): 0}}
        await redis.start()
        await health_when(service, lambda health: health["status"] == "ok" and health["fleet"]["redis"] == "up")


async def test_it_tells_who_has_signed_the_roll(tmp_path: Path) -> None:
    async with (
        open_redis(tmp_path) as redis,
        open_link(redis.url, time.monotonic) as link,
        open_service(redis_url=redis.url, fleet="celery") as service,
    ):
        await health_when(service, lambda health: health["fleet"]["redis"] == "up")
        assert (await service.health())["status"] == "degraded"
        await sign(link, Signature("gpu-1", "idle"))
        health = await health_when(service, lambda health: health["fleet"]["taking"] == 1)
        assert health["fleet"]["workers"][0]["name"] == "gpu-1"
        told = read_figures((await service.ask("GET", "/metrics")).body.decode())
        assert +told["fleet_workers"] == {("idle",): 1}
        await leave(link, "gpu-1")
        await health_when(service, lambda health: health["fleet"]["taking"] == 0)


async def test_the_docs_list_routes_and_options(service: Service) -> None:
    page = await service.ask("GET", "/docs")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    document = (await service.ask("GET", "/openapi.json")).json()
    assert {"/sdapi/v1/txt2img", "/sdapi/v1/img2img", "/sdapi/v1/progress", "/health"} <= set(document["paths"])
    parameters = {each["name"] for each in document["paths"]["/sdapi/v1/txt2img"]["post"]["parameters"]}
    assert parameters == {
        *(
            "Prefer",
            "answer",
            "index",
            "display",
            "width",
            "height",
            "format",
            "fit",
            "rotate",
            "invert",
            "dither",
            "background",
        )
    }


async def test_the_front_door_shows_one_line_that_works(service: Service) -> None:
    page = (await service.ask("GET", "/")).body.decode()
    (line,) = re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)
    assert f"{service.url}/sdapi/v1/txt2img" in line
    assert "application/octet-stream" in line


async def test_the_front_door_repeats_no_markup(service: Service) -> None:
    async with service.connect() as client:
        heard = await client.ask(b'GET / HTTP/1.1\r\nHost: a"><script>alert(1)</script>\r\n\r\n')
    assert b"<script>" not in heard.body
