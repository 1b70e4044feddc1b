"""An ASGI application of a few lines behind our protocol, so that a test sees what the protocol alone does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pico_a1111_proxy.web.protocol import TitleCaseProtocol
from pico_a1111_proxy.web.server import open_socket


@dataclass
class Bare:
    """What the application was asked: method, target and body, in order; `left` are the targets of those who left.

    A path with `early` in it is answered with a 401 before the body is read, one with `large` in it with so many
    bytes that no socket holds them, one with `later` in it reads its body and answers when `go` is set.
    """

    port: int = 0
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)
    left: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    begun: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    server: uvicorn.Server | None = None

    def stop(self) -> None:
        """As a signal would."""
        assert self.server
        self.server.should_exit = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        target = scope["raw_path"].decode() + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        self.begun.put_nowait(target)
        if "later" in target:
            await self.go.wait()
        body = b""
        while "early" not in target:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.put_nowait(target)
                return
            body += message["body"]
            if not message["more_body"]:
                break
        self.seen.append((scope["method"], target, body))
        await self._answer(target, send)
        if "large" in target and (await receive())["type"] == "http.disconnect":
            self.left.put_nowait(target)

    async def _answer(self, target: str, send: Any) -> None:
        pieces = [b"x" * 1_000_000] * 60 if "large" in target else [b"answer"]
        length = str(sum(map(len, pieces))).encode()
        status = 401 if "early" in target else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", length)]})
        for number, piece in enumerate(pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})


@asynccontextmanager
async def open_bare(protocol: type[H11Protocol] = TitleCaseProtocol) -> AsyncIterator[Bare]:
    """The application behind this protocol, on a free port of loopback."""
    bare, listener = Bare(), open_socket("127.0.0.1", 0)
    bare.port = listener.getsockname()[1]
    config = uvicorn.Config(bare, http=protocol, ws="none", lifespan="off", log_config=None, access_log=False)
    config.timeout_graceful_shutdown = 2
    server = bare.server = uvicorn.Server(config)
    with listener:
        running = asyncio.create_task(server.serve([listener]))
        try:
            yield bare
        finally:
            bare.go.set()
            bare.stop()
            await running
