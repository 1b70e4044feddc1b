"""What a thousand waiting displays cost: memory and work while they wait, and the time until the last has its frame.

Each waiter is a socket with a `GET /displays/NAME/frame?wait=60` on it. One POST of a picture wakes all, who each get
115,200 bytes; then they ask again, on the same sockets, and a second POST wakes them again.

Two others hold the same number of requests and answer as many bytes from memory; a POST is only the word to go: an ASGI
application of twenty lines in uvicorn, which is what ours stands on, and a server written by hand on asyncio's streams
that looks at little of the request. They know no displays, no ETags, no keys, no log, and convert nothing: what is more
than theirs is what ours costs.

The waiters are one process on the same machine. It reads all that comes, so the time until all have their frame is the
time of both together. `processor` is the server's alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import resource
import selectors
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from processes import HEALTH, PATIENCE, Program, Request, Running, running, stop_when_told
from tables import print_table, tell_machine

NAME = "waveshare-pico-lcd-1.3"
PATH = f"/displays/{NAME}/frame"
SIZE = 115_200  # bytes of a frame of that display
MOST_AT_ONCE = 100  # connections that are opened before their requests are sent

ASGI = "a bare ASGI application in uvicorn"
BY_HAND = "asyncio's streams by hand"
OURS = "ours"


def main() -> None:
    options = argparse.ArgumentParser(description="What a thousand waiting displays cost.")
    options.add_argument("--waiters", type=int, default=1000, help="displays that wait")
    options.add_argument("--seconds", type=int, default=10, help="how long they are watched while they wait")
    options.add_argument("--hold", nargs=2, metavar=("KIND", "PORT"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.hold:
        hold(given.hold[0], int(given.hold[1]))
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    stop_when_told()
    tell_machine()
    measured = [measure(program, first, given) for program, first in programs()]
    columns = [one.name for one in measured]
    rows = [[name, *(one.figures[name] for one in measured)] for name in measured[0].figures]
    print_table(f"{given.waiters} waiting for a frame of {SIZE:,} bytes", ["", *columns], rows)


def programs() -> Iterator[tuple[Program, Request]]:
    ours = (sys.executable, "-m", "pico_a1111_proxy", "serve", "--host", "127.0.0.1", "--port", "PORT")
    yield Program(OURS, ours, {"A1111_BASE_URL": "demo:"}), HEALTH
    for name in (ASGI, BY_HAND):
        yield Program(name, (sys.executable, str(Path(__file__)), "--hold", name, "PORT")), HEALTH


# --- The waiters ------------------------------------------------------------------------------------------------


@dataclass
class Waiter:
    """A socket; `missing` is how many bytes of its answer have still to come, None while its header has."""

    socket: socket.socket
    head: bytes = b""
    missing: int | None = None
    etag: str = "*"

    def ask(self) -> None:
        self.head, self.missing = b"", None
        lines = [f"GET {PATH}?wait=60 HTTP/1.1", "Host: pico", f"If-None-Match: {self.etag}"]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def hear(self, buffer: bytearray) -> bool:
        """Take what is there; whether the answer is whole."""
        count = self.socket.recv_into(buffer)
        if not count:
            sys.exit("A waiter was sent away")
        if self.missing is None:
            head, end, rest = (self.head + buffer[:count]).partition(b"\r\n\r\n")
            self.head, count = bytes(head), len(rest)
            if not end:
                return False
            self._read_head()
        assert self.missing is not None
        self.missing -= count
        return self.missing == 0

    def _read_head(self) -> None:
        status, *lines = self.head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        self.missing = int(headers["Content-Length"])
        self.etag = headers.get("ETag", "*")
        if " 200 " not in status or self.missing != SIZE:
            sys.exit(f"A waiter got {status} and {self.missing} bytes")


@dataclass
class Waiting:
    """All who wait; `woken` are the seconds from the POST until each had its frame, in order."""

    waiters: list[Waiter] = field(default_factory=list)
    woken: list[float] = field(default_factory=list)
    health = posted = 0.0

    def open(self, port: int, count: int) -> None:
        for first in range(0, count, MOST_AT_ONCE):
            some = [Waiter(connect(port)) for _ in range(min(MOST_AT_ONCE, count - first))]
            for waiter in some:
                waiter.ask()
            self.waiters += some

    def ask_again(self) -> None:
        for waiter in self.waiters:
            waiter.ask()

    def wake(self, port: int, picture: bytes) -> None:
        """POST the picture; read until everybody has its frame, and ask for /health when the first has."""
        self.woken, self.posted, self.health = [], 0.0, 0.0
        buffer = bytearray(2**18)
        with selectors.DefaultSelector() as selector, connect(port) as poster, connect(port) as doctor:
            for waiter in self.waiters:
                selector.register(waiter.socket, selectors.EVENT_READ, waiter)
            for other in (poster, doctor):
                selector.register(other, selectors.EVENT_READ)
            head = f"POST {PATH} HTTP/1.1\r\nHost: pico\r\nContent-Length: {len(picture)}\r\n\r\n"
            started = time.perf_counter()
            poster.sendall(head.encode() + picture)
            asked = 0.0
            while len(self.woken) < len(self.waiters) or not self.posted or not self.health:
                ready = selector.select(PATIENCE)
                if not ready:
                    sys.exit(f"Only {len(self.woken)} were woken")
                for key, _ in ready:
                    now = time.perf_counter()
                    if key.fileobj is poster:
                        self.posted = self.posted or now - started
                        poster.recv_into(buffer)
                    elif key.fileobj is doctor:
                        self.health = self.health or now - asked
                        doctor.recv_into(buffer)
                    elif key.data.hear(buffer):
                        self.woken.append(time.perf_counter() - started)
                        if not asked:
                            asked = time.perf_counter()
                            doctor.sendall(b"GET /health HTTP/1.1\r\nHost: pico\r\n\r\n")


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def a_picture(colour: int) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((512, 512)).convert("RGB").point(lambda value: value ^ colour).save(out, "PNG")
    return out.getvalue()


# --- The measurement --------------------------------------------------------------------------------------------


@dataclass
class Measured:
    name: str
    figures: dict[str, str]


def measure(program: Program, first: Request, given: argparse.Namespace) -> Measured:
    figures: dict[str, str] = {}
    with running(program, first) as service:
        waiting = Waiting()
        waiting.open(service.port, 1)  # so that all that is needed once is there
        settle(service)
        waiting.wake(service.port, a_picture(1))
        before = service.memory("VmRSS")
        waiting.ask_again()
        waiting.open(service.port, given.waiters - 1)
        settle(service)
        during = service.memory("VmRSS")
        used = service.processor_seconds()
        time.sleep(given.seconds)
        used = (service.processor_seconds() - used) / given.seconds
        figures["resident memory before, MB"] = f"{before:.1f}"
        figures["while they wait, MB"] = f"{during:.1f}"
        figures["a waiter, kB"] = f"{1000 * (during - before) / given.waiters:.1f}"
        figures["processor while they wait, ms a second"] = f"{1000 * used:.1f}"
        for turn, colour in (("first", 2), ("second", 3)):
            figures |= wake(service, waiting, a_picture(colour), turn)
        figures["resident memory after, MB"] = f"{service.memory('VmRSS'):.1f}"
        for waiter in waiting.waiters:
            waiter.socket.close()
    return Measured(program.name, figures)


def wake(service: Running, waiting: Waiting, picture: bytes, turn: str) -> dict[str, str]:
    used = service.processor_seconds()
    waiting.wake(service.port, picture)
    used = service.processor_seconds() - used
    told = {
        "the first has its frame after, ms": waiting.woken[0],
        "half of them, ms": statistics.median(waiting.woken),
        "all, ms": waiting.woken[-1],
        "who posted has the answer, ms": waiting.posted,
        "/health asked in the middle, ms": waiting.health,
        "processor for all that, ms": used,
    }
    waiting.ask_again()
    settle(service)
    return {f"{turn} time: {name}": f"{1000 * seconds:.0f}" for name, seconds in told.items()}


def settle(service: Running) -> None:
    """Until it works no more: everybody's request has been read by then."""
    used, quiet = -1.0, 0
    while quiet < 5:
        time.sleep(0.1)
        now = service.processor_seconds()
        quiet = quiet + 1 if now - used < 0.011 else 0
        used = now


# --- The others -------------------------------------------------------------------------------------------------


class Held:
    """Who waits here waits for one event."""

    def __init__(self) -> None:
        self.change = asyncio.Event()
        self.body = bytes(SIZE)

    def wake(self) -> None:
        self.change.set()
        self.change = asyncio.Event()


def hold(kind: str, port: int) -> None:
    if kind == BY_HAND:
        asyncio.run(hold_by_hand(port))
    else:
        uvicorn.run(bare(Held()), port=port, http="h11", ws="none", access_log=False, log_level="error")


def bare(held: Held) -> Any:
    headers = [(b"Content-Type", b"application/octet-stream"), (b"Content-Length", b"%d" % SIZE)]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is spoken here")
        if scope["method"] == "POST":
            while (await receive())["more_body"]:
                pass
            held.wake()
        elif scope["path"] == PATH:
            await held.change.wait()
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": held.body})

    return app


async def hold_by_hand(port: int) -> None:
    held = Held()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % SIZE

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                if asked.startswith(b"POST"):
                    await reader.readexactly(int(asked.rpartition(b"Content-Length: ")[2]))
                    held.wake()
                elif PATH.encode() in asked:
                    await held.change.wait()
                writer.write(head + held.body)
                await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=2048)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    main()
