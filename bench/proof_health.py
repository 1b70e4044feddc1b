"""/health, /ready and /metrics answer in under 50 ms (p99), with a full line and every upstream hung.

The upstream takes connections and says nothing. Every place and the whole line are taken by generations, one more is
refused, and 250 displays wait for their next frame in long polls. Then each of the three is asked 500 times, each time
on a new connection, at fixed times: an answer that comes late does not put off the next request, and its delay counts
from when it was due. That three times: with nothing else, while eight clients have pictures of 512 pixels converted,
and while 250 more displays open their connections and ask, all at once, in the middle of it.

Whoever loads is a process of its own, but all share one machine's processors: what these give is shown by a bare server
on asyncio, a process of its own too, which is asked in the same way while ours is loaded. Of our three, one that is
missing (404) is told, and counts as a failure only with `--strict`. Turned around, `--defect` puts a server in the
place of ours which lets /health stand in line, as nearly all do that limit concurrency: status 1.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import io
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from load import ours, percentile, verdict
from PIL import Image
from processes import HEALTH, HERE, PATIENCE, fake_a1111, running, stop_when_told
from tables import print_table, tell_machine

PLACES, LINE = 4, 10
WAITING = 250
CONVERTING = 8
REQUESTS = 500
EVERY = 0.008  # seconds from one request to the next
BOUND = 50.0  # milliseconds
PATHS = ("/health", "/ready", "/metrics")
BARE = "a bare server"
FRAME = "/displays/waveshare-pico-lcd-1.3/frame"
TXT2IMG = "/sdapi/v1/txt2img"


def main() -> None:
    options = argparse.ArgumentParser(description="Health answers whatever happens.")
    options.add_argument("--strict", action="store_true", help="a path that is missing is a failure")
    options.add_argument("--defect", action="store_true", help="a service whose /health stands in line")
    options.add_argument("--act", nargs=2, metavar=("WHAT", "PORT"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.act:
        ACTS[given.act[0]](int(given.act[1]))
        return
    stop_when_told()
    tell_machine()
    measured = list(measure(given))
    rows = [one.row() for one in measured]
    print_table(
        f"Milliseconds until the answer, {REQUESTS} requests each", ["while", "path", "p50", "p99", "max"], rows
    )
    missed = [fault for one in measured for fault in one.faults(given.strict)]
    verdict(missed)


@dataclass
class Measured:
    """How long the answers took, in milliseconds, and what statuses they had."""

    act: str
    path: str
    taken: list[float] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    full: bool = True

    def row(self) -> list[str]:
        if self.statuses == {404}:
            return [self.act, self.path, "missing", "", ""]
        figures = (percentile(self.taken, 50), percentile(self.taken, 99), max(self.taken))
        return [self.act, self.path, *(f"{figure:.1f}" for figure in figures)]

    def faults(self, strict: bool) -> Iterator[str]:
        if self.statuses == {404}:
            if strict:
                yield f"{self.path} is missing"
            return
        if not self.statuses <= {200, 503}:
            yield f"{self.path} answers {self.statuses}"
        if (p99 := percentile(self.taken, 99)) >= BOUND and self.path != BARE:
            yield f"{self.path} while {self.act}: p99 {p99:.0f} ms"
        if not self.full:
            yield f"{self.path} while {self.act}: the line did not stay full, so it says nothing"


def measure(given: argparse.Namespace) -> Iterator[Measured]:
    for act in list(ACTS)[: 1 if given.defect else None]:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            port = stack.enter_context(hung())
            program = ours(port, folder, max_workers=PLACES, queue_size=LINE, a1111_timeout=60, drain_seconds=0)
            port = stack.enter_context(running(program, HEALTH)).port
            fill(stack, port)
            bare = stack.enter_context(running(fake_a1111("bare", [HERE / "upstream.py"]), HEALTH)).port
            if given.defect:
                port = stack.enter_context(behind_the_line(port))
            for path in PATHS:
                with acting(act, port) as actor:
                    measured = asyncio.run(ask_on(Measured(act, path), port, actor))
                    measured.full = given.defect or is_full(port)
                    yield measured
            with acting(act, port) as actor:
                yield asyncio.run(ask_on(Measured(act, BARE), bare, actor))


@contextmanager
def hung() -> Iterator[int]:
    """The port of a server that accepts, and says nothing."""
    held: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)

    def accept() -> None:
        while True:
            try:
                held.append(listener.accept()[0])
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        for one in (listener, *held):
            one.close()


def fill(stack: ExitStack, port: int) -> None:
    """Take every place and the whole line, see one more refused, and let the displays wait."""
    for number in range(PLACES + LINE):
        body = json.dumps({"prompt": f"a picture that never comes, {number}"}).encode()
        stack.enter_context(asked(port, "POST", TXT2IMG, body))
    deadline = time.perf_counter() + PATIENCE
    while not is_full(port) and time.perf_counter() < deadline:
        time.sleep(0.01)
    if answer(port, "POST", TXT2IMG, b"{}")[0] != 503:
        sys.exit("The line is not full")
    for _ in range(WAITING):
        stack.enter_context(asked(port, "GET", f"{FRAME}?wait=60"))
    answer(port, "GET", "/health")  # after which all that came before has been read


def asked(port: int, method: str, path: str, body: bytes = b"") -> socket.socket:
    """A connection with a request on it."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.sendall(request(method, path, body))
    return connection


