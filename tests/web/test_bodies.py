"""The limit on bodies, kept early where it can be: check 16, the other half of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import ScriptedA1111
from service import TXT2IMG, Service, open_service

LIMIT = 10_000
FULL = b'{"prompt": "' + b"a" * (LIMIT - 14) + b'"}'


@pytest.fixture(scope="module")
async def narrow_service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, max_body_mb=LIMIT / 1e6) as service:
        yield service


@pytest.fixture
def narrow(narrow_service: Service, upstream: ScriptedA1111) -> Service:
    """The service with MAX_BODY_MB=0.01; `upstream` is as new."""
    return narrow_service


def chunked(*chunks: bytes) -> bytes:
    head = f"POST {TXT2IMG} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


async def test_check_16_up_to_the_limit_all_is_well(narrow: Service, upstream: ScriptedA1111) -> None:
    assert len(FULL) == LIMIT
    assert (await narrow.txt2img(FULL)).status == 200
    async with narrow.connect() as client:
        assert (await client.ask(chunked(FULL[:4000], FULL[4000:], b""))).status == 200
    assert [seen.body for seen in upstream.seen] == [FULL, FULL]


@pytest.mark.parametrize("how", ["original", "json", "frame"])
async def test_check_16_one_byte_more_is_a_413(narrow: Service, upstream: ScriptedA1111, how: str) -> None:
    got = await narrow.txt2img(FULL + b" ", f"?answer={how}")
    assert got.status == 413
    assert got.json() == {"error": "The body is over 0.01 MB", "code": 413, "detail": "The body is over 0.01 MB"}
    async with narrow.connect() as client:
        heard = await client.ask(chunked(FULL, b" "))
        assert (heard.status, heard.json()) == (413, got.json())
        # What still comes of it is read, and the connection is good for more.
        await client.send(b"5\r\nmore \r\n0\r\n\r\n")
        assert (await client.ask(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
    assert not upstream.seen


async def test_check_16_a_length_over_the_limit_is_refused_before_the_body(narrow: Service) -> None:
    async with narrow.connect() as client:
        head = f"POST {TXT2IMG} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10001\r\n\r\n"
        assert (await client.ask(head.encode())).status == 413


async def test_an_endless_body_is_refused_while_it_comes(narrow: Service, upstream: ScriptedA1111) -> None:
    async with narrow.connect() as client:
        await client.send(chunked(*[b"a" * 1000] * 11))
        assert (await client.hear()).status == 413
    assert not upstream.seen
