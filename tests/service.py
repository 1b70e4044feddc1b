"""The service as the tests meet it: a real server on loopback, asked over sockets."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import yarl

from fakes.clients import RawClient, open_raw_client
from pico_a1111_proxy.settings import read_settings
from pico_a1111_proxy.web.server import Server, make_server, open_socket

RAW = "application/octet-stream"
TXT2IMG = "/sdapi/v1/txt2img"


@dataclass(frozen=True)
class Said:
    """An answer as it came over the wire: header names keep their case, and nothing is inflated."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    """A running service."""

    port: int
    session: aiohttp.ClientSession
    server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Said:
        """One request; a dict is sent as JSON, bytes as they are; `content_type="x"` gives a header."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            given.setdefault("content-type", "application/json")
        skipped = [] if "content-type" in given else ["content-type"]
        async with self.session.request(
            method,
            yarl.URL(self.url + path, encoded=True),
            headers=given,
            data=body and io.BytesIO(body),
            allow_redirects=False,
            skip_auto_headers=skipped,
        ) as got:
            names = {name.decode("latin-1"): value.decode("latin-1") for name, value in got.raw_headers}
            return Said(got.status, names, await got.read())

    async def txt2img(self, body: Any = None, query: str = "", **headers: str) -> Said:
        """POST txt2img as an ordinary client does."""
        return await self.ask("POST", TXT2IMG + query, {} if body is None else body, **headers)

    async def frame(self, body: Any = None, query: str = "", **headers: str) -> Said:
        """POST txt2img as a Pico does."""
        return await self.txt2img(body, query, accept=RAW, **headers)

    async def health(self) -> Any:
        return (await self.ask("GET", "/health")).json()

    def connect(self) -> AbstractAsyncContextManager[RawClient]:
        """A connection on which the test writes the bytes itself."""
        return open_raw_client(self.port)


@asynccontextmanager
async def open_service(**settings: Any) -> AsyncIterator[Service]:
    """A service with these settings and no `.env`, on a free port of loopback; without others it remembers nothing."""
    settings = {"enable_caching": "cache_dir" in settings, **settings}
    listener = open_socket("127.0.0.1", 0)
    server = make_server(read_settings(env_file=None, **settings))
    port = listener.getsockname()[1]
    running = asyncio.create_task(_serve(server, listener))
    try:
        async with open_client(port) as service:
            service.server = server
            yield service
    finally:
        server.should_exit = True
        await running


async def _serve(server: Server, listener: socket.socket) -> None:
    with listener:
        try:
            await server.serve([listener])
        except SystemExit:  # which would end the tests as well
            raise RuntimeError("The service did not start; the log tells why") from None


@asynccontextmanager
async def open_client(port: int) -> AsyncIterator[Service]:
    """A session with the service on `port`, once it answers."""
    timeout = aiohttp.ClientTimeout(total=30)
    # Let go of a connection before the service does, lest a request meet its closing.
    connector = aiohttp.TCPConnector(keepalive_timeout=2)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False, timeout=timeout) as session:
        service = Service(port, session)
        # The listening socket is open already, so the first request waits for the start instead of failing.
        assert (await service.ask("GET", "/health")).status == 200
        yield service