def request(method: str, path: str, body: bytes = b"", end: str = "Connection: keep-alive") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: pico", "Accept: application/octet-stream", end]
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def answer(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body)
        got = connection.getresponse()
        return got.status, got.read()
    finally:
        connection.close()


def is_full(port: int) -> bool:
    queue = json.loads(answer(port, "GET", "/health")[1])["queue"]
    return (queue["in_flight"], queue["waiting"]) == (PLACES, LINE)


async def ask_on(measured: Measured, port: int, actor: subprocess.Popen[bytes]) -> Measured:
    """Ask at fixed times; in the middle of it the actor gets the word."""
    asking = []
    gc.disable()
    loop = asyncio.get_running_loop()
    started = loop.time() + 0.2
    for number in range(REQUESTS):
        due = started + number * EVERY
        await asyncio.sleep(due - loop.time())
        asking.append(asyncio.create_task(ask(measured, port, due)))
        if number == REQUESTS // 4 and actor.stdin:
            actor.stdin.write(b"\n")
            actor.stdin.flush()
    await asyncio.wait_for(asyncio.gather(*asking), PATIENCE)
    gc.enable()
    return measured


async def ask(measured: Measured, port: int, due: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request("GET", measured.path, end="Connection: close"))
    told = await reader.read()
    measured.taken.append(1000 * (asyncio.get_running_loop().time() - due))
    measured.statuses.add(int(told.split(b" ", 2)[1]))
    writer.close()


# --- Who loads --------------------------------------------------------------------------------------------------


@contextmanager
def acting(act: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that loads `port`: it says when it is ready, and ends with its input."""
    command = [sys.executable, str(Path(__file__)), "--act", act, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(PATIENCE)


def rest(_: int) -> None:
    print("ready", flush=True)
    sys.stdin.read()


def convert(port: int) -> None:
    """Eight clients, each with one picture after the other."""
    noise = [Image.effect_noise((512, 512), 40) for _ in range(3)]
    out = io.BytesIO()
    Image.merge("RGB", noise).save(out, "PNG")

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        while True:
            connection.request("POST", f"{FRAME}?publish=false", out.getvalue())
            connection.getresponse().read()

    for _ in range(CONVERTING):
        threading.Thread(target=client, daemon=True).start()
    rest(port)


def burst(port: int) -> None:
    """At a word, so many connections at once, each with a request."""
    print("ready", flush=True)
    sys.stdin.readline()
    held = [socket.socket() for _ in range(WAITING)]
    for one in held:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
    for one in held:
        one.setblocking(True)
        one.sendall(request("GET", f"{FRAME}?wait=60"))
    sys.stdin.read()


ACTS = {"nothing else happens": rest, "pictures are converted": convert, "250 connect at once": burst}


# --- The defect -------------------------------------------------------------------------------------------------


@contextmanager
def behind_the_line(port: int) -> Iterator[int]:
    """The port of a server that passes on one request at a time, and has a slow one before each."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection, socket.create_connection(("127.0.0.1", port)) as above:
                time.sleep(0.02)
                above.sendall(connection.recv(2**20))
                connection.sendall(above.recv(2**20))

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


if __name__ == "__main__":
    main()
