"""Whether anything was sent: told only where it is certain, since what is unsent is sent elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import yarl

from fakes.a1111 import ScriptedA1111
from fakes.failures import CUT_OFF, NO_HTTP, SLOW, closed_port, full_backlog
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.proxy import RelayRequest
from pico_a1111_proxy.upstreams import wire
from pico_a1111_proxy.upstreams.a1111 import A1111
from pico_a1111_proxy.upstreams.stream import stream

Say = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Way = Callable[[aiohttp.ClientSession, str], Awaitable[Any]]


async def call(session: aiohttp.ClientSession, address: str) -> None:
    await wire.call(session, "POST", yarl.URL(address + "/x"), b"{}")


async def relay(session: aiohttp.ClientSession, address: str) -> None:
    body = Body()
    with pytest.raises(UpstreamError) as caught:
        await pass_on(session, address, body)
    assert not (caught.value.unsent and body.begun)
    raise caught.value


async def pass_on(session: aiohttp.ClientSession, address: str, body: Body) -> None:
    async with stream(session, RelayRequest("POST", "/x", (), body), yarl.URL(address + "/x"), None) as answer:
        async for _ in answer.body:
            pass


class Body:
    """A body of one piece that notes whether it was asked for."""

    def __init__(self) -> None:
        self.begun = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.begun:
            raise StopAsyncIteration
        self.begun = True
        return b"{}"


WAYS = pytest.mark.parametrize("way", [call, relay])


async def failure(way: Way, address: str, seconds: float = 20) -> UpstreamError:
    async with wire.open_session(seconds) as session:
        with pytest.raises(UpstreamError) as caught:
            await way(session, address)
    return caught.value


@asynccontextmanager
async def listening(say: Say) -> AsyncIterator[int]:
    """The port of somebody who says what `say` says."""
    server = await asyncio.start_server(say, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def speak_plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    writer.close()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


@WAYS
async def test_a_connection_that_is_refused(way: Way) -> None:
    with closed_port() as address:
        assert (await failure(way, address)).unsent


@WAYS
async def test_a_name_that_nobody_knows(way: Way) -> None:
    assert (await failure(way, "http://no-such-host.invalid:7860")).unsent


@WAYS
async def test_a_connection_that_is_not_made_in_time(way: Way) -> None:
    timeout = aiohttp.ClientTimeout(total=60, sock_connect=0.2)
    with full_backlog() as address:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            with pytest.raises(UpstreamTimeout) as caught:
                await way(session, address)
    assert caught.value.unsent


@WAYS
@pytest.mark.parametrize("say", [speak_plain, reset, hang_up])
async def test_tls_that_does_not_come_about(way: Way, say: Say) -> None:
    """A greeting goes out, and nothing of the request."""
    async with listening(say) as port:
        error = await failure(way, f"https://127.0.0.1:{port}")
    assert isinstance(error, UpstreamUnavailable)
    assert error.unsent


@WAYS
async def test_tls_that_is_not_made_in_time(way: Way) -> None:
    timeout = aiohttp.ClientTimeout(total=60, sock_connect=0.2)
    async with listening(say_nothing) as port, aiohttp.ClientSession(timeout=timeout) as session:
        with pytest.raises(UpstreamTimeout) as caught:
            await way(session, f"https://127.0.0.1:{port}")
    assert caught.value.unsent


@WAYS
@pytest.mark.parametrize("say", [reset, hang_up])
async def test_a_connection_that_ends_at_once_may_have_taken_it(way: Way, say: Say) -> None:
    async with listening(say) as port:
        assert not (await failure(way, f"http://127.0.0.1:{port}")).unsent


@pytest.mark.parametrize(("way", "name"), [*((call, n) for n in [*CUT_OFF, *NO_HTTP]), *((relay, n) for n in CUT_OFF)])
async def test_whatever_comes_afterwards_was_sent(way: Way, upstream: ScriptedA1111, name: str) -> None:
    upstream.standing = {**CUT_OFF, **NO_HTTP}[name]
    assert not (await failure(way, upstream.url)).unsent
    assert len(upstream.seen) == 1


async def generate(session: aiohttp.ClientSession, address: str) -> None:
    await A1111(session, address, None).generate(Job("txt2img", b"{}", default_display(240, 240, invert=True)))


@pytest.mark.parametrize("way", [generate, relay])
@pytest.mark.parametrize("name", SLOW)
async def test_and_so_was_what_is_not_answered_in_time(way: Way, upstream: ScriptedA1111, name: str) -> None:
    timeout = aiohttp.ClientTimeout(total=1, sock_connect=60)
    upstream.standing = SLOW[name]()
    async with aiohttp.ClientSession(timeout=timeout) as session:
        with pytest.raises(UpstreamTimeout) as caught:
            await way(session, upstream.url)
    assert not caught.value.unsent
