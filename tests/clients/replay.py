"""Known clients on the wire: the head that each HTTP library writes, line for line, and answers as it hands them on."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from string import Formatter
from typing import Any
from urllib.parse import urlsplit

from fakes.a1111 import Reply, Seen

PATIENCE = 120  # seconds; reached only by a server that hangs


@dataclass(frozen=True)
class Library:
    """The lines of a request's head; one whose value the request does not have is left out."""

    lines: tuple[str, ...]
    compact: bool = False  # JSON as JavaScript writes it, not as Python does


REQUESTS = Library(
    (
        "Host: {host}",
        "User-Agent: python-requests/2.34.2",
        "Accept-Encoding: gzip, deflate",
        "Accept: */*",
        "Connection: keep-alive",
        "Content-Length: {length}",
        "Content-Type: {type}",
        "Authorization: {authorization}",
    )
)
AIOHTTP = Library(
    (
        "Host: {host}",
        "authorization: {authorization}",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate, br",
        "User-Agent: Python/3.11 aiohttp/3.14.5",
        "Content-Length: {length}",
        "Content-Type: {type}",
    )
)
NODE_FETCH = Library(
    (
        "accept: */*",
        "accept-encoding: gzip, deflate, br",
        "authorization: {authorization}",
        "content-length: {length}",
        "content-type: {type}",
        "user-agent: node-fetch",
        "Host: {host}",
        "Connection: keep-alive",
    ),
    compact=True,
)
AXIOS = Library(
    (
        "Accept: application/json, text/plain, */*",
        "Content-Type: {type}",
        "User-Agent: axios/1.21.1",
        "Content-Length: {length}",
        "Accept-Encoding: gzip, compress, deflate, br",
        "Host: {host}",
        "Connection: keep-alive",
    ),
    compact=True,
)
CHROME_NAME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
CHROME = Library(
    (
        "Host: {host}",
        "Connection: keep-alive",
        "Content-Length: {length}",
        'sec-ch-ua-platform: "Linux"',
        f"User-Agent: {CHROME_NAME}",
        'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"',
        "Content-Type: {type}",
        "sec-ch-ua-mobile: ?0",
        "Accept: */*",
        "Origin: {origin}",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Dest: empty",
        "Referer: {origin}/",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-US,en;q=0.9",
    ),
    compact=True,
)
CHROME_PREFLIGHT = Library(
    (
        "Host: {host}",
        "Connection: keep-alive",
        "Accept: */*",
        "Access-Control-Request-Method: {asked_method}",
        "Access-Control-Request-Headers: content-type",
        "Origin: {origin}",
        f"User-Agent: {CHROME_NAME}",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Dest: empty",
        "Referer: {origin}/",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-US,en;q=0.9",
    )
)


@dataclass(frozen=True)
class Answer:
    """What a client is given: its HTTP library has joined the chunks and inflated the body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        return json.loads(self.body)


class Exchange:
    """One request that has been sent, and its answer if the client stays for it."""

    def __init__(self, method: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._method = method
        self._reader = reader
        self._writer = writer

    async def hear(self) -> Answer:
        return await asyncio.wait_for(self._hear(), PATIENCE)

    def abort(self) -> None:
        """Drop the connection, as an aborted fetch does."""
        self._writer.close()

    async def _hear(self) -> Answer:
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        empty = Answer(int(first.split(" ")[1]), headers, b"")
        if self._method == "HEAD" or empty.status in (204, 304):
            return empty
        body = await self._read_body(empty)
        return replace(empty, body=gzip.decompress(body) if empty.header("content-encoding") == "gzip" else body)

    async def _read_body(self, answer: Answer) -> bytes:
        if answer.header("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self._reader.readline(), 16):
                body += await self._reader.readexactly(size)
                assert await self._reader.readline() == b"\r\n"
            return body
        length = answer.header("content-length")
        return await (self._reader.read() if length is None else self._reader.readexactly(int(length)))


@dataclass(frozen=True)
class Client:
    """A client with the base URL that a person gave it; it opens a connection for each request."""

    base: str
    library: Library
    authorization: str | None = None
    origin: str | None = None

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path)

    async def post(self, path: str, document: Any = None) -> Answer:
        return await self.ask("POST", path, document)

    async def ask(self, method: str, path: str, document: Any = None, **values: str) -> Answer:
        async with self.begin(method, path, document, **values) as exchange:
            return await exchange.hear()

    @asynccontextmanager
    async def begin(self, method: str, path: str, document: Any = None, **values: str) -> AsyncIterator[Exchange]:
        """Send it, without waiting for the answer; a POST without a document has an empty body."""
        address = urlsplit(self.base)
        body = b"" if document is None else self.write(document)
        given: dict[str, str | None] = {
            "host": address.netloc,
            "length": str(len(body)) if method == "POST" else None,
            "type": None if document is None else "application/json",
            "authorization": self.authorization,
            "origin": self.origin,
            **values,
        }
        head = [f"{method} {address.path + path or '/'} HTTP/1.1", *_fill(self.library.lines, given)]
        reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**26)
        try:
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            await writer.drain()
            yield Exchange(method, reader, writer)
        finally:
            writer.close()

    def write(self, document: Any) -> bytes:
        if self.library.compact:
            return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        return json.dumps(document).encode()


def _fill(lines: Iterable[str], given: dict[str, str | None]) -> list[str]:
    known = {name: value for name, value in given.items() if value is not None}
    return [
        line.format(**known) for line in lines if all(name in known for _, name, *_ in Formatter().parse(line) if name)
    ]


def hold(standing: Callable[[Seen], Reply], path: str, gate: asyncio.Event) -> Callable[[Seen], Reply]:
    """The same upstream, but what it says to `path` waits for the gate."""

    def held(seen: Seen) -> Reply:
        reply = standing(seen)
        return replace(reply, gate=gate) if seen.target.endswith(path) else reply

    return held
