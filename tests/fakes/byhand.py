"""An upstream that the test plays byte by byte, a client that is slow, and answers read as strictly as can be."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11

from fakes.a1111 import SAMPLERS
from fakes.clients import PATIENCE, Heard, RawClient

NO_SAMPLERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"
LITTLE = 2**18  # bytes that a socket is told to hold


@dataclass
class Exchange:
    """One request that the test answers; `head` is all before its body."""

    head: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self, count: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(count), PATIENCE)

    async def read_some(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(2**16), PATIENCE)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear_rest(self) -> bytes:
        """What still comes until the service closes; a RST is an end as well."""
        rest = b""
        try:
            while piece := await asyncio.wait_for(self.reader.read(2**16), PATIENCE):
                rest += piece
        except ConnectionError:
            pass
        return rest

    def close(self) -> None:
        self.writer.close()


@dataclass
class ByHand:
    """An upstream on `port`: `next` gives the requests one after the other, and the test plays them."""

    port: int = 0
    _arrived: asyncio.Queue[Exchange] = field(default_factory=asyncio.Queue)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def next(self) -> Exchange:
        return await asyncio.wait_for(self._arrived.get(), PATIENCE)

    @property
    def asked(self) -> bool:
        """Whether a request waits to be played."""
        return not self._arrived.empty()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        if SAMPLERS.encode() in head.split(b"\r\n")[0]:
            writer.write(NO_SAMPLERS)
            writer.close()
            return
        self._arrived.put_nowait(Exchange(head, reader, writer))

    def stop(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def open_by_hand() -> AsyncIterator[ByHand]:
    """An upstream whose sockets hold little, so that what is held back shows soon."""
    upstream = ByHand()
    listener = socket.socket()
    for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        listener.setsockopt(socket.SOL_SOCKET, size, LITTLE)
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(upstream.serve, sock=listener)
    upstream.port = listener.getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        upstream.stop()


class SlowClient(RawClient):
    """A client that can leave bytes unread and unsent."""

    async def hear_exactly(self, count: int) -> bytes:
        return await asyncio.wait_for(self._reader.readexactly(count), PATIENCE)

    def pour(self, data: bytes) -> None:
        self._writer.write(data)

    def unsent(self) -> int:
        return self._writer.transport.get_write_buffer_size()


@asynccontextmanager
async def open_slow_client(port: int) -> AsyncIterator[SlowClient]:
    """A client whose socket holds little."""
    sock = socket.socket()
    for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        sock.setsockopt(socket.SOL_SOCKET, size, LITTLE)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=LITTLE)
    try:
        yield SlowClient(reader, writer)
    finally:
        writer.transport.abort()


def understand(data: bytes, method: str = "GET") -> Heard:
    """The one answer in `data`, after which the connection was closed.

    Raises h11.RemoteProtocolError where a client would see that it is incomplete, or no HTTP.
    """
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    event, body = connection.next_event(), b""
    while isinstance(event, h11.InformationalResponse):
        event = connection.next_event()
    assert isinstance(event, h11.Response)
    while isinstance(piece := connection.next_event(), h11.Data):
        body += piece.data
    assert isinstance(piece, h11.EndOfMessage)
    assert not connection.trailing_data[0]
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers.raw_items())
    return Heard(f"HTTP/{event.http_version.decode()}", event.status_code, headers, body)
