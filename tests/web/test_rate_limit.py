"""RATE_LIMIT through the wire: exactly so many, then 429 with a true Retry-After, and some things always work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest

from fakes.a1111 import ScriptedA1111
from fakes.pictures import png
from service import RAW, TXT2IMG, Service, open_service

RATE = 3
_NUMBERS = count(1)


@pytest.fixture(scope="module")
async def limited_service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    given = {"rate_limit": f"{RATE}/hour", "trusted_proxies": "127.0.0.1", "cors_origins": "http://page"}
    async with open_service(a1111_base_url=_upstream.url, **given) as service:
        yield service


@pytest.fixture
def limited(limited_service: Service, upstream: ScriptedA1111) -> Service:
    """The service with RATE_LIMIT=3/hour behind a trusted proxy; `upstream` is as new."""
    return limited_service


@pytest.fixture
def me() -> dict[str, str]:
    """The headers of a client that has not come yet."""
    return {"x_forwarded_for": f"203.0.113.{next(_NUMBERS)}"}


@pytest.fixture
async def tired(limited: Service, me: dict[str, str]) -> dict[str, str]:
    """The headers of a client that may not come for an hour."""
    for _ in range(RATE):
        assert (await limited.frame(**me)).status == 200
    return me


async def test_exactly_so_many_are_served(limited: Service, upstream: ScriptedA1111, me: dict[str, str]) -> None:
    answers = await asyncio.gather(*[limited.frame(**me) for _ in range(RATE + 4)])
    assert sorted(got.status for got in answers) == [200] * RATE + [429] * 4
    assert len(upstream.generations) == RATE
    for got in answers:
        if got.status == 429:
            assert 3000 < int(got.headers["Retry-After"]) <= 3600
            assert got.json()["error"] == "Too many requests: 3 per hour are allowed"
            assert got.json()["code"] == 429
            assert got.headers["Retry-After"] in got.json()["detail"]
            assert len(got.body) < 1000


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", TXT2IMG),
        ("POST", "/sdapi/v1/img2img"),
        ("POST", "/original/sdapi/v1/txt2img"),
        ("POST", "/displays/default/frame"),
        ("POST", "/displays/default/frame?publish=false"),
        ("POST", "/displays/default/sdapi/v1/txt2img"),
        ("POST", "/sdapi/v1/options"),
        ("POST", "/sdapi/v1/txt2img/?x=/sdapi/v1/interrupt"),
        ("POST", "/sdapi/v1/txt2img/../interrupt"),
        ("POST", "/nothing/sdapi/v1/interrupt"),
        ("PUT", "/sdapi/v1/anything"),
        ("PATCH", "/nothing"),
    ],
)
async def test_what_draws_or_changes_is_counted(
    limited: Service, upstream: ScriptedA1111, tired: dict[str, str], method: str, path: str
) -> None:
    before = len(upstream.seen)
    assert (await limited.ask(method, path, b"{}", **tired)).status == 429
    assert len(upstream.seen) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[
            ("POST", f"{base}/sdapi/v1/{what}")
            for base in ("", "/original", "/displays/default")
            for what in ("interrupt", "skip")
        ],
        ("POST", "/sdapi/v1/interrupt/"),
        ("POST", "/internal/progress"),
        ("POST", "/original/internal/ping"),
        ("GET", "/sdapi/v1/progress"),
        ("GET", "/internal/ping"),
        ("GET", "/health"),
        ("GET", "/docs"),
        ("GET", "/displays"),
        ("HEAD", "/health"),
        ("GET", "/displays/default/testcard"),
        ("DELETE", "/sdapi/v1/anything"),
        ("OPTIONS", TXT2IMG),
    ],
)
async def test_what_looks_or_stops_always_works(
    limited: Service, tired: dict[str, str], method: str, path: str
) -> None:
    for _ in range(RATE + 1):
        assert (await limited.ask(method, path, **tired)).status != 429


async def test_what_is_free_uses_nothing_up(limited: Service, me: dict[str, str]) -> None:
    for _ in range(RATE + 1):
        await limited.ask("POST", "/sdapi/v1/interrupt", **me)
        await limited.ask("GET", "/health", **me)
    for _ in range(RATE):
        assert (await limited.frame(**me)).status == 200


async def test_others_are_untouched(limited: Service, tired: dict[str, str]) -> None:
    assert (await limited.frame(**tired)).status == 429
    assert (await limited.frame(x_forwarded_for="192.0.2.77")).status == 200
    assert (await limited.ask("POST", "/displays/default/frame", png(), x_forwarded_for="192.0.2.77")).status == 200


@pytest.mark.parametrize("length", ["Content-Length: 9000", "Transfer-Encoding: chunked"])
async def test_the_refusal_comes_before_the_body(limited: Service, tired: dict[str, str], length: str) -> None:
    forwarded = f"X-Forwarded-For: {tired['x_forwarded_for']}"
    async with limited.connect() as client:
        # The body is promised and never sent: an answer now is one that did not wait for it.
        got = await client.ask(f"POST {TXT2IMG} HTTP/1.1\r\nHost: a\r\n{forwarded}\r\n{length}\r\n\r\n".encode())
    assert got.status == 429
    assert int(got["Retry-After"]) > 3000


async def test_a_page_may_read_when_to_come_again(limited: Service, tired: dict[str, str]) -> None:
    got = await limited.frame(origin="http://page", **tired)
    assert got.status == 429
    assert got.headers["Access-Control-Allow-Origin"] == "http://page"
    assert "Retry-After" in got.headers["Access-Control-Expose-Headers"]


async def test_the_tightest_of_several_rates_holds(upstream: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=upstream.url, rate_limit="5/hour; 2 per day") as service:
        assert [(await service.frame()).status for _ in range(3)] == [200, 200, 429]
        assert 86000 < int((await service.frame()).headers["Retry-After"]) <= 86400


async def test_without_the_setting_nobody_is_limited(service: Service) -> None:
    for _ in range(RATE * 10):
        assert (await service.ask("POST", "/displays/default/frame?publish=false", png(), accept=RAW)).status == 200
