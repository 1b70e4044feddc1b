"""The relay streams: both ways a piece at a time, held back by who is slow, ended by who leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from fakes.byhand import ByHand, Exchange, open_by_hand
from fakes.clients import PATIENCE, SlowClient, open_slow_client, understand
from service import Service, open_service

LARGE = 50_000_000
# What sockets and buffers on the way may hold, all together: they are the kernel's to size.
HELD_AT_MOST = 16_000_000
GET = b"GET /sdapi/v1/thing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST /sdapi/v1/thing HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n%b\r\nConnection: close\r\n\r\n"
LENGTH = b"Content-Length: %d"
CHUNKED = b"Transfer-Encoding: chunked"
MEGABYTE = b"m" * 1_000_000
FRAMINGS = {
    "length": (LENGTH % 8, b"abcd", b"efgh"),
    "chunks": (CHUNKED, b"4\r\nabcd\r\n", b"4\r\nefgh\r\n0\r\n\r\n"),
}


@pytest.fixture(scope="module")
async def _by_hand() -> AsyncIterator[tuple[ByHand, Service]]:
    async with open_by_hand() as upstream, open_service(a1111_base_url=upstream.url, max_body_mb=100) as service:
        yield upstream, service


@pytest.fixture
def by_hand(_by_hand: tuple[ByHand, Service]) -> ByHand:
    return _by_hand[0]


@pytest.fixture
def streaming(_by_hand: tuple[ByHand, Service]) -> Service:
    """The service before `by_hand`, with a MAX_BODY_MB of 100."""
    return _by_hand[1]


@asynccontextmanager
async def half_an_upload(
    streaming: Service, by_hand: ByHand, framing: str
) -> AsyncIterator[tuple[SlowClient, Exchange]]:
    """A client that has sent the head and the first half of its body, and the upstream, which has read them."""
    header, first, _ = FRAMINGS[framing]
    async with open_slow_client(streaming.port) as client:
        await client.send(POST % header + first)
        exchange = await by_hand.next()
        assert await exchange.read(len(first)) == first
        yield client, exchange


async def hear_head(client: SlowClient) -> list[bytes]:
    lines = []
    while (line := await client.hear_line()) not in (b"\r\n", b""):
        lines.append(line)
    return lines


async def until_still(service: Service, count: Callable[[], int]) -> int:
    """The figure that `count` gives when it has not moved while the service answered others many times."""
    still, before = 0, -1
    while still < 50:
        now = count()
        still, before = (still + 1, now) if now == before else (0, now)
        await service.health()
    return before


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_the_first_bytes_come_down_before_the_last_are_sent(
    streaming: Service, by_hand: ByHand, framing: str
) -> None:
    header, first, second = FRAMINGS[framing]
    async with open_slow_client(streaming.port) as client:
        await client.send(GET)
        exchange = await by_hand.next()
        await exchange.write(OK % header)
        head = await hear_head(client)
        assert head[0] == b"HTTP/1.1 200 OK\r\n"
        await exchange.write(first)
        if framing == "chunks":
            assert await client.hear_line() == b"4\r\n"
            assert await client.hear_line() == b"abcd\r\n"
            await exchange.write(second)
            assert await client.hear_rest() == second
        else:
            assert await client.hear_exactly(4) == b"abcd"
            await exchange.write(second)
            assert await client.hear_rest() == b"efgh"


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_the_first_bytes_go_up_before_the_last_are_sent(
    streaming: Service, by_hand: ByHand, framing: str
) -> None:
    header, _, second = FRAMINGS[framing]
    async with half_an_upload(streaming, by_hand, framing) as (client, exchange):
        assert header.lower() in exchange.head.lower()
        await client.send(second)
        expected = second if framing == "length" else b"4\r\nefgh\r\n0\r\n\r\n"
        assert await exchange.read(len(expected)) == expected
        await exchange.write(OK % (LENGTH % 2) + b"ok")
        assert (await client.hear()).body == b"ok"


async def test_an_answer_of_unknown_length_is_streamed_too(streaming: Service, by_hand: ByHand) -> None:
    async with open_slow_client(streaming.port) as client:
        await client.send(GET)
        exchange = await by_hand.next()
        await exchange.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n")
        assert b"Transfer-Encoding: chunked\r\n" in await hear_head(client)
        assert [await client.hear_line() for _ in range(3)] == [b"8\r\n", b"data: 1\n", b"\r\n"]
        exchange.close()
        assert await client.hear_rest() == b"0\r\n\r\n"


async def test_an_upstream_is_held_back_while_the_client_does_not_read(streaming: Service, by_hand: ByHand) -> None:
    async with open_slow_client(streaming.port) as client:
        await client.send(GET)
        exchange = await by_hand.next()
        written = 0

        async def pour() -> None:
            nonlocal written
            await exchange.write(OK % (LENGTH % LARGE))
            while written < LARGE:
                await exchange.write(MEGABYTE)
                written += len(MEGABYTE)

        pouring = asyncio.create_task(pour())
        held = await until_still(streaming, lambda: written)
        assert held < HELD_AT_MOST
        heard = understand(await client.hear_rest())
        assert len(heard.body) == LARGE
        await pouring
        exchange.close()


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_client_is_held_back_while_the_upstream_does_not_read(
    streaming: Service, by_hand: ByHand, framing: str
) -> None:
    written = 0
    header, piece, end = (
        (LENGTH % LARGE, MEGABYTE, b"")
        if framing == "length"
        else (CHUNKED, b"%x\r\n%b\r\n" % (len(MEGABYTE), MEGABYTE), b"0\r\n\r\n")
    )
    async with open_slow_client(streaming.port) as client:

        async def pour() -> None:
            nonlocal written
            await client.send(POST % header)
            while written < LARGE:
                await client.send(piece)
                written += len(MEGABYTE)
            await client.send(end)

        pouring = asyncio.create_task(pour())
        exchange = await by_hand.next()
        assert await until_still(streaming, lambda: written) < HELD_AT_MOST
        taken = 0
        while taken < LARGE:
            taken += (await exchange.read_some()).count(b"m")
        await pouring
        await exchange.write(OK % (LENGTH % 2) + b"ok")
        assert (await client.hear()).body == b"ok"


@pytest.mark.parametrize("when", ["before the answer", "in the answer", "while it does not read"])
async def test_when_a_client_leaves_the_upstream_is_let_go(streaming: Service, by_hand: ByHand, when: str) -> None:
    async with open_slow_client(streaming.port) as client:
        await client.send(GET)
        exchange = await by_hand.next()
        if when != "before the answer":
            await exchange.write(OK % (LENGTH % LARGE) + b"m")
            await hear_head(client)
        if when == "while it does not read":
            exchange.writer.write(MEGABYTE * 40)
            await until_still(streaming, exchange.writer.transport.get_write_buffer_size)
        client.leave()
        assert await exchange.hear_rest() == b""
        exchange.writer.transport.abort()


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_client_that_leaves_in_its_upload(streaming: Service, by_hand: ByHand, framing: str) -> None:
    async with half_an_upload(streaming, by_hand, framing) as (client, exchange):
        client.leave()
        assert b"0\r\n" not in await exchange.hear_rest()
        exchange.close()


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_client_that_leaves_in_the_answer_to_half_its_upload(
    streaming: Service, by_hand: ByHand, framing: str
) -> None:
    async with half_an_upload(streaming, by_hand, framing) as (client, exchange):
        await exchange.write(OK % (LENGTH % LARGE) + b"m")
        await hear_head(client)
        client.leave()
        await exchange.hear_rest()
        exchange.writer.transport.abort()


async def test_a_client_that_leaves_while_the_upstream_does_not_read_its_upload(
    streaming: Service, by_hand: ByHand
) -> None:
    async with open_slow_client(streaming.port) as client:
        client.pour(POST % (LENGTH % LARGE) + MEGABYTE * 50)
        exchange = await by_hand.next()
        await until_still(streaming, client.unsent)
        assert client.unsent() > LARGE - HELD_AT_MOST
        client.leave()
        # It reads on now, and finds that nobody is there: what was on the way comes, and the end.
        assert len(await exchange.hear_rest()) < LARGE
        exchange.close()


async def test_an_upstream_that_never_reads_an_upload_is_too_slow(by_hand: ByHand) -> None:
    async with open_service(a1111_base_url=by_hand.url, a1111_timeout=0.2, max_body_mb=100) as service:
        async with open_slow_client(service.port) as client:
            client.pour(POST % (LENGTH % LARGE) + MEGABYTE * 50)
            exchange = await by_hand.next()
            heard = await client.hear()
            assert (heard.status, heard.json()["code"]) == (504, 504)
        exchange.close()


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_an_upstream_that_answers_before_the_body_is_whole(
    streaming: Service, by_hand: ByHand, framing: str
) -> None:
    async with half_an_upload(streaming, by_hand, framing) as (client, exchange):
        await exchange.write(b"HTTP/1.1 413 No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbig!")
        heard = await client.hear()
        assert (heard.status, heard.body) == (413, b"big!")
        assert await exchange.hear_rest() == b""
        exchange.close()


async def test_a_long_answer_to_a_client_that_reads_slowly_is_whole(streaming: Service, by_hand: ByHand) -> None:
    pieces = [bytes([n]) * 70_001 for n in range(60)]
    async with open_slow_client(streaming.port) as client:
        await client.send(GET)
        exchange = await by_hand.next()

        async def pour() -> None:
            await exchange.write(OK % CHUNKED)
            for piece in pieces:
                await exchange.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await exchange.write(b"0\r\n\r\n")

        pouring = asyncio.create_task(pour())
        await until_still(streaming, lambda: 0)
        assert understand(await client.hear_rest()).body == b"".join(pieces)
        await asyncio.wait_for(pouring, PATIENCE)
        exchange.close()


async def test_check_54_nothing_is_left_of_200_requests(streaming: Service, by_hand: ByHand) -> None:
    async def ask() -> None:
        asking = asyncio.create_task(streaming.ask("POST", "/sdapi/v1/thing", b"{}"))
        exchange = await by_hand.next()
        await exchange.read(2)
        await exchange.write(OK % CHUNKED + b"2\r\n[]\r\n0\r\n\r\n")
        assert await exchange.hear_rest() == b""
        exchange.close()
        assert (await asking).body == b"[]"

    await ask()
    before = await until_still(streaming, lambda: len(asyncio.all_tasks()))
    for _ in range(200):
        await ask()
    assert await until_still(streaming, lambda: len(asyncio.all_tasks())) <= before + 1
