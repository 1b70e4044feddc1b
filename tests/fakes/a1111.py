"""ScriptedA1111: a real server on loopback that logs what it gets and answers as each test tells it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire; `connection` counts the connections."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True)
class Reply:
    """What to answer.

    `cut` closes the connection after so many bytes of the body, `mute` closes it without a byte, `reset` with
    a RST. `gate` is waited for before anything is sent. `raw` replaces status line, headers and all.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    chunked: bool = False
    keep_alive: bool = False
    cut: int | None = None
    mute: bool = False
    reset: bool = False
    gate: asyncio.Event | None = None
    raw: bytes | None = None

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Scripted"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines.append("transfer-encoding: chunked" if self.chunked else f"content-length: {len(self.body)}")
        lines.append(f"connection: {'keep-alive' if self.keep_alive else 'close'}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def png(colour: Any = (255, 0, 0), size: tuple[int, int] = (8, 8), mode: str = "RGB", form: str = "PNG") -> bytes:
    """A picture of one colour."""
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, form)
    return out.getvalue()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def answer(*images: Any, info: Any = None, parameters: Any = None, **more: Any) -> Reply:
    """A1111's answer: bytes become base64, anything else goes in as it is; `info` defaults to JSON text."""
    listed = [b64(image) if isinstance(image, bytes) else image for image in images]
    info = json.dumps({"seed": 1234, "all_seeds": [1234], "index_of_first_image": 0}) if info is None else info
    document = {"images": listed, "parameters": {} if parameters is None else parameters, "info": info, **more}
    return Reply(body=json.dumps(document).encode())


def refusal(status: int, document: Any, *headers: tuple[str, str]) -> Reply:
    """An error in the server's own JSON."""
    return Reply(status, json.dumps(document).encode(), (("content-type", "application/json"), *headers))


@dataclass
class ScriptedA1111:
    """Answers with the replies of `script` in turn, then with `standing`, which may be a function of the request.

    `GET /sdapi/v1/samplers` is what the service looks at in the background: it has an answer of its own.
    """

    standing: Reply | Callable[[Seen], Reply] = field(default_factory=lambda: answer(png()))
    samplers: Reply = field(default_factory=lambda: Reply(body=b'[{"name": "Euler", "aliases": [], "options": {}}]'))
    script: list[Reply] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    def reset(self) -> None:
        """Forget everything but the port."""
        fresh = ScriptedA1111()
        self.standing, self.samplers, self.script, self.seen = fresh.standing, fresh.samplers, [], []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def wait_for(self, count: int) -> None:
        """Until so many requests have come, within ten seconds."""
        async with self.arrived:
            await asyncio.wait_for(self.arrived.wait_for(lambda: len(self.seen) >= count), 10)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while (request := await _read_request(reader, connection)) is not None:
                reply = await self._choose(request)
                if not await _send(reply, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left: what it did is in `seen`
        finally:
            writer.close()

    async def _choose(self, request: Seen) -> Reply:
        if request.target == "/sdapi/v1/samplers":
            return self.samplers
        async with self.arrived:
            self.seen.append(request)
            self.arrived.notify_all()
        if self.script:
            return self.script.pop(0)
        return self.standing if isinstance(self.standing, Reply) else self.standing(request)


@asynccontextmanager
async def open_scripted_a1111(upstream: ScriptedA1111 | None = None) -> AsyncIterator[ScriptedA1111]:
    """A ScriptedA1111 on a free port of loopback."""
    upstream = upstream or ScriptedA1111()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, limit=2**26)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    request = Seen(method, target, headers, b"", connection)
    if (request.header("transfer-encoding") or "").lower() == "chunked":
        return replace(request, body=await _read_chunks(reader))
    return replace(request, body=await reader.readexactly(int(request.header("content-length") or 0)))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


async def _send(reply: Reply, writer: asyncio.StreamWriter) -> bool:
    """Send it; False when the connection is over."""
    if reply.gate:
        await reply.gate.wait()
    if reply.reset:
        writer.transport.abort()
        return False
    if reply.mute:
        return False
    if reply.raw is not None:
        writer.write(reply.raw)
    else:
        body = reply.body if reply.cut is None else reply.body[: reply.cut]
        if reply.chunked and reply.cut is None:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        writer.write(reply.head() + body)
    await writer.drain()
    return reply.keep_alive and reply.cut is None
