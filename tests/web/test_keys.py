"""API keys: who is let in, and that nobody else costs us anything. Check 43, and 44 as far as it is about keys."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import ScriptedA1111
from service import RAW, TXT2IMG, Service, open_service

KEYS = "first-key, se:cond=, dritter-schlüssel"
REFUSAL = {"error": "Invalid or missing API key", "code": 401, "detail": "Invalid or missing API key"}


def basic(text: str, coding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(text.encode(coding)).decode()


@pytest.fixture(scope="module")
async def locked_service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, service_api_key=KEYS, max_body_mb=0.01) as service:
        yield service


@pytest.fixture
def locked(locked_service: Service, upstream: ScriptedA1111) -> Service:
    """The service with three keys; `upstream` is as new."""
    return locked_service


GOOD = [
    {"x_api_key": "first-key"},
    {"x_api_key": "se:cond="},
    {"authorization": "Bearer first-key"},
    {"authorization": "bearer  first-key "},
    {"authorization": "Bearer se:cond="},
    {"authorization": basic(":first-key")},
    {"authorization": basic("somebody:first-key")},
    {"authorization": basic("somebody:se:cond=")},
    {"authorization": basic("x:dritter-schlüssel")},
    {"authorization": "basic " + basic("x:first-key").removeprefix("Basic ")},
    {"authorization": basic("somebody:wrong"), "x_api_key": "first-key"},
    {"authorization": "Bearer first-key", "x_api_key": "wrong"},
]
BAD: list[dict[str, str]] = [
    {},
    {"x_api_key": ""},
    {"x_api_key": "first-key, se:cond="},
    {"x_api_key": "first-ke"},
    {"x_api_key": "first-keyy"},
    {"x_api_key": "FIRST-KEY"},
    {"x_api_key": "ÿ"},
    {"authorization": ""},
    {"authorization": "first-key"},
    {"authorization": "Bearer"},
    {"authorization": "Bearer "},
    {"authorization": "Bearer first-key extra"},
    {"authorization": "Basic "},
    {"authorization": "Basic dW5kZWZpbmVk"},
    {"authorization": "Basic ===="},
    {"authorization": "Basic é"},
    {"authorization": basic("first-key")},
    {"authorization": basic("first-key:")},
    {"authorization": basic("somebody:cond=")},
    {"authorization": "Digest username=first-key"},
    {"cookie": "x-api-key=first-key"},
]


@pytest.mark.parametrize("headers", GOOD, ids=range(len(GOOD)))
async def test_check_44_who_has_a_key_comes_in(locked: Service, headers: dict[str, str]) -> None:
    assert (await locked.frame(**headers)).status == 200


@pytest.mark.parametrize("headers", BAD, ids=range(len(BAD)))
async def test_check_44_and_nobody_else(locked: Service, upstream: ScriptedA1111, headers: dict[str, str]) -> None:
    for got in (await locked.frame(**headers), await locked.txt2img(query="?answer=original", **headers)):
        assert got.status == 401
        assert got.json() == REFUSAL
        assert len(got.body) < 1000
    assert not upstream.seen


async def test_a_key_in_the_query_is_none(locked: Service) -> None:
    assert (await locked.frame(query="?x-api-key=first-key&api_key=first-key")).status == 401


async def test_every_route_is_locked_but_health(locked: Service) -> None:
    for path in ("/", "/docs", "/openapi.json", "/sdapi/v1/progress", "/nothing", "/healthy", "/health/x"):
        assert (await locked.ask("GET", path)).status == 401
    for path in ("/health", "/health/"):
        assert (await locked.ask("GET", path)).status == 200


async def test_a_key_never_goes_up(locked: Service, upstream: ScriptedA1111) -> None:
    for headers in GOOD:
        await locked.frame(**headers)
    assert len(upstream.seen) == len(GOOD)
    for seen in upstream.seen:
        assert seen.header("authorization") is None
        assert seen.header("x-api-key") is None


@pytest.mark.parametrize("more", ["", "Expect: 100-continue\r\n"])
@pytest.mark.parametrize("length", ["Content-Length: 9000", "Transfer-Encoding: chunked"])
async def test_check_44_the_refusal_comes_before_the_body(locked: Service, length: str, more: str) -> None:
    async with locked.connect() as client:
        # The body is promised and never sent: an answer now is one that did not wait for it.
        got = await client.ask(f"POST {TXT2IMG} HTTP/1.1\r\nHost: a\r\n{length}\r\n{more}\r\n".encode())
    assert (got.status, got.json()) == (401, REFUSAL)


async def test_the_refusal_comes_before_all_else(locked: Service) -> None:
    for query, body in (("?format=x", b"{}"), ("", b"{bad"), ("", b"x" * 20_000)):
        assert (await locked.frame(body, query)).status == 401
        assert (await locked.frame(body, query, x_api_key="first-key")).status in (413, 422)


@pytest.mark.parametrize(
    "authorization", ["", "Basic ", "Basic dW5kZWZpbmVk", "Bearer x", "Basic ====", "é", "x" * 4000, "Basic \xff\xfe"]
)
async def test_check_43_without_keys_every_authorization_is_harmless(
    service: Service, upstream: ScriptedA1111, authorization: str
) -> None:
    for accept in ("*/*", RAW):
        got = await service.txt2img(accept=accept, authorization=authorization, x_api_key="whatever")
        assert got.status == 200
    assert all(seen.header("authorization") is None for seen in upstream.seen)


async def test_a_browser_is_told_to_ask_for_the_key_and_nobody_else(locked: Service) -> None:
    page = "text/html,application/xhtml+xml,*/*;q=0.8"
    refused = await locked.ask("GET", "/displays/default/testcard", accept=page)
    assert (refused.status, refused.json()) == (401, REFUSAL)
    assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")

    for accept in ("*/*", "application/octet-stream", "application/json"):
        assert "WWW-Authenticate" not in (await locked.ask("GET", "/displays/default/testcard", accept=accept)).headers
