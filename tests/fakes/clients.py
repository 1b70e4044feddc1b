"""Clients that show what is really on the wire: some that speak bytes, and MicroPython's requests, old and new."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import h11

PATIENCE = 30  # seconds; reached only by a service that hangs
LITTLE = 2**18  # bytes that a socket is told to hold


@dataclass(frozen=True)
class Heard:
    """An answer as it came: header names in their case, in their order."""

    version: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __getitem__(self, name: str) -> str:
        """The one header of exactly this spelling."""
        (value,) = [value for key, value in self.headers if key == name]
        return value

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.headers]

    def json(self) -> Any:
        return json.loads(self.body)


class RawClient:
    """A connection to the service on which a test writes the bytes itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def ask(self, data: bytes) -> Heard:
        await self.send(data)
        return await self.hear(head=data.startswith(b"HEAD "))

    async def hear(self, head: bool = False) -> Heard:
        """Read one answer by its one Content-Length: 1xx is passed over, and to HEAD no body comes."""
        status = 100
        while status < 200:
            version, status, headers = await self._hear_head()
        names = [name.lower() for name, _ in headers]
        assert "transfer-encoding" not in names
        assert names.count("content-length") == 1
        length = int(headers[names.index("content-length")][1])
        body = b"" if head else await asyncio.wait_for(self._reader.readexactly(length), PATIENCE)
        return Heard(version, status, headers, body)

    async def hear_line(self) -> bytes:
        return await asyncio.wait_for(self._reader.readline(), PATIENCE)

    async def hear_rest(self) -> bytes:
        """What still comes until the service closes."""
        return await asyncio.wait_for(self._reader.read(), PATIENCE)

    async def hear_until_cut(self) -> bytes:
        """The same for who goes on sending, whom a RST may meet after what was said."""
        heard = b""
        with suppress(ConnectionError):
            while piece := await asyncio.wait_for(self._reader.read(2**16), PATIENCE):
                heard += piece
        return heard

    def leave(self) -> None:
        """Hang up with a RST."""
        self._writer.transport.abort()

    def finish(self) -> None:
        """Say that nothing more will come."""
        self._writer.write_eof()

    async def _hear_head(self) -> tuple[str, int, tuple[tuple[str, str], ...]]:
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), PATIENCE)
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        version, status, _ = first.split(" ", 2)
        headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        return version, int(status), headers


@asynccontextmanager
async def open_raw_client(port: int) -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.close()


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
    hold_little(sock)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=LITTLE)
    try:
        yield SlowClient(reader, writer)
    finally:
        writer.transport.abort()


def hold_little(sock: socket.socket) -> None:
    """So that what is held back shows soon."""
    for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        sock.setsockopt(socket.SOL_SOCKET, size, LITTLE)


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


def post(path: str, body: bytes, *headers: str, version: str = "1.1") -> bytes:
    """The bytes of a POST with a Content-Length."""
    lines = [f"POST {path} HTTP/{version}", "Host: pico", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class MicroPythonResponse:
    """What a maker's script sees; `headers` keeps the case of the wire."""

    status_code: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


async def micropython_request(
    port: int, method: str, path: str, document: Any = None, headers: Mapping[str, str] | None = None, *, old: bool
) -> MicroPythonResponse:
    """MicroPython's `requests.request`.

    The old one speaks HTTP/1.0, knows `Transfer-Encoding` and `Location` by that spelling only, refuses the first
    and reads to the end of the connection. The new one speaks 1.1 and reads by the Content-Length, or chunks.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b"" if document is None else json.dumps(document).encode()
    lines = [f"{method} {path} HTTP/{'1.0' if old else '1.1'}", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
    try:
        return await asyncio.wait_for(_read_as_micropython(reader, old), PATIENCE)
    finally:
        writer.close()


async def _read_as_micropython(reader: asyncio.StreamReader, old: bool) -> MicroPythonResponse:
    status = int((await reader.readline()).split(None, 2)[1])
    headers: dict[str, str] = {}
    while (line := (await reader.readline()).decode()) not in ("", "\r\n"):
        name, value = line.split(":", 1)
        headers[name] = value.strip()
    known = headers if old else {name.lower(): value for name, value in headers.items()}
    if old and "chunked" in known.get("Transfer-Encoding", ""):
        raise ValueError("Unsupported Transfer-Encoding")
    if not old and "content-length" in known:
        return MicroPythonResponse(status, headers, await reader.readexactly(int(known["content-length"])))
    if "chunked" in known.get("transfer-encoding", ""):
        return MicroPythonResponse(status, headers, await _read_chunks(reader))
    return MicroPythonResponse(status, headers, await reader.read())


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    return body
