"""The service byte for byte: HTTP/1.0 and 1.1, header names, lengths, connections. Checks 6, 17, 26 and 28."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest
import structlog

from fakes.a1111 import ScriptedA1111, said
from fakes.clients import Heard, RawClient, post
from pico_a1111_proxy.web.server import open_socket
from service import RAW, TXT2IMG, Service

ACCEPT_RAW = f"Accept: {RAW}"
CLOSE = "Connection: close"
HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"

# Every header that any answer of ours carries, as it must be spelt.
SPELLINGS = {
    *("Date", "Content-Length", "Content-Type", "Connection", "Vary", "ETag", "X-Request-Id", "X-Cache", "Allow"),
    *("X-Image-Width", "X-Image-Height", "X-Image-Format", "X-Image-Count", "X-Image-Seed", "Retry-After"),
}

REQUESTS = {
    "a frame": (post(TXT2IMG, b"{}", ACCEPT_RAW), 200),
    "json": (post(TXT2IMG, b"{}"), 200),
    "a preview": (post(TXT2IMG, b"{}", "Accept: image/png"), 200),
    "the original": (post(TXT2IMG + "?answer=original", b"{}"), 200),
    "a bad body": (post(TXT2IMG, b"{"), 422),
    "a bad option": (post(TXT2IMG + "?fit=x", b"{}"), 422),
    "no such route": (b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
    "no such method": (b"PUT /sdapi/v1/txt2img HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405),
    "health": (HEALTH, 200),
    "the head of health": (b"HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    "the head of the front door": (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    "the head of nothing": (b"HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
    "docs": (b"GET /docs HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    "no HTTP at all": (b"hello\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "a bad header": (b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", 400),
    "a bad length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
    "bad chunks": (b"POST %b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" % TXT2IMG.encode(), 400),
    "endless headers": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 66_000, 431),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_check_28_header_names_are_title_case_on_every_answer(service: Service, name: str) -> None:
    request, status = REQUESTS[name]
    async with service.connect() as client:
        heard = await client.ask(request)
    assert heard.status == status
    assert set(heard.names) <= SPELLINGS
    assert len(heard.names) == len(set(heard.names))
    assert {"Content-Length", "Content-Type", "Date"} - set(heard.names) <= ({"Date"} if status == 400 else set())
    if status >= 400 and not request.startswith(b"HEAD"):
        assert set(heard.json()) == {"error", "code", "detail"}
        assert heard.json()["code"] == status


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize("how", ["frame", "json", "original"])
async def test_check_28_the_upstreams_errors_too(
    service: Service, upstream: ScriptedA1111, how: str, status: int
) -> None:
    upstream.standing = said({"detail": "no"}, status, ("retry-after", "5"), ("x-process-time", "1"), ("eTAG", "x"))
    async with service.connect() as client:
        heard = await client.ask(post(f"{TXT2IMG}?answer={how}", b"{}"))
    assert set(heard.names) <= SPELLINGS | {"X-Process-Time"}
    assert heard["Retry-After"] == "5"


async def test_the_head_of_health_is_that_of_its_body(service: Service) -> None:
    async with service.connect() as client:
        whole = await client.ask(HEALTH)
        head = await client.ask(b"HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n")
        # Nothing was left over on the connection.
        again = await client.ask(HEALTH)
    assert head["Content-Length"] == whole["Content-Length"] == str(len(whole.body))
    assert (head["Content-Type"], again.status) == (whole["Content-Type"], 200)


async def _closes(client: RawClient) -> bool:
    return await client.hear_rest() == b""


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("more", [(), ("Connection: keep-alive",), (CLOSE,), ("Accept-Encoding: gzip, deflate, br",)])
async def test_check_17_and_26_a_frame_has_one_length_and_no_coding(
    service: Service, version: str, more: tuple[str, ...]
) -> None:
    async with service.connect() as client:
        # The client itself fails on an answer with Transfer-Encoding or without one Content-Length.
        heard = await client.ask(post(TXT2IMG, b"{}", ACCEPT_RAW, *more, version=version))
        assert (heard.version, heard.status, len(heard.body)) == ("HTTP/1.1", 200, 115200)
        assert "Content-Encoding" not in heard.names
        if version == "1.0" or CLOSE in more:
            assert heard["Connection"] == "close"
            assert await _closes(client)
        else:
            assert (await client.ask(HEALTH)).status == 200


async def test_check_17_an_http_1_0_client_that_reads_to_the_end(service: Service) -> None:
    async with service.connect() as client:
        await client.send(post(TXT2IMG, b"{}", ACCEPT_RAW, version="1.0"))
        everything = await client.hear_rest()
    head, _, frame = everything.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(frame) == 115200


CHUNKED = f"POST {TXT2IMG} HTTP/1.1\r\nHost: a\r\n{ACCEPT_RAW}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


async def test_check_17_a_chunked_request(service: Service, upstream: ScriptedA1111) -> None:
    chunks = b'1;name=value\r\n{\r\n8\r\n"prompt"\r\n4\r\n:"a"\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n'
    async with service.connect() as client:
        heard = await client.ask(CHUNKED + chunks)
        assert (heard.status, len(heard.body)) == (200, 115200)
        assert (await client.ask(HEALTH)).status == 200
    assert upstream.seen[0].body == b'{"prompt":"a"}'
    assert upstream.seen[0].header("content-length") == "14"


async def test_check_17_expect_100_continue(service: Service, upstream: ScriptedA1111) -> None:
    body = b'{"prompt": "a"}'
    head = f"POST {TXT2IMG} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    async with service.connect() as client:
        await client.send(head.encode())
        assert (await client.hear_line()).startswith(b"HTTP/1.1 100 ")
        assert await client.hear_line() == b"\r\n"
        assert (await client.ask(body)).status == 200
        # A client may also not wait for it.
        assert (await client.ask(head.encode() + body)).status == 200
    assert [seen.body for seen in upstream.seen] == [body, body]


@pytest.mark.parametrize("path", [TXT2IMG + "/", TXT2IMG + "//", "/sdapi/v1/img2img/"])
async def test_check_06_a_trailing_slash_is_no_redirect(service: Service, upstream: ScriptedA1111, path: str) -> None:
    async with service.connect() as client:
        heard = await client.ask(post(path + "?x=1", b"{}", ACCEPT_RAW))
        assert (heard.status, len(heard.body)) == (200, 115200)
        assert (await client.ask(b"GET /health/ HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
    assert upstream.seen[0].target == path.rstrip("/") + "?x=1"


async def test_one_connection_serves_many_requests(service: Service) -> None:
    async with service.connect() as client:
        for request, status in REQUESTS.values():
            if status not in (400, 431):
                assert (await client.ask(request)).status == status


async def test_pipelined_requests_are_answered_in_order(service: Service, upstream: ScriptedA1111) -> None:
    async with service.connect() as client:
        await client.send(
            post(TXT2IMG, b'{"a":1}', ACCEPT_RAW)
            + HEALTH
            + post(TXT2IMG, b'{"a":2}')
            + b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        heard = [await client.hear() for _ in range(4)]
    assert [(answer.status, answer["Content-Type"]) for answer in heard] == [
        (200, RAW),
        *[(200, "application/json")] * 2,
        (404, "application/json"),
    ]
    assert [seen.body for seen in upstream.seen] == [b'{"a":1}', b'{"a":2}']


async def test_an_offer_to_upgrade_is_passed_over(service: Service) -> None:
    async with service.connect() as client:
        offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
        assert (await client.ask(post(TXT2IMG, b"{}", *offer))).status == 200


LEAVINGS = {
    "in the head": b"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: a\r\nContent-Le",
    "in the body": b"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
    "in a chunk": CHUNKED + b"50\r\n{",
    "before a word": b"",
}


@pytest.mark.parametrize("where", LEAVINGS)
@pytest.mark.parametrize("how", ["with a RST", "quietly"])
async def test_a_client_that_leaves_costs_nothing(
    service: Service, upstream: ScriptedA1111, caplog: pytest.LogCaptureFixture, where: str, how: str
) -> None:
    with structlog.testing.capture_logs() as lines:
        async with service.connect() as client:
            await client.send(LEAVINGS[where])
            # An answer on another connection: by now the service has read what the first one sent.
            await service.health()
            client.leave() if how == "with a RST" else client.finish()
            for _ in range(3):
                await service.health()
        assert (await service.frame()).status == 200
    assert len(upstream.seen) == 1
    told = [line for line in lines if line.get("path") == TXT2IMG]
    # The frame at the end, and before it at most the one line about who left.
    assert told[-1]["status"] == 200
    assert [line["status"] for line in told[:-1]] == ([499] if where in ("in the body", "in a chunk") else [])
    assert not [line for line in lines if line["log_level"] == "error"]
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]


async def test_a_client_that_leaves_while_it_is_drawn(
    service: Service, upstream: ScriptedA1111, caplog: pytest.LogCaptureFixture
) -> None:
    gate = asyncio.Event()
    upstream.script = [replace(said({"images": []}), gate=gate)]
    async with service.connect() as client:
        await client.send(post(TXT2IMG, b"{}", ACCEPT_RAW))
        await upstream.wait_for(1)
        client.leave()
    gate.set()
    assert (await service.frame()).status == 200
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("request_line", [TXT2IMG, "/nothing"])
async def test_junk_after_an_early_answer(
    service: Service, caplog: pytest.LogCaptureFixture, request_line: str
) -> None:
    """The answer is out when the rest of the body turns out to be no HTTP."""
    async with service.connect() as client:
        head = f"PUT {request_line} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert (await client.ask(head.encode())).status in (404, 405)
        await client.send(b"zz\r\n")
        assert await _closes(client)
    assert not [record for record in caplog.records if record.exc_info]


async def test_small_answers_are_not_held_back() -> None:
    """Nagle's delay would cost 40 ms on every small answer of a kept-alive connection."""
    listener = open_socket("127.0.0.1", 0)
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async with await asyncio.start_server(meet, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert await asyncio.wait_for(accepted, 10)
        writer.close()


def test_heard_finds_names_by_their_exact_spelling() -> None:
    heard = Heard("HTTP/1.1", 200, (("Content-Type", "a"),), b"")
    assert heard["Content-Type"] == "a"
    with pytest.raises(ValueError, match="unpack"):
        heard["content-type"]
