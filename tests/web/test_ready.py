"""GET /ready: whether to send the service work, and if not, why and when to ask again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import Reply, ScriptedA1111, said
from fakes.failures import UNAUTHORIZED, closed_port
from pico_a1111_proxy.watch import Watch
from service import Said, Service, open_service


async def settled(service: Service) -> Said:
    """What /ready says once the upstream was looked at."""
    for _ in range(500):
        got = await service.ask("GET", "/ready")
        if got.status == 200 or "looked at" not in got.json()["error"]:
            return got
    raise AssertionError(got.body)


def watch_of(service: Service) -> Watch:
    assert service.server
    watch: Watch = service.server.lifespan.state["service"].watch
    return watch


@pytest.fixture
async def unlooked(upstream: ScriptedA1111) -> AsyncIterator[tuple[Service, asyncio.Event]]:
    """A service whose first look at its upstream is not over before the event is set."""
    gate = asyncio.Event()
    upstream.samplers = Reply(body=b"[]", gate=gate)
    async with open_service(a1111_base_url=upstream.url) as service:
        yield service, gate


async def test_with_a_good_upstream_it_is_ready(service: Service) -> None:
    got = await settled(service)
    assert (got.status, got.headers["Content-Type"]) == (200, "application/json")
    assert got.json()["ready"] is True
    assert got.json()["queue"].items() >= {"in_flight": 0, "waiting": 0, "places": 4, "line": 10}.items()


async def test_it_is_not_before_the_upstream_was_looked_at(unlooked: tuple[Service, asyncio.Event]) -> None:
    service, gate = unlooked
    got = await service.ask("GET", "/ready")
    words = "The upstream has not been looked at yet"
    assert got.json() == {"error": words, "code": 503, "detail": words}
    assert (got.status, got.headers["Retry-After"]) == (503, "1")
    gate.set()
    assert (await settled(service)).status == 200


@pytest.mark.parametrize(
    ("samplers", "words"),
    [
        (UNAUTHORIZED, "A1111_USERNAME and A1111_PASSWORD are not those of --api-auth"),
        (said({"error": "RuntimeError"}, 500), "It answered 500 (RuntimeError)"),
    ],
)
async def test_it_is_not_with_an_upstream_that_is_of_no_use(
    upstream: ScriptedA1111, samplers: Reply, words: str
) -> None:
    upstream.samplers = samplers
    async with open_service(a1111_base_url=upstream.url) as service:
        got = await settled(service)
        assert got.json() == {"error": "No upstream can be used", "code": 503, "detail": words}
        assert (got.status, got.headers["Retry-After"]) == (503, "10")
        # It comes back as soon as the upstream does.
        upstream.samplers = ScriptedA1111().samplers
        await watch_of(service).look()
        assert (await service.ask("GET", "/ready")).status == 200


async def test_it_tells_no_address() -> None:
    with closed_port() as url:
        async with open_service(a1111_base_url=f"{url}/sub") as service:
            got = await settled(service)
    assert got.status == 503
    for secret in ("127.0.0.1", url.rpartition(":")[2], "/sub"):
        assert secret not in got.body.decode()


async def test_head_is_answered_like_get(unlooked: tuple[Service, asyncio.Event]) -> None:
    service, gate = unlooked
    got = await service.ask("HEAD", "/ready")
    assert (got.status, got.body, got.headers["Retry-After"]) == (503, b"", "1")
    gate.set()
    await settled(service)
    assert (await service.ask("HEAD", "/ready")).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/ready", "/health"])
async def test_other_methods_are_refused(service: Service, method: str, path: str) -> None:
    got = await service.ask(method, path)
    assert (got.status, got.headers["Allow"]) == (405, "GET, HEAD")


async def test_it_needs_no_key(upstream: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=upstream.url, service_api_key="k") as service:
        assert (await settled(service)).status == 200
        assert (await service.ask("GET", "/displays")).status == 401
