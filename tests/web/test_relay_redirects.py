"""Redirects through the relay: never followed, led back under the client's base, the upstream's host never shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote, urljoin

import pytest

from fakes.a1111 import Reply, ScriptedA1111
from service import Said, Service, open_service

PATH = "/sdapi/v1/extensions"
BASES = ["", "/original", "/displays/waveshare-pico-lcd-1.3"]
STATUSES = [301, 302, 303, 307, 308]
SUB_PATH = "/web/ui"


def moved(location: str, status: int = 307, *more: tuple[str, str], body: bytes = b"moved") -> Reply:
    head = "".join(f"{name}: {value}\r\n" for name, value in [("Location", location), *more])
    return Reply(raw=f"HTTP/1.1 {status} Moved\r\n{head}Content-Length: 5\r\n\r\n".encode() + body)


def shown(got: Said) -> str:
    return unquote(f"{got.headers} {got.body.decode()}")


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE"])
async def test_redirects_are_passed_and_not_followed(
    service: Service, upstream: ScriptedA1111, method: str, status: int
) -> None:
    body = b"" if method == "HEAD" else b"moved"
    upstream.standing = moved(f"{upstream.url}/sdapi/v1/there?a=b", status, body=body)
    for count, base in enumerate(BASES, 1):
        got = await service.ask(method, base + PATH, b"{}" if method == "POST" else None)
        assert (got.status, got.headers["Location"]) == (status, f"{base}/sdapi/v1/there?a=b")
        assert got.body == body, base
        assert len(upstream.seen) == count, base
        assert f":{upstream.port}" not in shown(got), base


# {0} is the upstream's host and port, {1} its host.
LED_BACK = [
    ("http://{0}/sdapi/v1/x", "/sdapi/v1/x"),
    ("HTTP://{0}/sdapi/v1/x", "/sdapi/v1/x"),
    ("https://{0}/sdapi/v1/x", "/sdapi/v1/x"),
    ("http://user:pass@{0}/sdapi/v1/x", "/sdapi/v1/x"),
    ("http://{1}:1/sdapi/v1/x", "/sdapi/v1/x"),
    ("http://{1}/sdapi/v1/x", "/sdapi/v1/x"),
    ("//{0}/sdapi/v1/x", "/sdapi/v1/x"),
    ("/sdapi/v1/x", "/sdapi/v1/x"),
    ("/sdapi/v1/x/?a=%2F&b=http:#f", "/sdapi/v1/x/?a=%2F&b=http:#f"),
    ("/sdapi/v1/a%2Fb%20c", "/sdapi/v1/a%2Fb%20c"),
    ("http://{0}", "/"),
    ("http://{0}?a=b", "/?a=b"),
    ("/", "/"),
]


@pytest.mark.parametrize(("location", "path"), LED_BACK)
async def test_check_06_locations_lead_back_to_us(
    service: Service, upstream: ScriptedA1111, location: str, path: str
) -> None:
    upstream.standing = moved(location.format(f"127.0.0.1:{upstream.port}", "127.0.0.1"))
    for base in BASES:
        got = await service.ask("GET", base + PATH)
        assert got.headers["Location"] == base + path
        assert f":{upstream.port}" not in shown(got), base


RELATIVE = ["there", "there?a=b", "./there", "?a=b", "#f", "../v2/there"]


@pytest.mark.parametrize("location", RELATIVE)
async def test_relative_locations_mean_the_same(service: Service, upstream: ScriptedA1111, location: str) -> None:
    upstream.standing = moved(location)
    for base in BASES:
        got = await service.ask("GET", base + PATH)
        # Where a client goes is where it would have gone without us, under its base.
        assert urljoin(base + PATH, got.headers["Location"]) == base + urljoin(PATH, location)


ELSEWHERE = [
    "http://10.9.8.7:7860/sdapi/v1/x",
    "https://example.com/",
    "//10.9.8.7/sdapi/v1/x",
    "//example.com",
    "///example.com/x",
    "////example.com/x",
    "/\\example.com/x",
    "\\\\example.com/x",
    "/\t/example.com/x",
    "http:/example.com",
    "http:example.com",
    "http:///example.com/x",
    "http://127.0.0.1:1//example.com/x",
    "http://127.0.0.1:1/\\example.com/x",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "http://[::1",
    "http://127.0.0.1.example.com/",
    "http://127.0.0.1@example.com/",
    "http://example.com#@127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
    "/.//example.com/x",
    "/x/..//example.com/x",
]


@pytest.mark.parametrize("location", ELSEWHERE)
async def test_locations_elsewhere_are_dropped(service: Service, upstream: ScriptedA1111, location: str) -> None:
    upstream.standing = moved(location)
    for base in BASES:
        got = await service.ask("GET", base + PATH)
        assert (got.status, got.body) == (307, b"moved"), base
        ours = f"http://pico.local{base}{PATH}"
        # As a browser reads it: a backslash is a slash, tabs are nothing.
        read = got.headers.get("Location", "").replace("\\", "/").replace("\t", "")
        assert urljoin(ours, read).startswith(f"http://pico.local{base}/")
        assert "10.9.8.7" not in shown(got), base


@pytest.fixture(scope="module")
async def below_service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=f"{_upstream.url}{SUB_PATH}/") as service:
        yield service


@pytest.fixture
def below(below_service: Service, upstream: ScriptedA1111) -> Service:
    """The service before an upstream with a sub-path; `upstream` is as new."""
    return below_service


@pytest.mark.parametrize("base", BASES)
async def test_the_sub_path_is_taken_off(below: Service, upstream: ScriptedA1111, base: str) -> None:
    host = f"127.0.0.1:{upstream.port}"
    for location in (f"{SUB_PATH}/sdapi/v1/x", f"http://{host}{SUB_PATH}/sdapi/v1/x", f"//{host}{SUB_PATH}/sdapi/v1/x"):
        upstream.standing = moved(location)
        got = await below.ask("GET", base + PATH)
        assert got.headers["Location"] == f"{base}/sdapi/v1/x"
        assert f":{upstream.port}" not in shown(got)
        assert SUB_PATH not in shown(got)
    for location in (SUB_PATH, f"{SUB_PATH}/", f"http://{host}{SUB_PATH}"):
        upstream.standing = moved(location)
        assert (await below.ask("GET", base + PATH)).headers["Location"] == f"{base}/"


@pytest.mark.parametrize("location", ["/", "/login", f"{SUB_PATH}x/y", "/web", "/web/", "http://127.0.0.1/login"])
async def test_a_location_outside_of_the_sub_path_leads_nowhere_with_us(
    below: Service, upstream: ScriptedA1111, location: str
) -> None:
    upstream.standing = moved(location)
    for base in BASES:
        assert "Location" not in (await below.ask("GET", base + PATH)).headers


# Headers that may hold an address, beside the Location.
TELLING = [
    ("Content-Location", "{0}/x"),
    ("Refresh", "0; url={0}/x"),
    ("Link", "<{0}/x>; rel=next"),
    ("Alt-Svc", 'h2="127.0.0.1:{1}"'),
    ("Via", "1.1 127.0.0.1:{1}"),
    ("X-Forwarded-Host", "127.0.0.1:{1}"),
    ("Report-To", '{{"url": "{0}/x"}}'),
    ("Content-Security-Policy", "connect-src {0}"),
    ("Access-Control-Allow-Origin", "{0}"),
    ("SourceMap", "{0}/x.map"),
    ("Set-Cookie", "a=b; Domain=127.0.0.1; Path=/"),
    ("X-Served-By", "{0}"),
]


@pytest.mark.parametrize(("name", "value"), TELLING, ids=[name for name, _ in TELLING])
async def test_no_header_tells_where_the_upstream_is(
    service: Service, upstream: ScriptedA1111, name: str, value: str
) -> None:
    upstream.standing = moved("/sdapi/", 307, (name, value.format(upstream.url, upstream.port)), ("X-Kept", "yes"))
    got = await service.ask("GET", PATH)
    assert (got.status, got.headers["X-Kept"]) == (307, "yes")
    assert f":{upstream.port}" not in shown(got)
    assert "127.0.0.1" not in shown(got)


async def test_a_location_whose_query_tells_where_the_upstream_is(service: Service, upstream: ScriptedA1111) -> None:
    for query in (f"next={upstream.url}/x", f"next=http%3A%2F%2F127.0.0.1%3A{upstream.port}%2Fx"):
        upstream.standing = moved(f"{upstream.url}/sdapi/login?{query}")
        got = await service.ask("GET", PATH)
        assert got.status == 307
        assert f":{upstream.port}" not in shown(got)


async def test_a_redirect_takes_no_credentials_along(upstream: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=upstream.url, a1111_username="u", a1111_password="pass-word") as service:
        upstream.standing = moved(f"http://u:pass-word@127.0.0.1:{upstream.port}/sdapi/v1/x")
        got = await service.ask("GET", PATH)
        assert got.headers["Location"] == "/sdapi/v1/x"
        assert "pass-word" not in shown(got)
        assert len(upstream.seen) == 1
