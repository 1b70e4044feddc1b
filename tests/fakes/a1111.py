"""ScriptedA1111: a real server on loopback that logs what it gets and answers as each test tells it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from fakes.pictures import b64, png

SAMPLERS = "/sdapi/v1/samplers"


@dataclass(frozen=True, eq=False)
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

    `cut` closes the connection after so many bytes of the body, `hang` keeps silent after them until the client
    leaves. `mute` closes without a byte, `reset` with a RST. `gate` is waited for before anything is sent. `raw`
    replaces status line, headers and all.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    chunked: bool = False
    keep_alive: bool = False
    cut: int | None = None
    hang: int | None = None
    mute: bool = False
    reset: bool = False
    gate: asyncio.Event | None = None
    raw: bytes | None = None

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Scripted"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.chunked:
            lines.append("transfer-encoding: chunked")
        elif self.status not in (204, 304):
            lines.append(f"content-length: {len(self.body)}")
        lines.append(f"connection: {'keep-alive' if self.keep_alive else 'close'}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")

    def sent_body(self) -> bytes:
        stop = self.cut if self.cut is not None else self.hang
        body = self.body[:stop]
        if not self.chunked:
            return body
        return b"%x\r\n%b\r\n" % (len(body), body) + (b"0\r\n\r\n" if stop is None else b"")


def answer(*images: Any, info: Any = None, parameters: Any = None, **more: Any) -> Reply:
    """A1111's answer: bytes become base64, anything else goes in as it is; `info` defaults to JSON text."""
    listed = [b64(image) if isinstance(image, bytes) else image for image in images]
    info = json.dumps({"seed": 1234, "all_seeds": [1234], "index_of_first_image": 0}) if info is None else info
    document = {"images": listed, "parameters": {} if parameters is None else parameters, "info": info, **more}
    return Reply(body=json.dumps(document).encode())


def said(document: Any, status: int = 200, *headers: tuple[str, str]) -> Reply:
    """JSON of the server's own, as an error mostly is."""
    return Reply(status, json.dumps(document).encode(), (("content-type", "application/json"), *headers))


def in_turn(*replies: Reply) -> Callable[[Seen], Reply]:
    """A `standing` with these replies for the POSTs, of which the last one stays; a GET, for progress, takes none."""
    left = list(replies)
    state = {"job": "", "job_count": 0, "job_no": 0, "sampling_step": 0, "sampling_steps": 0}

    def choose(seen: Seen) -> Reply:
        if seen.method != "POST":
            return said({"progress": 0.0, "eta_relative": 0.0, "state": state, "current_image": None})
        return left.pop(0) if len(left) > 1 else left[0]

    return choose


@dataclass
class ScriptedA1111:
    """Answers with the replies of `script` in turn, then with `standing`, which may be a function of the request.

    `GET /sdapi/v1/samplers` is what the service looks at in the background: it has an answer of its own, and only
    `looks` counts it. `most_inside` is the largest number of requests that were being worked on at once.
    """

    standing: Reply | Callable[[Seen], Reply] = field(default_factory=lambda: answer(png()))
    samplers: Reply = field(default_factory=lambda: Reply(body=b'[{"name": "Euler", "aliases": [], "options": {}}]'))
    script: list[Reply] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    looks: list[Seen] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    most_inside: int = 0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _inside: set[Seen] = field(default_factory=set)
    _serving: set[asyncio.Task[Any]] = field(default_factory=set)

    def reset(self) -> None:
        """Forget everything but the port and who is connected."""
        fresh = ScriptedA1111()
        self.standing, self.samplers, self.script, self.seen = fresh.standing, fresh.samplers, [], []
        self.most_inside, self._inside = 0, set()  # a new set: who is still inside from before does not count

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def inside(self) -> int:
        """How many requests are being worked on."""
        return len(self._inside)

    @property
    def generations(self) -> list[Seen]:
        """The POSTs that draw."""
        return [seen for seen in self.seen if seen.method == "POST"]

    async def wait_for(self, count: int) -> None:
        """Until so many requests have come, within half a minute."""
        async with self._arrived:
            await asyncio.wait_for(self._arrived.wait_for(lambda: len(self.seen) >= count), 30)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self.connections += 1
        connection = self.connections
        try:
            while (request := await _read_request(reader, connection)) is not None:
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left: what it did is in `seen`
        except asyncio.CancelledError:
            pass  # the server ends
        finally:
            writer.close()

    async def stop(self) -> None:
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _answer(self, request: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if request.target.endswith(SAMPLERS):
            self.looks.append(request)
            await _wait(self.samplers.gate, reader)
            return await _send(self.samplers, reader, writer)
        inside = self._inside
        inside.add(request)
        self.most_inside = max(self.most_inside, len(inside))
        try:
            async with self._arrived:
                self.seen.append(request)
                self._arrived.notify_all()
            reply = self._choose(request)
            await _wait(reply.gate, reader)
        finally:
            # Before the answer goes out: after it the next one may come while this one is not cleared away yet.
            inside.discard(request)
        return await _send(reply, reader, writer)

    def _choose(self, request: Seen) -> Reply:
        if self.script:
            reply = self.script.pop(0)
        else:
            reply = self.standing if isinstance(self.standing, Reply) else self.standing(request)
        return replace(reply, cut=0) if request.method == "HEAD" else reply


@asynccontextmanager
async def open_scripted_a1111() -> AsyncIterator[ScriptedA1111]:
    """A ScriptedA1111 on a free port of loopback."""
    upstream = ScriptedA1111()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, limit=2**26)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        await upstream.stop()


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


async def _wait(gate: asyncio.Event | None, reader: asyncio.StreamReader) -> None:
    """Until it opens, if there is one. Raises ConnectionError when the client leaves before."""
    if gate is None:
        return
    opened, gone = asyncio.create_task(gate.wait()), asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait({opened, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        opened.cancel()
        gone.cancel()
    if not gate.is_set():
        raise ConnectionError("The client left")


async def _send(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Send it; False when the connection is over."""
    if reply.reset:
        writer.transport.abort()
        return False
    if reply.mute:
        return False
    writer.write(reply.raw if reply.raw is not None else reply.head() + reply.sent_body())
    await writer.drain()
    if reply.hang is not None:
        await reader.read()
    return reply.keep_alive and reply.cut is None and reply.hang is None
