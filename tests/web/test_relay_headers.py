"""Headers through the relay, both ways, and whose credentials go where. Checks 8, 45 and 46."""

from __future__ import annotations

import base64
import gzip
from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import Reply, ScriptedA1111
from fakes.clients import Heard, understand
from service import Service, open_service

PATH = "/sdapi/v1/options"
BASES = ["", "/original", "/displays/default"]
# Those of one connection: no relay passes them on.
OF_THE_CONNECTION = {
    "Keep-Alive": "timeout=5",
    "Proxy-Authenticate": "Basic",
    "Proxy-Authorization": "Basic eDp5",
    "Proxy-Connection": "keep-alive",
    "TE": "trailers",
    "Trailer": "X-T",
    "Upgrade": "h2c",
    "X-Named": "1",
    "X-Other-Named": "2",
}
NAMED = ("Connection", "close, X-Named"), ("Connection", "x-other-named,,")


def lines(*headers: tuple[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers)


async def get(service: Service, *headers: tuple[str, str], path: str = PATH) -> Heard:
    async with service.connect() as client:
        head = f"GET {path} HTTP/1.1\r\nHost: pico.local\r\nConnection: close\r\n{lines(*headers)}\r\n"
        await client.send(head.encode("latin-1"))
        return understand(await client.hear_rest())


def replies(*headers: tuple[str, str], body: bytes = b"{}") -> Reply:
    head = f"HTTP/1.1 200 OK\r\n{lines(*headers)}Content-Length: {len(body)}\r\n\r\n"
    return Reply(raw=head.encode("latin-1") + body)


def low(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers]


@pytest.mark.parametrize("base", BASES)
async def test_check_08_what_is_of_the_connection_stays_with_it(
    service: Service, upstream: ScriptedA1111, base: str
) -> None:
    upstream.standing = replies(*NAMED, *OF_THE_CONNECTION.items(), ("X-Process-Time", "1.5"))
    heard = await get(service, *NAMED, *OF_THE_CONNECTION.items(), ("X-Kept", "yes"), path=base + PATH)
    assert not set(OF_THE_CONNECTION) & {name.title() if name != "TE" else name for name in heard.names}
    assert heard["X-Process-Time"] == "1.5"
    assert heard["Connection"] == "close"
    (seen,) = upstream.seen
    assert not {name.lower() for name in OF_THE_CONNECTION} & {name for name, _ in low(seen.headers)}
    assert seen.header("x-kept") == "yes"
    assert "named" not in (seen.header("connection") or "").lower()


async def test_check_08_host_is_the_upstreams_and_nothing_comes_twice(
    service: Service, upstream: ScriptedA1111
) -> None:
    upstream.standing = Reply(
        body=b"{}", headers=(("Content-Type", "application/json"), ("Date", "x"), ("Server", "y"))
    )
    heard = await get(service)
    assert len(heard.names) == len(set(heard.names))
    assert {"Content-Length", "Content-Type", "Date", "X-Request-Id"} <= set(heard.names)
    assert heard["Date"] != "x"
    assert "Server" not in heard.names
    assert low(upstream.seen[0].headers)[0] == ("host", f"127.0.0.1:{upstream.port}")


async def test_check_08_nothing_is_added_to_a_request(service: Service, upstream: ScriptedA1111) -> None:
    await get(service)
    assert {name for name, _ in low(upstream.seen[0].headers)} <= {"host", "connection"}


async def test_order_and_duplicates_are_kept_both_ways(service: Service, upstream: ScriptedA1111) -> None:
    up = [("X-B", "1"), ("X-A", "2"), ("x-b", "3"), ("Cookie", "a=1"), ("Cookie", "b=2"), ("Accept", "text/x;q=0.5")]
    down = [
        ("Set-Cookie", "a=1; Path=/; HttpOnly"),
        ("Link", "</a>; rel=next"),
        ("Set-Cookie", "b=2"),
        ("Link", "</b>; rel=prev"),
        ("Vary", "Accept-Encoding"),
        ("Etag", '"x"'),
        ("X-Empty", ""),
    ]
    upstream.standing = replies(*down)
    heard = await get(service, *up)
    assert [header for header in low(list(heard.headers)) if header[0] in dict(low(down))] == low(down)
    assert [header for header in low(upstream.seen[0].headers) if header[0] in dict(low(up))] == low(up)


@pytest.mark.parametrize(
    "value", ["Gr\xc3\xbc\xc3\x9fe", "\xe4\xbd\xbd", "caf\xe9", "\xff\xfe", "a\tb", '"q"; x="\xc3\xa4"', "%C3%A4"]
)
async def test_values_keep_their_bytes_both_ways(service: Service, upstream: ScriptedA1111, value: str) -> None:
    upstream.standing = replies(("X-Odd", value))
    heard = await get(service, ("X-Odd", value))
    assert heard["X-Odd"] == value
    # What is no UTF-8 may become it on the way up: the characters are the same.
    assert upstream.seen[0].header("x-odd") in (value, value.encode().decode("latin-1"))


@pytest.mark.parametrize("size", [7000, 20_000, 30_000])
async def test_a_long_header_goes_up(service: Service, upstream: ScriptedA1111, size: int) -> None:
    assert (await get(service, ("Cookie", "c" * size))).status == 200
    assert upstream.seen[0].header("cookie") == "c" * size


@pytest.mark.parametrize("size", [4000, 20_000])
async def test_a_long_header_comes_down(service: Service, upstream: ScriptedA1111, size: int) -> None:
    upstream.standing = replies(("Set-Cookie", "c" * size))
    assert (await get(service))["Set-Cookie"] == "c" * size


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "no-such"])
async def test_check_21_what_is_compressed_stays_compressed(
    service: Service, upstream: ScriptedA1111, coding: str, chunked: bool
) -> None:
    packed = gzip.compress(b'{"a": 1}' * 1000)
    headers = (("content-type", "application/json"), ("content-encoding", coding), ("vary", "Accept-Encoding"))
    upstream.standing = Reply(body=packed, headers=headers, chunked=chunked)
    heard = await get(service, ("Accept-Encoding", f"{coding}, identity;q=0.1"))
    assert heard.body == packed
    assert heard["Content-Encoding"] == coding
    assert ("Content-Length" in heard.names) is not chunked
    assert upstream.seen[0].header("accept-encoding") == f"{coding}, identity;q=0.1"


