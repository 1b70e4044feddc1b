"""The service as the tests meet it: a real server on loopback, asked over sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from pico_a1111_proxy.settings import read_settings
from pico_a1111_proxy.web.server import Server, make_server, open_socket

RAW = "application/octet-stream"


@dataclass(frozen=True)
class Said:
    """An answer as it came over the wire: header names keep their case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        import json

        return json.loads(self.body)


@dataclass
class Service:
    """A running service."""

    server: Server
    port: int
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Said:
        """One request; a dict is sent as JSON, bytes as they are; `content_type="x"` gives a header."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        async with self.session.request(method, self.url + path, headers=given, allow_redirects=False, **kind) as got:
            return Said(got.status, dict(got.headers), await got.read())

    async def txt2img(self, body: Any = None, query: str = "", **headers: str) -> Said:
        """POST txt2img as an ordinary client does."""
        return await self.ask("POST", "/sdapi/v1/txt2img" + query, {} if body is None else body, **headers)

    async def frame(self, body: Any = None, query: str = "", **headers: str) -> Said:
        """POST txt2img as a Pico does."""
        return await self.txt2img(body, query, accept=RAW, **headers)

    async def raw(self, request: bytes) -> bytes:
        """Send these bytes and read until the service closes or has been silent for five seconds."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()


@asynccontextmanager
async def open_service(**settings: Any) -> AsyncIterator[Service]:
    """A service with these settings and no `.env`, on a free port of loopback."""
    listener = open_socket("127.0.0.1", 0)
    server = make_server(read_settings(env_file=None, **settings))
    port = listener.getsockname()[1]
    running = asyncio.create_task(server.serve([listener]))
    try:
        async with aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=30)) as session:
            service = Service(server, port, session)
            await _wait_until_it_answers(service)
            yield service
    finally:
        server.should_exit = True
        await running


async def _wait_until_it_answers(service: Service) -> None:
    # The listening socket is open already, so the first request waits for the start instead of failing.
    assert (await service.ask("GET", "/health")).status == 200
