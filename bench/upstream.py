"""A fake A1111 that answers every POST with prepared bodies in turn, as fast as loopback carries them."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

SAMPLERS = b'[{"name": "Euler", "aliases": [], "options": {}}]'


class Answering(asyncio.Protocol):
    """One connection. A request's body is skipped by its Content-Length; pipelining is not expected."""

    def __init__(self, answers: Iterator[bytes]) -> None:
        self._answers = answers
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head.lower()):
            return
        answer = next(self._answers) if head.startswith(b"POST") else http(SAMPLERS)
        self._transport.write(answer)
        if b"connection: close" in head.lower():
            self._transport.close()
        self._read.clear()


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def http(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def serve(port: int, bodies: list[bytes]) -> None:
    answers = itertools.cycle([http(body) for body in bodies])
    server = await asyncio.get_running_loop().create_server(lambda: Answering(answers), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    # upstream.py PORT FILE...
    asyncio.run(serve(int(sys.argv[1]), [Path(name).read_bytes() for name in sys.argv[2:]]))
