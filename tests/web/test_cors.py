"""Which pages may call the service from a browser. Check 47."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import ScriptedA1111, said
from fakes.failures import IN_TROUBLE
from service import RAW, TXT2IMG, Service, open_service

PAGE = "http://localhost:3000"
OTHER = "http://evil.example"
PREFLIGHT = {"access_control_request_method": "POST", "access_control_request_headers": "content-type, x-api-key"}
OPTIONS = "/sdapi/v1/options"


@pytest.fixture(scope="module")
async def _open(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    origins = f"{PAGE}, https://studio.example"
    settings = {"cors_origins": origins, "service_api_key": "key", "max_body_mb": 0.01}
    async with open_service(a1111_base_url=_upstream.url, **settings) as service:
        yield service


@pytest.fixture(scope="module")
async def _everybody(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, cors_origins="*") as service:
        yield service


@pytest.fixture
def for_pages(_open: Service, upstream: ScriptedA1111) -> Service:
    """A service with a key that two origins may call."""
    return _open


@pytest.fixture
def for_all(_everybody: Service, upstream: ScriptedA1111) -> Service:
    """A service that every page may call."""
    return _everybody


PATHS = [TXT2IMG, f"/original{TXT2IMG}", f"/displays/default{TXT2IMG}", OPTIONS, "/health", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
async def test_check_47_a_preflight_needs_no_key_and_does_not_go_up(
    for_pages: Service, upstream: ScriptedA1111, path: str
) -> None:
    got = await for_pages.ask("OPTIONS", path, origin=PAGE, **PREFLIGHT)
    assert got.status == 200
    assert got.headers["Access-Control-Allow-Origin"] == PAGE
    assert "POST" in got.headers["Access-Control-Allow-Methods"]
    assert got.headers["Access-Control-Allow-Headers"] == "content-type, x-api-key"
    assert got.headers["Access-Control-Allow-Credentials"] == "true"
    assert not upstream.seen


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "http://localhost", f"{PAGE}.evil.example", "https://localhost:3000"]
)
async def test_check_47_a_preflight_of_another_page_is_a_400(for_pages: Service, origin: str) -> None:
    got = await for_pages.ask("OPTIONS", TXT2IMG, origin=origin, **PREFLIGHT)
    assert got.status == got.json()["code"] == 400
    assert "CORS_ORIGINS" in got.json()["error"]
    assert "Access-Control-Allow-Origin" not in got.headers


async def test_check_47_without_the_setting_no_page_may_call(service: Service, upstream: ScriptedA1111) -> None:
    assert (await service.ask("OPTIONS", TXT2IMG, origin=PAGE, **PREFLIGHT)).status == 400
    upstream.standing = said(
        {}, 200, ("access-control-allow-origin", "*"), ("access-control-allow-credentials", "true")
    )
    for path in (OPTIONS, f"/original{OPTIONS}"):
        got = await service.ask("GET", path, origin=PAGE)
        assert (got.status, got.body) == (200, b"{}")
        assert not [name for name in got.headers if name.lower().startswith("access-control-allow")]


ANSWERED = {
    "a frame": ("POST", TXT2IMG, {}, {"accept": RAW}, 200),
    "the original": ("POST", f"/original{TXT2IMG}", {}, {}, 200),
    "a bad option": ("POST", f"{TXT2IMG}?fit=x", {}, {}, 422),
    "a large body": ("POST", TXT2IMG, b"x" * 20_000, {}, 413),
    "no such route": ("GET", "/nothing", None, {}, 404),
    "no such method": ("GET", TXT2IMG, None, {}, 405),
    "relayed": ("GET", OPTIONS, None, {}, 200),
    "refused": ("POST", "/sdapi/v1/server-kill", None, {}, 403),
}


@pytest.mark.parametrize("name", ANSWERED)
async def test_check_47_every_answer_can_be_read_by_the_page(for_pages: Service, name: str) -> None:
    method, path, body, headers, status = ANSWERED[name]
    got = await for_pages.ask(method, path, body, origin=PAGE, x_api_key="key", **headers)
    assert got.status == status
    assert got.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in got.headers["Vary"]
    assert "X-Image-Width" in got.headers["Access-Control-Expose-Headers"]
    got = await for_pages.ask(method, path, body, origin=OTHER, x_api_key="key", **headers)
    assert got.status == status
    assert "Access-Control-Allow-Origin" not in got.headers


async def test_check_47_also_the_refusal_of_a_key_and_the_upstreams_errors(
    for_pages: Service, upstream: ScriptedA1111
) -> None:
    got = await for_pages.ask("GET", OPTIONS, origin=PAGE)
    assert (got.status, got.headers["Access-Control-Allow-Origin"]) == (401, PAGE)
    for reply in IN_TROUBLE.values():
        upstream.standing = reply
        for path in (TXT2IMG, f"/original{TXT2IMG}"):
            got = await for_pages.ask("POST", path, {}, origin=PAGE, x_api_key="key")
            assert got.status >= 500
            assert got.headers["Access-Control-Allow-Origin"] == PAGE


async def test_the_upstreams_own_permission_does_not_stand_beside_ours(
    for_pages: Service, upstream: ScriptedA1111
) -> None:
    upstream.standing = said({}, 200, ("access-control-allow-origin", "*"), ("access-control-max-age", "9"))
    async with for_pages.connect() as client:
        request = f"GET {OPTIONS} HTTP/1.1\r\nHost: a\r\nOrigin: {PAGE}\r\nX-API-Key: key\r\n\r\n"
        heard = await client.ask(request.encode())
    assert heard["Access-Control-Allow-Origin"] == PAGE
    assert "Access-Control-Max-Age" not in heard.names


async def test_every_page_may_call_but_not_with_what_the_browser_remembers(for_all: Service) -> None:
    preflight = await for_all.ask("OPTIONS", TXT2IMG, origin=OTHER, **PREFLIGHT)
    got = await for_all.frame(origin=OTHER, cookie="a=1")
    assert (preflight.status, got.status) == (200, 200)
    for answer in (preflight, got):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_page_on_the_internet_may_call_a_service_at_home(for_pages: Service) -> None:
    more = {"access_control_request_private_network": "true"}
    got = await for_pages.ask("OPTIONS", TXT2IMG, origin=PAGE, **PREFLIGHT, **more)
    assert (got.status, got.headers["Access-Control-Allow-Private-Network"]) == (200, "true")


async def test_options_that_is_no_preflight_goes_up(for_pages: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said({"detail": "Method Not Allowed"}, 405, ("allow", "GET, POST"))
    got = await for_pages.ask("OPTIONS", OPTIONS, origin=PAGE, x_api_key="key")
    assert (got.status, got.headers["Allow"], upstream.seen[0].method) == (405, "GET, POST", "OPTIONS")


async def test_a_device_is_told_nothing_of_origins(service: Service) -> None:
    assert (await service.frame()).headers["Vary"] == "Accept"
