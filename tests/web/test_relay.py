"""The relay: paths, methods, queries, statuses and bodies pass as they are. Checks 2, 3, 4, 7, 16, 17, 42 and 55."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import Reply, ScriptedA1111, said
from fakes.clients import understand
from service import Service, open_service

NOT_FOUND = said({"detail": "Not Found"}, 404)
OPTIONS_PATH = "/sdapi/v1/options"
BASES = ["", "/original", "/displays/waveshare-pico-lcd-1.3"]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "BREW"]


@pytest.mark.parametrize("path", ["/sdapi/v1/nothing", "/sdapi/v2/x", "/sdapi/", "/internal/x", "/controlnet/x/y"])
async def test_check_02_what_the_upstream_does_not_know_is_its_own_404(
    service: Service, upstream: ScriptedA1111, path: str
) -> None:
    upstream.standing = NOT_FOUND
    for base in BASES:
        got = await service.ask("GET", base + path)
        assert (got.status, got.body) == (404, b'{"detail": "Not Found"}'), base
    assert [seen.target for seen in upstream.seen] == [path] * len(BASES)


@pytest.mark.parametrize(
    "path", ["/nothing", "/sdap", "/sdapi", "/sdapiv1/options", "/file=/etc/passwd", "/run/predict", "/info", "/config"]
)
async def test_what_is_not_a1111s_is_our_own_404(service: Service, upstream: ScriptedA1111, path: str) -> None:
    got = await service.ask("GET", path)
    assert (got.status, got.json()["code"]) == (404, 404)
    assert not upstream.seen


@pytest.mark.parametrize("path", ["/", "", "/config", "/openapi.json"])
async def test_check_03_what_clients_ask_of_the_base_url_itself(
    service: Service, upstream: ScriptedA1111, path: str
) -> None:
    upstream.standing = said({"version": "v1.10.1", "components": []})
    for method in ("GET", "HEAD"):
        got = await service.ask(method, "/original" + path)
        assert got.status == 200
        assert got.headers["Content-Length"] == str(len(upstream.standing.body))
        assert got.body == (b"" if method == "HEAD" else upstream.standing.body)
    assert [(seen.method, seen.target) for seen in upstream.seen] == [("GET", path or "/"), ("HEAD", path or "/")]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/internal/ping"), ("POST", "/internal/progress"), ("GET", "/controlnet/version"), ("HEAD", OPTIONS_PATH)],
)
async def test_check_03_the_other_roots_are_relayed(
    service: Service, upstream: ScriptedA1111, base: str, method: str, path: str
) -> None:
    upstream.standing = said({"version": 3})
    got = await service.ask(method, base + path, b'{"id_task": "a"}' if method == "POST" else None)
    assert (got.status, got.body) == (200, b"" if method == "HEAD" else b'{"version": 3}')
    assert [(seen.method, seen.target) for seen in upstream.seen] == [(method, path)]


QUERIES = [
    "skip_current_image=true",
    "skipCurrentImage=false",
    "a=1&a=2&&b",
    "q=%41%2f%2F%20+%C3%A4&r=%ff%00",
    "x=a/b/../c//d;e?f=g:@!$'()*,[]{}|^`\"<>~",
    "answer=frame&width=3&format=x&display=none&index=-1",
    "=",
    "%",
    "%zz",
    "?",
]


async def assert_passes(service: Service, upstream: ScriptedA1111, target: str) -> None:
    """Below every base it goes up as it was written."""
    for base in BASES:
        async with service.connect() as client:
            await client.send(f"GET {base}{target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            assert understand(await client.hear_rest()).status == 200, base
    assert [seen.target for seen in upstream.seen] == [target] * len(BASES)


@pytest.mark.parametrize("query", QUERIES)
async def test_check_04_the_query_passes_as_it_was_written(
    service: Service, upstream: ScriptedA1111, query: str
) -> None:
    await assert_passes(service, upstream, f"/internal/x?{query}")


@pytest.mark.parametrize(
    ("asked", "goes_up"),
    [
        ("skip_current_image=true", "?skip_current_image=true"),
        ("answer=json&skipCurrentImage=%66alse&width=3", "?skipCurrentImage=%66alse"),
        ("answer=original", ""),
    ],
)
async def test_check_04_progress_loses_only_our_own_options(
    service: Service, upstream: ScriptedA1111, asked: str, goes_up: str
) -> None:
    upstream.standing = said({"progress": 0.0})
    assert (await service.ask("GET", f"/sdapi/v1/progress?{asked}")).body == upstream.standing.body
    assert (await service.ask("GET", f"/original/sdapi/v1/progress?{asked}")).body == upstream.standing.body
    assert [seen.target for seen in upstream.seen] == [f"/sdapi/v1/progress{goes_up}", f"/sdapi/v1/progress?{asked}"]


@pytest.mark.parametrize(
    "path",
    [
        "/sdapi/v1/%6Fptions",
        "/sdapi/v1/a%2Fb",
        "/sdapi/v1/a%20b+c",
        "/sdapi/v1/%E4%BD%A0%C3%A4",
        "/sdapi/v1/%ff",
        "/sdapi/v1/loras/",
        "/sdapi/v1/a;b=c:d@e!$&'()*,=~|^`\"{}[]",
        "/controlnet/file=a.png",
        "/sdapi/v1/...",
        "/sdapi/v1/.hidden",
    ],
)
async def test_paths_pass_as_they_were_written(service: Service, upstream: ScriptedA1111, path: str) -> None:
    await assert_passes(service, upstream, path)


@pytest.fixture(scope="module", params=["", "/", "/sub/path", "/sub/path/"])
async def below(request: pytest.FixtureRequest, _upstream: ScriptedA1111) -> AsyncIterator[tuple[Service, str]]:
    async with open_service(a1111_base_url=_upstream.url + request.param) as service:
        yield service, request.param.rstrip("/")


async def test_check_07_the_base_url_with_and_without_slash_and_sub_path(
    below: tuple[Service, str], upstream: ScriptedA1111
) -> None:
    service, sub_path = below
    paths = ["/sdapi/v1/options?a=%20", "/sdapi/v1/loras/", "/internal/ping", "/controlnet/x"]
    for path in paths:
        await service.ask("GET", path)
    await service.txt2img()
    await service.ask("GET", "/original/")
    expected = [*paths, "/sdapi/v1/txt2img", "/"]
    assert [seen.target for seen in upstream.seen] == [sub_path + path for path in expected]
    assert all(seen.header("host") == f"127.0.0.1:{upstream.port}" for seen in upstream.seen)


@pytest.mark.parametrize(
    "body", [None, b"", b'{"a": 1e-7}\n', bytes(range(256)) * 300], ids=["none", "empty", "s", "l"]
)
@pytest.mark.parametrize("method", METHODS)
async def test_methods_and_bodies_pass(
    service: Service, upstream: ScriptedA1111, method: str, body: bytes | None
) -> None:
    upstream.standing = Reply(201, b"made", (("content-type", "text/x-odd"),))
    got = await service.ask(method, "/sdapi/v1/thing?a=b", body, content_type="text/x-even")
    assert (got.status, got.body, got.headers["Content-Type"]) == (201, b"made", "text/x-odd")
    (seen,) = upstream.seen
    assert (seen.method, seen.target, seen.body) == (method, "/sdapi/v1/thing?a=b", body or b"")
    assert seen.header("content-type") == "text/x-even"
    assert seen.header("transfer-encoding") is None
    assert (seen.header("content-length") or "0") == str(len(body or b""))


@pytest.mark.parametrize("method", METHODS)
async def test_check_17_chunks_go_up_as_chunks(service: Service, upstream: ScriptedA1111, method: str) -> None:
    async with service.connect() as client:
        await client.send(
            f"{method} {OPTIONS_PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n".encode()
        )
        assert understand(await client.hear_rest()).status == 200
    (seen,) = upstream.seen
    assert (seen.method, seen.body) == (method, b"abcdefg")
    assert seen.header("transfer-encoding") == "chunked"
    assert seen.header("content-length") is None


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("chunked", [True, False])
async def test_check_17_old_clients_get_no_chunks(
    service: Service, upstream: ScriptedA1111, version: str, chunked: bool
) -> None:
    upstream.standing = Reply(body=b"x" * 5000, chunked=chunked)
    async with service.connect() as client:
        await client.send(f"GET {OPTIONS_PATH} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        heard = understand(await client.hear_rest())
    assert (heard.status, heard.body) == (200, upstream.standing.body)
    assert ("Transfer-Encoding" in heard.names) is (chunked and version == "1.1")
    assert ("Content-Length" in heard.names) is not chunked


async def test_check_17_expect_is_settled_here(service: Service, upstream: ScriptedA1111) -> None:
    async with service.connect() as client:
        await client.send(
            f"POST {OPTIONS_PATH} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode()
        )
        assert await client.hear_line() == b"HTTP/1.1 100 Continue\r\n"
        while await client.hear_line() != b"\r\n":
            pass
        heard = await client.ask(b"{}")
    assert heard.status == 200
    assert upstream.seen[0].body == b"{}"
    assert upstream.seen[0].header("expect") is None


async def test_check_16_large_bodies_pass_both_ways(upstream: ScriptedA1111) -> None:
    upstream.standing = lambda seen: Reply(body=seen.body)
    body = bytes(range(256)) * (30_000_000 // 256)
    async with open_service(a1111_base_url=upstream.url, max_body_mb=30) as service:
        got = await service.ask("POST", "/sdapi/v1/anything", body)
    assert (got.status, len(got.body), got.body == body) == (200, len(body), True)


@pytest.mark.parametrize(
    "status", [200, 201, 202, 206, 299, 400, 401, 403, 404, 405, 409, 422, 429, 500, 502, 503, 599]
)
async def test_statuses_pass_with_their_bodies(service: Service, upstream: ScriptedA1111, status: int) -> None:
    upstream.standing = said({"error": "X", "detail": "boom in /home/me", "body": "", "errors": ""}, status)
    got = await service.ask("GET", OPTIONS_PATH)
    assert (got.status, got.body) == (status, upstream.standing.body)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
async def test_check_42_an_answer_without_a_body_stays_one(
    service: Service, upstream: ScriptedA1111, method: str, status: int
) -> None:
    upstream.standing = Reply(status, b"", (("etag", '"a"'),))
    async with service.connect() as client:
        await client.send(
            f"{method} /sdapi/v1/skip HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        heard = understand(await client.hear_rest(), method)
    assert (heard.status, heard.body) == (status, b"")
    assert not {"Content-Length", "Content-Type", "Transfer-Encoding"} & set(heard.names)
    assert heard["ETag"] == '"a"'


@pytest.mark.parametrize("body", [b"null", b"{}", b""])
async def test_empty_and_null_answers_pass(service: Service, upstream: ScriptedA1111, body: bytes) -> None:
    upstream.standing = Reply(body=body)
    for path in ("interrupt", "skip", "options", "refresh-loras"):
        got = await service.ask("POST", f"/sdapi/v1/{path}", b"")
        assert (got.status, got.body, got.headers["Content-Length"]) == (200, body, str(len(body)))


async def test_check_55_force_task_id_and_its_progress(service: Service, upstream: ScriptedA1111) -> None:
    asked = b'{"prompt": "a", "force_task_id": "task(mine-1)"}'
    assert (await service.ask("POST", "/original/sdapi/v1/txt2img", asked)).status == 200
    assert (await service.txt2img(asked, content_type="application/json")).status == 200
    assert [seen.body for seen in upstream.seen] == [asked, asked]
    progress = {"active": True, "queued": False, "completed": False, "progress": 0.4, "live_preview": "data:x"}
    upstream.standing = said(progress)
    for base in BASES:
        got = await service.ask("POST", f"{base}/internal/progress", {"id_task": "task(mine-1)"})
        assert got.json() == progress
        assert json.loads(upstream.seen[-1].body) == {"id_task": "task(mine-1)"}
