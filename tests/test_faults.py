"""The fault proxy: what its client sees, and what has reached the server behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fakes import faults
from fakes.a1111 import ScriptedA1111, answer, open_scripted_a1111
from fakes.byhand import open_by_hand
from fakes.clients import PATIENCE, open_raw_client, post, understand
from fakes.faults import Fault, FaultProxy, by_chance, open_fault_proxy
from fakes.pictures import encode, gradient

REQUEST = post("/sdapi/v1/txt2img", b'{"prompt": "' + b"x" * 200_000 + b'"}')
ANSWER = answer(encode(gradient()))
WHOLE = ANSWER.head() + ANSWER.sent_body()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedA1111]:
    async with open_scripted_a1111() as server:
        server.standing = ANSWER
        yield server


@pytest.fixture
async def proxy(server: ScriptedA1111) -> AsyncIterator[FaultProxy]:
    async with open_fault_proxy(server.port) as proxy:
        yield proxy


async def ask(proxy: FaultProxy, request: bytes = REQUEST) -> tuple[bytes, bool]:
    """What comes until the connection ends, and whether a RST ended it."""
    heard, reader, writer = b"", *await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(request)
        while piece := await asyncio.wait_for(reader.read(2**16), PATIENCE):
            heard += piece
    except ConnectionError:
        return heard, True
    finally:
        writer.close()
    return heard, False


@pytest.mark.parametrize("kind", [faults.NONE, faults.LATE_REQUEST, faults.LATE_ANSWER, faults.DRIP])
async def test_what_is_slow_at_most_is_whole(proxy: FaultProxy, server: ScriptedA1111, kind: str) -> None:
    proxy.script = [Fault(kind, 0.01)]
    assert await ask(proxy) == (WHOLE, False)
    assert [len(seen.body) for seen in server.seen] == [len(REQUEST.partition(b"\r\n\r\n")[2])]
    assert (proxy.begun, proxy.whole, proxy.met) == (1, 1, {kind: 1})


@pytest.mark.parametrize(
    ("kind", "begun"), [(faults.REFUSED, 0), (faults.RESET_AT_HEAD, 1)], ids=["refused", "at the head"]
)
async def test_before_the_request_is_whole_the_server_has_not_got_it(
    proxy: FaultProxy, server: ScriptedA1111, kind: str, begun: int
) -> None:
    proxy.script = [Fault(kind)]
    assert await ask(proxy) == (b"", True)
    assert await ask(proxy) == (WHOLE, False)  # by now the server has seen what it ever will of the first one
    assert (len(server.seen), proxy.begun, proxy.whole) == (1, begun + 1, 1)


async def test_a_request_without_a_body_is_not_whole_either(proxy: FaultProxy, server: ScriptedA1111) -> None:
    proxy.script = [Fault(faults.RESET_AT_HEAD)]
    assert await ask(proxy, b"GET /sdapi/v1/options HTTP/1.1\r\nHost: a\r\n\r\n") == (b"", True)
    assert await ask(proxy) == (WHOLE, False)
    assert [seen.method for seen in server.seen] == ["POST"]


@pytest.mark.parametrize("chunked", [False, True], ids=["by length", "in chunks"])
async def test_at_the_end_of_the_request_the_server_has_it(
    proxy: FaultProxy, server: ScriptedA1111, chunked: bool
) -> None:
    gate = asyncio.Event()
    server.standing = replace(ANSWER, gate=gate)
    request = REQUEST
    if chunked:
        request = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    proxy.script = [Fault(faults.RESET_AT_END)]
    assert await ask(proxy, request) == (b"", True)
    await server.wait_for(1)  # although nobody waits for its answer any more
    gate.set()
    assert (proxy.begun, proxy.whole) == (1, 1)
    assert server.seen[0].body == (b"hello" if chunked else request.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("kind", "reset"), [(faults.HALF_THEN_CLOSED, False), (faults.HALF_THEN_RESET, True)], ids=["closed", "reset"]
)
async def test_half_an_answer(proxy: FaultProxy, server: ScriptedA1111, kind: str, reset: bool) -> None:
    server.standing = replace(ANSWER, keep_alive=True)  # who reads to the end of the connection would wait for it
    proxy.script = [Fault(kind)]
    heard, was_reset = await ask(proxy)
    assert was_reset == reset
    if not reset:  # a RST may take what has come along with it
        head, _, body = heard.partition(b"\r\n\r\n")
        assert f"content-length: {len(ANSWER.body)}".encode() in head
        assert body == ANSWER.body[: len(ANSWER.body) // 2]
    assert (len(server.seen), proxy.whole) == (1, 1)


async def test_junk_is_no_http(proxy: FaultProxy, server: ScriptedA1111) -> None:
    proxy.script = [Fault(faults.JUNK_ANSWER)]
    heard, was_reset = await ask(proxy)
    assert (heard, was_reset, len(server.seen)) == (faults.JUNK, False, 1)
    with pytest.raises(Exception, match="illegal"):
        understand(heard, "POST")


async def test_silence_lasts_until_the_client_leaves(proxy: FaultProxy, server: ScriptedA1111) -> None:
    proxy.script = [Fault(faults.SILENCE)]
    async with open_raw_client(proxy.port) as client:
        await client.send(REQUEST)
        await server.wait_for(1)
        assert await ask(proxy) == (WHOLE, False)
        client.finish()
        assert await client.hear_rest() == b""


async def test_more_requests_on_one_connection(proxy: FaultProxy, server: ScriptedA1111) -> None:
    server.standing = replace(ANSWER, keep_alive=True)
    async with open_raw_client(proxy.port) as client:
        for _ in range(3):
            assert (await client.ask(REQUEST)).body == ANSWER.body
    assert (proxy.whole, server.connections, proxy.met) == (3, 1, {faults.NONE: 1})


async def test_nobody_listens(proxy: FaultProxy) -> None:
    async with proxy.refusing():
        with pytest.raises(ConnectionRefusedError):
            await ask(proxy)
    assert await ask(proxy) == (WHOLE, False)


async def test_a_client_that_leaves_leaves_the_server_too() -> None:
    async with open_by_hand() as server, open_fault_proxy(server.port) as proxy, open_raw_client(proxy.port) as client:
        await client.send(REQUEST)
        exchange = await server.next()
        await exchange.read(len(REQUEST.partition(b"\r\n\r\n")[2]))
        client.leave()
        assert await exchange.hear_rest() == b""


def test_chance_is_the_same_for_the_same_seed() -> None:
    weights = {Fault(faults.NONE): 3.0, Fault(faults.SILENCE): 1.0}
    one, same, other = (by_chance(seed, weights) for seed in (1, 1, 2))
    drawn = [one() for _ in range(100)]
    assert drawn == [same() for _ in range(100)]
    assert drawn != [other() for _ in range(100)]
    assert set(drawn) == set(weights)


def test_a_fault_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="is no fault"):
        Fault("slow")