async def test_check_21_who_did_not_ask_for_gzip_does_not_ask_through_us(
    service: Service, upstream: ScriptedA1111
) -> None:
    assert (await get(service)).body == upstream.standing.body  # type: ignore[union-attr]
    assert upstream.seen[0].header("accept-encoding") is None


@pytest.mark.parametrize("length", [0, 17, 115_200])
async def test_the_head_of_an_answer_has_its_length(service: Service, upstream: ScriptedA1111, length: int) -> None:
    headers = f"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: {length}\r\nContent-Encoding: gzip\r\n\r\n"
    upstream.standing = Reply(raw=headers.encode())
    got = await service.ask("HEAD", PATH)
    assert (got.status, got.body, got.headers["Content-Length"]) == (200, b"", str(length))
    assert (got.headers["Content-Type"], got.headers["Content-Encoding"]) == ("a/b", "gzip")


async def test_header_names_are_title_case(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = replies(("content-type", "a/b"), ("x-process-time", "1"), ("etag", '"a"'), ("allow", "GET"))
    assert {"Content-Type", "X-Process-Time", "ETag", "Allow"} <= set((await get(service)).names)


async def test_ranges_and_conditions_pass(service: Service, upstream: ScriptedA1111) -> None:
    asked = {"range": "bytes=0-3", "if-none-match": '"a"', "if-modified-since": "x", "cache-control": "no-cache"}
    upstream.standing = Reply(206, b"abcd", (("content-range", "bytes 0-3/9"), ("accept-ranges", "bytes")))
    heard = await get(service, *asked.items())
    assert (heard.status, heard.body, heard["Content-Range"]) == (206, b"abcd", "bytes 0-3/9")
    assert {name: upstream.seen[0].header(name) for name in asked} == asked


async def test_what_a_client_says_of_its_address_is_not_believed(service: Service, upstream: ScriptedA1111) -> None:
    claims = [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "X-Real-IP",
    ]
    await get(service, *((name, "127.0.0.1") for name in claims))
    assert not {name.lower() for name in claims} & {name for name, _ in low(upstream.seen[0].headers)}


USER, PASSWORD = "somebody", "up:w\u00f6rd,=secret"
OURS = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
KEY = "the-key"


THEIRS = [
    (("X-API-Key", KEY),),
    (("Authorization", f"Bearer {KEY}"),),
    (("authorization", "Basic " + base64.b64encode(f"x:{KEY}".encode()).decode()),),
    (("AUTHORIZATION", f"Bearer {KEY}"), ("x-api-key", "other"), ("Connection", "authorization, x-api-key")),
    (("X-Api-Key", KEY), ("X-API-KEY", KEY), ("Proxy-Authorization", f"Bearer {KEY}")),
]


@pytest.fixture(scope="module")
async def locked_service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(
        a1111_base_url=_upstream.url, a1111_username=USER, a1111_password=PASSWORD, service_api_key=KEY
    ) as service:
        yield service


@pytest.mark.parametrize("theirs", THEIRS, ids=range(len(THEIRS)))
@pytest.mark.parametrize("base", BASES)
async def test_check_45_our_credentials_go_up_and_the_clients_do_not(
    locked_service: Service, upstream: ScriptedA1111, base: str, theirs: tuple[tuple[str, str], ...]
) -> None:
    for path in (PATH, "/internal/ping", "/sdapi/v1/cmd-flags"):
        upstream.standing = replies()
        heard = await get(locked_service, *theirs, path=base + path)
        assert heard.status == 200
        assert "secret" not in str(heard)
        (seen,) = upstream.seen
        assert [value for name, value in low(seen.headers) if name == "authorization"] == [OURS]
        assert KEY not in str(seen)
        assert not {"x-api-key", "proxy-authorization"} & {name for name, _ in low(seen.headers)}
        upstream.seen.clear()


async def test_check_46_the_log_tells_no_secret(upstream: ScriptedA1111, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    settings = {"a1111_username": USER, "a1111_password": PASSWORD, "service_api_key": KEY, "debug_mode": True}
    upstream.script = [replies(("Set-Cookie", "a=cookie-of-theirs")), Reply(mute=True)]
    async with open_service(a1111_base_url=upstream.url, **settings) as service:
        for status in (200, 502):
            got = await service.ask("POST", f"{PATH}?q=in-the-query", b"{}", x_api_key=KEY, cookie="b=cookie-of-ours")
            assert got.status == status
    assert PATH in caplog.text
    for secret in (KEY, PASSWORD, OURS, "in-the-query", "cookie-of", upstream.url):
        assert secret not in caplog.text


async def test_check_45_without_credentials_of_ours_none_go_up(service: Service, upstream: ScriptedA1111) -> None:
    for theirs in ("Basic eDp5", "Bearer x", "", "Basic dW5kZWZpbmVk"):
        assert (await get(service, ("Authorization", theirs), ("X-API-Key", "z"))).status == 200
    assert len(upstream.seen) == 4
    assert all(seen.header("authorization") is None and seen.header("x-api-key") is None for seen in upstream.seen)


@pytest.mark.parametrize(
    "path", [PATH, "/original/", "/original/config", "/internal/ping", "/displays/default/sdapi/x"]
)
async def test_check_44_the_relay_is_locked_too(locked_service: Service, upstream: ScriptedA1111, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "OPTIONS", "BREW"):
        got = await locked_service.ask(method, path, b"{}" if method == "POST" else None)
        assert got.status == 401
    assert not upstream.seen


async def test_cookies_stay_with_their_clients(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = replies(("Set-Cookie", "session=of-the-first"))
    assert (await get(service, ("Cookie", "mine=1")))["Set-Cookie"] == "session=of-the-first"
    upstream.standing = replies()
    await get(service)
    assert upstream.seen[0].header("cookie") == "mine=1"
    assert upstream.seen[1].header("cookie") is None


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_of_our_credentials_passes_without_asking_the_client_for_some(
    locked_service: Service, upstream: ScriptedA1111, status: int
) -> None:
    upstream.standing = Reply(status, b'{"detail": "Not authenticated"}', (("content-type", "application/json"),))
    got = await locked_service.ask("GET", PATH, x_api_key=KEY)
    assert (got.status, got.body) == (status, b'{"detail": "Not authenticated"}')
