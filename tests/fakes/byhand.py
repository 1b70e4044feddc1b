"""An upstream that the test plays byte by byte."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fakes.a1111 import SAMPLERS
from fakes.clients import PATIENCE, hold_little

NO_SAMPLERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"


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
    hold_little(listener)
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(upstream.serve, sock=listener)
    upstream.port = listener.getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        upstream.stop()
