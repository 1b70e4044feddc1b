"""The relay before an upstream that fails: a plain error before the status is out, an incomplete answer after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import product
from typing import Any

import aiohttp
import h11
import pytest

from fakes.a1111 import Reply, ScriptedA1111
from fakes.clients import understand
from fakes.failures import CUT_OFF, NO_HTTP, SLOW, closed_port, full_backlog
from service import Said, Service, open_service

PATH = "/sdapi/v1/options"
BASES = ["", "/original", "/displays/default"]
UNAVAILABLE = "Upstream A1111 service unavailable"
AFTER_THE_STATUS = [
    "hangs up before the body",
    "hangs up in the body",
    "hangs up in a chunk",
    "hangs up between chunks",
]
# What is compressed is not looked into, so neither of these is a failure here.
NOT_LOOKED_INTO = ["lies about gzip", "speaks an unknown coding"]


@pytest.fixture
def no_traceback(caplog: pytest.LogCaptureFixture) -> Any:
    """Nothing went wrong here: no traceback and no error in the log at the end."""
    caplog.set_level(logging.INFO)
    yield
    wrong = [record for record in caplog.records if record.exc_info or record.levelname in ("ERROR", "CRITICAL")]
    assert not wrong, [record.getMessage() for record in wrong]


def assert_ours(got: Said, status: int, upstream: ScriptedA1111 | None = None) -> Any:
    document = got.json()
    assert got.status == document["code"] == status
    assert set(document) == {"error", "code", "detail"}
    assert got.headers["Content-Length"] == str(len(got.body))
    for secret in ("127.0.0.1", "Traceback", "aiohttp", f":{upstream.port}" if upstream else "://"):
        assert secret not in f"{got.headers} {got.body.decode()}"
    return document


async def incomplete(service: Service, path: str) -> bool:
    """Whether an ordinary client can tell that the answer is not all."""
    try:
        got = await service.ask("GET", path)
    except aiohttp.ClientPayloadError:
        return True
    assert got.status == 200
    return False


async def hear(service: Service, path: str, version: str = "1.1") -> bytes:
    async with service.connect() as client:
        await client.send(f"GET {path} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        return await client.hear_rest()


@pytest.mark.parametrize("failure", [name for name in CUT_OFF if name not in [*AFTER_THE_STATUS, "hangs up in a gzip"]])
async def test_check_40_cut_off_before_the_status(
    service: Service, upstream: ScriptedA1111, no_traceback: None, failure: str
) -> None:
    for (method, body), base in product((("GET", None), ("POST", b"{}"), ("POST", b"x" * 3_000_000)), BASES):
        upstream.script = [CUT_OFF[failure]]
        document = assert_ours(await service.ask(method, base + PATH, body), 502, upstream)
        assert document["error"] == UNAVAILABLE, f"{method} {base}"
    assert len(upstream.seen) == 9


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH", "BREW"])
@pytest.mark.parametrize("reply", [Reply(mute=True), Reply(reset=True)], ids=["hangs up", "resets"])
async def test_check_53_nothing_is_sent_twice(
    service: Service, upstream: ScriptedA1111, no_traceback: None, reply: Reply, method: str
) -> None:
    for count, body in enumerate((None, b"{}"), 1):
        upstream.script = [reply]
        assert (await service.ask(method, PATH, body)).status == 502
        assert len(upstream.seen) == count


@pytest.mark.parametrize("failure", [*AFTER_THE_STATUS, "hangs up in a gzip"])
async def test_cut_off_after_the_status(
    service: Service, upstream: ScriptedA1111, no_traceback: None, failure: str
) -> None:
    upstream.script = [CUT_OFF[failure], CUT_OFF[failure]]
    assert await incomplete(service, PATH)
    heard = await hear(service, PATH)
    assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(h11.RemoteProtocolError):
        understand(heard)
    assert len(upstream.seen) == 2
    # And who comes next is served.
    assert (await service.ask("GET", PATH)).status == 200


async def test_what_was_there_before_the_cut_comes_down(
    service: Service, upstream: ScriptedA1111, no_traceback: None
) -> None:
    body = bytes(range(256)) * 1000
    upstream.script = [Reply(body=body, cut=200_000)]
    assert (await hear(service, PATH)).endswith(body[:200_000])


async def test_an_old_client_sees_the_cut_by_the_length(
    service: Service, upstream: ScriptedA1111, no_traceback: None
) -> None:
    upstream.script = [Reply(body=b"x" * 1000, cut=10)]
    heard = await hear(service, PATH, "1.0")
    assert heard.endswith(b"\r\n\r\n" + b"x" * 10)
    assert b"Content-Length: 1000\r\n" in heard


@pytest.mark.parametrize("failure", [name for name in NO_HTTP if name not in [*NOT_LOOKED_INTO, "has bad chunks"]])
async def test_check_40_no_http(service: Service, upstream: ScriptedA1111, no_traceback: None, failure: str) -> None:
    for count, base in enumerate(BASES, 1):
        upstream.script = [NO_HTTP[failure]]
        assert assert_ours(await service.ask("GET", base + PATH), 502, upstream)["error"] == UNAVAILABLE, base
        assert len(upstream.seen) == count, base


async def test_bad_chunks_are_no_whole_answer(service: Service, upstream: ScriptedA1111, no_traceback: None) -> None:
    upstream.standing = NO_HTTP["has bad chunks"]
    try:
        got = await service.ask("GET", PATH)
    except aiohttp.ClientPayloadError:
        return
    assert_ours(got, 502, upstream)


@pytest.mark.parametrize("failure", NOT_LOOKED_INTO)
async def test_what_is_compressed_is_not_looked_into(service: Service, upstream: ScriptedA1111, failure: str) -> None:
    upstream.script = [NO_HTTP[failure]]
    got = await service.ask("GET", PATH)
    assert (got.status, got.body) == (200, NO_HTTP[failure].body)


STRANGE_HEADS = {
    "a status beyond all": b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
    "a status of 600": b"HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n",
    "a status of 0": b"HTTP/1.1 000 What\r\nContent-Length: 0\r\n\r\n",
    "a switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a name with a space": b"HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n",
    "a name that is none": b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a zero byte": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", STRANGE_HEADS)
async def test_strange_heads_are_a_502(
    service: Service, upstream: ScriptedA1111, no_traceback: None, name: str
) -> None:
    upstream.standing = Reply(raw=STRANGE_HEADS[name])
    assert_ours(await service.ask("GET", PATH), 502, upstream)


ODD_HEADS = {
    "a control character": (b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "a folded header": (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "an odd reason": (b"HTTP/1.1 200 Gr\xfc\xdfe\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "an early hint": (b"HTTP/1.1 103 Hint\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "a 100": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "an old server": (b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}"),
    "a length in connection": (b"HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "a 304 with a length": (b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\nETag: x\r\n\r\n", b""),
    "a 204 with a length of 0": (b"HTTP/1.1 204 None\r\nContent-Length: 0\r\n\r\n", b""),
    "a chunk with an extension": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
        b"{}",
    ),
    "trailers": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-T: 1\r\n\r\n", b"{}"),
}


@pytest.mark.parametrize("name", ODD_HEADS)
async def test_odd_heads_pass(service: Service, upstream: ScriptedA1111, no_traceback: None, name: str) -> None:
    raw, body = ODD_HEADS[name]
    upstream.standing = Reply(raw=raw)
    got = await service.ask("GET", PATH)
    assert got.status == int(raw.split(b"HTTP/1.")[-1][2:5])
    assert got.body == body


async def test_check_40_too_slow_before_the_status(
    impatient: Service, upstream: ScriptedA1111, no_traceback: None
) -> None:
    upstream.standing = SLOW["says nothing"]()
    cases = [(method, base, body) for method, body in (("GET", None), ("POST", b"{}")) for base in BASES]
    answers = await asyncio.gather(*(impatient.ask(method, base + PATH, body) for method, base, body in cases))
    for (method, base, _), got in zip(cases, answers, strict=True):
        document = assert_ours(got, 504, upstream)
        assert document["error"] == "The upstream A1111 service did not answer in time", f"{method} {base}"
    assert len(upstream.seen) == len(cases)


@pytest.mark.parametrize("failure", [name for name in SLOW if name != "says nothing"])
async def test_too_slow_after_the_status(
    impatient: Service, upstream: ScriptedA1111, no_traceback: None, failure: str
) -> None:
    upstream.script = [SLOW[failure](), SLOW[failure]()]
    assert await incomplete(impatient, PATH)
    with pytest.raises(h11.RemoteProtocolError):
        understand(await hear(impatient, PATH))
    assert (await impatient.ask("GET", PATH)).status == 200


async def test_check_40_upstream_down(no_traceback: None) -> None:
    with closed_port() as url:
        async with open_service(a1111_base_url=url) as service:
            for base in BASES:
                for method, body in (("GET", None), ("POST", b"x" * 3_000_000), ("HEAD", None)):
                    got = await service.ask(method, base + PATH, body)
                    assert got.status == 502
                    if method != "HEAD":
                        assert assert_ours(got, 502)["detail"] == "It refuses connections: is it running?"


async def test_check_40_upstream_that_takes_no_connection(no_traceback: None) -> None:
    with full_backlog() as url:
        async with open_service(a1111_base_url=url, a1111_timeout=0.2) as service:
            assert_ours(await service.ask("GET", PATH), 504)


@pytest.fixture(scope="module")
async def narrow_service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, max_body_mb=0.1) as service:
        yield service


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("path", [PATH, "/internal/progress", "/sdapi/v1/png-info", "/controlnet/detect"])
async def test_check_16_a_body_over_the_limit(
    narrow_service: Service, upstream: ScriptedA1111, no_traceback: None, path: str, base: str
) -> None:
    for method in ("POST", "PUT", "GET"):
        got = await narrow_service.ask(method, base + path, b"x" * 100_001)
        assert assert_ours(got, 413)["error"] == "The body is over 0.1 MB"
    assert not upstream.seen
    assert (await narrow_service.ask("POST", base + path, b"x" * 100_000)).status == 200


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("path", [PATH, "/sdapi/v1/png-info"])
async def test_check_16_chunks_over_the_limit(
    narrow_service: Service, upstream: ScriptedA1111, no_traceback: None, path: str, base: str
) -> None:
    chunk = b"4e20\r\n" + b"x" * 20_000 + b"\r\n"
    async with narrow_service.connect() as client:
        heard = await client.ask(
            f"POST {base}{path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunk * 6
        )
    assert (heard.status, heard.json()["error"]) == (413, "The body is over 0.1 MB")
    # Whatever went up of it was no whole request.
    assert not upstream.seen


async def test_a_length_over_the_limit_is_refused_before_the_body(narrow_service: Service) -> None:
    async with narrow_service.connect() as client:
        heard = await client.ask(f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n".encode())
    assert heard.status == 413


async def test_an_upstream_that_dies_while_many_wait_frees_them_all(
    service: Service, upstream: ScriptedA1111, no_traceback: None
) -> None:
    gate = asyncio.Event()
    upstream.standing = replace(CUT_OFF["hangs up"], gate=gate)
    asked = [asyncio.create_task(service.ask("GET", PATH)) for _ in range(30)]
    await upstream.wait_for(30)
    gate.set()
    for got in await asyncio.gather(*asked):
        assert_ours(got, 502, upstream)
