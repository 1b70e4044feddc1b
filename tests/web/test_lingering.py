"""An answer that comes before the body has been read reaches a client that goes on sending."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import ScriptedA1111
from fakes.bare import open_bare
from fakes.clients import PATIENCE, RawClient, open_raw_client, understand
from pico_a1111_proxy.web.deadlines import Patience
from pico_a1111_proxy.web.protocol import TitleCaseProtocol
from service import TXT2IMG, Service, open_service

SIZE = 5_000_000
LENGTH = f"Content-Length: {SIZE}"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
async def _strict(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, service_api_key="key", max_body_mb=0.1) as service:
        yield service


@pytest.fixture
def strict(_strict: Service, upstream: ScriptedA1111) -> Service:
    """The service with a key and a limit of 0.1 MB; `upstream` is as new."""
    return _strict


def send_blindly(port: int, data: bytes) -> bytes:
    """Write all of it, as a Pico does, and only then read to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(data)
        said = b""
        while piece := client.recv(65536):
            said += piece
        return said


def request(version: str, framing: str, *headers: str) -> bytes:
    """A POST of five megabytes."""
    lines = [f"POST {TXT2IMG} HTTP/{version}", "Host: a", framing, *headers]
    body = b"x" * SIZE if framing == LENGTH else b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, b"x" * SIZE)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


KEY = "X-API-Key: key"


@pytest.mark.parametrize(("headers", "status"), [((), 401), ((KEY,), 413)], ids=["401", "413"])
@pytest.mark.parametrize(("version", "framing"), [("1.0", LENGTH), ("1.1", LENGTH), ("1.1", CHUNKED)])
async def test_who_sends_blindly_reads_the_whole_refusal(
    strict: Service, upstream: ScriptedA1111, version: str, framing: str, headers: tuple[str, ...], status: int
) -> None:
    data = request(version, framing, *headers, "Connection: close")
    for _ in range(5):
        heard = understand(await asyncio.to_thread(send_blindly, strict.port, data))
        assert (heard.status, heard.json()["code"], heard["Connection"]) == (status, status, "close")
    assert not upstream.seen


async def test_who_keeps_its_connection_may_go_on(strict: Service) -> None:
    async with strict.connect() as client:
        for _ in range(3):
            assert (await client.ask(request("1.1", LENGTH))).status == 401
        assert (await client.ask(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200


@pytest.mark.parametrize("head", [b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n", b"PUT / HTTP/1.1\r\nHost: a\n\r\n"])
async def test_who_sends_no_http_reads_that(strict: Service, head: bytes) -> None:
    data = (head % SIZE if b"%d" in head else head) + b"x" * SIZE
    heard = understand(await asyncio.to_thread(send_blindly, strict.port, data))
    assert heard.status == 400


EARLY = b"POST /early HTTP/1.0\r\nContent-Length: 1000000000\r\n\r\n"


async def until_closed(client: RawClient) -> None:
    """Send until nobody takes it any more."""
    try:
        while True:
            await client.send(b"x" * 10_000)
    except ConnectionError:
        pass


class Told(TitleCaseProtocol):
    """Tells when a connection is lost."""

    lost: asyncio.Queue[bool]

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.put_nowait(True)


async def test_nobody_lingers_in_silence() -> None:
    class Brief(Told):
        linger_patience = Patience(1000, silence=0.1)
        lost: asyncio.Queue[bool] = asyncio.Queue()

    async with open_bare(Brief) as bare, open_raw_client(bare.port) as client:
        await client.send(EARLY)
        assert understand(await client.hear_rest()).status == 401
        assert await asyncio.wait_for(Brief.lost.get(), PATIENCE)


async def test_nobody_lingers_for_long() -> None:
    class Brief(TitleCaseProtocol):
        linger_patience = Patience(0.2)

    async with open_bare(Brief) as bare, open_raw_client(bare.port) as client:
        await client.send(EARLY)
        await asyncio.wait_for(until_closed(client), PATIENCE)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_nobody_sends_for_ever(version: bytes) -> None:
    class Small(TitleCaseProtocol):
        linger_patience = Patience(1000)
        most_thrown_away = 1_000_000

    async with open_bare(Small) as bare, open_raw_client(bare.port) as client:
        await client.send(EARLY.replace(b"1.0", version + b"\r\nHost: a"))
        await asyncio.wait_for(until_closed(client), PATIENCE)
    assert len(bare.seen) == 1


async def test_who_leaves_lets_go() -> None:
    class Long(Told):
        linger_patience = Patience(1000)
        lost: asyncio.Queue[bool] = asyncio.Queue()

    async with open_bare(Long) as bare, open_raw_client(bare.port) as client:
        await client.send(EARLY + b"x" * 100_000)
        assert understand(await client.hear_rest()).status == 401
        client.finish()
        assert await asyncio.wait_for(Long.lost.get(), PATIENCE)


async def test_a_service_that_stops_does_not_linger() -> None:
    class Long(Told):
        linger_patience = Patience(1000)
        lost: asyncio.Queue[bool] = asyncio.Queue()

    async with open_bare(Long) as bare, open_raw_client(bare.port) as client:
        await client.send(EARLY)
        assert understand(await client.hear_rest()).status == 401
        bare.stop()
        assert await asyncio.wait_for(Long.lost.get(), PATIENCE)


async def test_after_a_whole_request_nothing_lingers() -> None:
    class Long(Told):
        linger_patience = Patience(1000)
        lost: asyncio.Queue[bool] = asyncio.Queue()

    async with open_bare(Long) as bare, open_raw_client(bare.port) as client:
        await client.send(b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
        assert await asyncio.wait_for(Long.lost.get(), PATIENCE)
        assert understand(await client.hear_rest()).status == 200
