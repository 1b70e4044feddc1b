"""The wire to an upstream: what it is told of us, what is dropped, what its failures are called."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
import yarl

from fakes.a1111 import Reply, ScriptedA1111, answer
from fakes.failures import IN_TROUBLE, JSON, REJECTED, closed_port
from fakes.pictures import png
from pico_a1111_proxy import errors
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.upstreams import wire


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with wire.open_session(10) as session:
        yield session


def url(upstream: ScriptedA1111, path: str = "/x") -> yarl.URL:
    return yarl.URL(upstream.url + path, encoded=True)


async def test_what_it_is_told_of_us(session: aiohttp.ClientSession, upstream: ScriptedA1111) -> None:
    await wire.call(session, "GET", url(upstream))
    await wire.call(session, "POST", url(upstream), b"", {"Content-Type": "text/x", "Authorization": "Basic eDp5"})
    got, posted = [{name.lower(): value for name, value in seen.headers} for seen in upstream.seen]
    assert got.pop("connection") == posted.pop("connection") == "close"
    host = f"127.0.0.1:{upstream.port}"
    assert got == {"host": host, "user-agent": wire.USER_AGENT, "accept-encoding": "identity", "accept": "*/*"}
    more = {"authorization": "Basic eDp5", "content-type": "text/x", "content-length": "0"}
    assert posted == {**got, **more}


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("coding", ["gzip", "deflate", None])
async def test_an_answer_comes_as_plain_bytes(
    session: aiohttp.ClientSession, upstream: ScriptedA1111, coding: str | None, chunked: bool
) -> None:
    plain = answer(png()).body
    body = {"gzip": gzip.compress, "deflate": zlib.compress}.get(coding or "", bytes)(plain)
    headers = (JSON, ("content-encoding", coding)) if coding else (JSON,)
    upstream.standing = Reply(body=body, headers=headers, chunked=chunked)
    got = await wire.call(session, "GET", url(upstream))
    assert got.body == plain
    # How it was written is undone, and so not told.
    assert {name.lower() for name, _ in got.headers} == {"content-type"}


async def test_duplicate_headers_stay_and_those_of_the_connection_go(
    session: aiohttp.ClientSession, upstream: ScriptedA1111
) -> None:
    lines = ["Set-Cookie: a", "Set-Cookie: b", "TE: x", "Trailer: x", "Upgrade: x", "X-Hop: 1", "X-Stay: ü"]
    head = "\r\n".join(["HTTP/1.1 404 No", *lines, "Connection: close,  x-hop", "Content-Length: 2", "", ""])
    upstream.standing = Reply(raw=head.encode() + b"{}")
    got = await wire.call(session, "GET", url(upstream))
    assert (got.status, got.body) == (404, b"{}")
    assert got.headers == (("Set-Cookie", "a"), ("Set-Cookie", "b"), ("X-Stay", "ü"))


async def test_an_endless_answer_ends_here(session: aiohttp.ClientSession, upstream: ScriptedA1111) -> None:
    """A quarter of a megabyte of it would fill a quarter of a gigabyte, and another byte would be too many."""
    packer = zlib.compressobj()
    start = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    more = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    endless = start + more * (wire.MAX_ANSWER_BYTES // 2**20)
    upstream.standing = Reply(body=endless, headers=(("content-encoding", "deflate"),))
    with pytest.raises(errors.UpstreamNonsense, match="too large"):
        await wire.call(session, "GET", url(upstream))


async def test_tls_where_none_is_spoken(session: aiohttp.ClientSession) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(errors.UpstreamUnavailable) as caught:
            await wire.call(session, "GET", yarl.URL(f"https://127.0.0.1:{port}/x"))
    assert caught.value.detail == "It does not speak TLS: http:// instead of https:// is meant?"


async def test_nobody_there(session: aiohttp.ClientSession) -> None:
    with closed_port() as address, pytest.raises(errors.UpstreamUnavailable) as caught:
        await wire.call(session, "GET", yarl.URL(address))
    assert (str(caught.value), caught.value.detail) == (wire.UNAVAILABLE, "It refuses connections: is it running?")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *(
            (status, errors.UpstreamUnavailable)
            for status in (100, 101, 301, 304, 308, 500, 502, 503, 504, 599, 600, 999)
        ),
        *((status, errors.UpstreamNonsense) for status in (201, 202, 204, 206, 299)),
        *((status, errors.UpstreamRejected) for status in (400, 402, 403, 404, 405, 413, 422, 429, 499)),
        (401, errors.UpstreamUnauthorized),
    ],
)
def test_what_a_status_means(status: int, kind: type[errors.UpstreamError]) -> None:
    with pytest.raises(errors.UpstreamError) as caught:
        wire.accept(Answer(status, (), b""))
    assert type(caught.value) is kind
    # What could not be sent on, or would show where the upstream is, is not kept.
    assert (caught.value.answer is None) == (not 200 <= status < 600 or 300 <= status < 400)


def test_a_200_is_an_answer() -> None:
    good = Answer(200, (), b"anything")
    assert wire.accept(good) is good


@pytest.mark.parametrize("name", REJECTED)
def test_a_refusal_is_repeated_in_short(name: str) -> None:
    reply, words = REJECTED[name]
    with pytest.raises(errors.UpstreamRejected) as caught:
        wire.accept(Answer(reply.status, (), reply.body))
    assert str(caught.value) == words


@pytest.mark.parametrize("name", IN_TROUBLE)
def test_of_a_crash_only_its_name_is_told(name: str) -> None:
    reply = IN_TROUBLE[name]
    with pytest.raises(errors.UpstreamUnavailable) as caught:
        wire.accept(Answer(reply.status, (), reply.body))
    words = {
        "A1111 crashed": " (RuntimeError)",
        "Forge crashed": " (OutOfMemoryError)",
        "sd.cpp crashed": " (server_error)",
    }
    assert caught.value.detail == f"It answered {reply.status}{words.get(name, '')}"
