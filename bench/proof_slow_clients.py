"""Clients that send nothing, or half of something, are all closed in time, and nobody else waits for them meanwhile.

500 sockets of each of four kinds are opened at once; then ordinary requests are made one at a time, spread over the
time until all should be closed. With `--plain` the same application runs on uvicorn's own h11 protocol: that closes
none of them, and the proof must fail.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import resource
import selectors
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from processes import FRAME, HEALTH, Program, ask, fake_a1111, running, stop_when_told
from tables import print_table, tell_machine

HEAD = b"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: pico\r\n"
KINDS = {
    "nothing": b"",
    "half a request line": HEAD[:12],
    "half the headers": HEAD + b"Content-Le",
    "half a body": HEAD + b"Content-Length: 1000\r\n\r\n" + b"{" * 500,
}
REQUESTS = {"GET /health": (HEALTH, 300), "POST of a frame": (FRAME, 50)}
CLOSED_WITHIN = 10.0  # seconds
ANSWERED_WITHIN = 0.1  # seconds, for 99 of 100 requests
SERVE = (sys.executable, "-m", "pico_a1111_proxy", "serve", "--host", "127.0.0.1", "--port", "PORT")
PLAIN = (
    *(sys.executable, "-m", "uvicorn", "--factory", "pico_a1111_proxy.web.app:create_app", "--http", "h11"),
    *("--loop", "asyncio", "--no-access-log", "--port", "PORT"),
)


@dataclass
class Slow:
    """One socket; `closed` is how many seconds after its opening the service closed it."""

    kind: str
    socket: socket.socket
    opened: float
    said: bytes = b""
    closed: float | None = None


@dataclass
class Crowd:
    """All the slow ones, watched from a thread."""

    members: list[Slow] = field(default_factory=list)

    def open(self, port: int, count: int) -> None:
        for kind, data in KINDS.items():
            for _ in range(count):
                sock = socket.create_connection(("127.0.0.1", port), timeout=30)
                sock.sendall(data)
                sock.setblocking(False)
                self.members.append(Slow(kind, sock, time.perf_counter()))

    def watch(self, until: float) -> None:
        with selectors.DefaultSelector() as selector:
            for member in self.members:
                selector.register(member.socket, selectors.EVENT_READ, member)
            while selector.get_map() and time.perf_counter() < until:
                for key, _ in selector.select(0.1):
                    self._hear(selector, key.data)

    def _hear(self, selector: selectors.BaseSelector, member: Slow) -> None:
        try:
            said = member.socket.recv(4096)
        except ConnectionError:
            said = b""
        member.said += said
        if not said:
            member.closed = time.perf_counter() - member.opened
            selector.unregister(member.socket)

    def of(self, kind: str) -> list[Slow]:
        return [member for member in self.members if member.kind == kind]


def main() -> None:
    options = argparse.ArgumentParser(description="Slow clients are closed, and nobody waits for them.")
    options.add_argument("--each", type=int, default=500, help="sockets of each kind")
    options.add_argument("--plain", action="store_true", help="uvicorn's own protocol, with which this must fail")
    given = options.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    stop_when_told()
    tell_machine()
    name, command = ("uvicorn's own h11 protocol", PLAIN) if given.plain else ("ours", SERVE)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        upstream = stack.enter_context(running(fake_a1111("A1111", [write_body(Path(folder))])))
        settings = {"A1111_BASE_URL": f"http://127.0.0.1:{upstream.port}", "ENABLE_CACHING": "false"}
        service = stack.enter_context(running(Program(name, command, settings)))
        quiet = ask_all(service.port, 2)
        crowd, started = Crowd(), time.perf_counter()
        crowd.open(service.port, given.each)
        took = time.perf_counter() - started
        watching = threading.Thread(target=crowd.watch, args=(time.perf_counter() + CLOSED_WITHIN + 1,))
        watching.start()
        ask(service.port, HEALTH)  # it stands behind all of them in the line of new connections
        met = time.perf_counter() - started
        times = ask_all(service.port, CLOSED_WITHIN - 1)
        watching.join()
        for member in crowd.members:
            member.socket.close()
    print(f"\n{name}: {len(crowd.members)} sockets, opened in {took:.2f} s, all met after {met:.2f} s")
    fine = tell_closed(crowd) & tell_answered(quiet, times)
    print("Proved." if fine else "NOT proved.")
    sys.exit(not fine)


def write_body(folder: Path) -> Path:
    """What the upstream answers: one picture of 512x512."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize((512, 512)).convert("RGB").save(out, "PNG")
    body = {"images": [base64.b64encode(out.getvalue()).decode()], "parameters": {}, "info": "{}"}
    file = folder / "body.json"
    file.write_text(json.dumps(body))
    return file


def ask_all(port: int, seconds: float) -> dict[str, list[float]]:
    """Every request on a connection of its own, one after the other, evenly spread; seconds until each answer."""
    order = sorted((number / count, name) for name, (_, count) in REQUESTS.items() for number in range(count))
    times: dict[str, list[float]] = {name: [] for name in REQUESTS}
    first = time.perf_counter()
    for part, name in order:
        time.sleep(max(0.0, first + part * seconds - time.perf_counter()))
        started = time.perf_counter()
        if ask(port, REQUESTS[name][0]) != 200:
            sys.exit(f"A {name} was refused")
        times[name].append(time.perf_counter() - started)
    return times


def tell_closed(crowd: Crowd) -> bool:
    rows, fine = [], True
    for kind in KINDS:
        members = crowd.of(kind)
        closed = sorted(member.closed for member in members if member.closed is not None)
        in_time = sum(seconds <= CLOSED_WITHIN for seconds in closed)
        told = sum(member.said.startswith(b"HTTP/1.1 408 ") for member in members)
        span = [f"{closed[0]:.2f}", f"{closed[-1]:.2f}"] if closed else ["-", "-"]
        rows.append([kind, str(len(members)), str(in_time), *span, str(told)])
        fine &= in_time == len(members)
    head = ["sent", "sockets", f"closed within {CLOSED_WITHIN:.0f} s", "first, s", "last, s", "with a 408"]
    print_table("Slow clients", head, rows)
    return fine


def tell_answered(quiet: dict[str, list[float]], times: dict[str, list[float]]) -> bool:
    rows, last = [], 0.0
    for when, some in (("before", quiet), ("meanwhile", times)):
        for name, unsorted in (*some.items(), ("all of them", [value for one in some.values() for value in one])):
            values = sorted(unsorted)
            last = percentile(values, 0.99)
            figures = (percentile(values, 0.5), percentile(values, 0.9), last, values[-1])
            rows.append([f"{name}, {when}", str(len(values)), *(f"{1000 * value:.1f}" for value in figures)])
    head = ["", "asked", "p50, ms", "p90, ms", "p99, ms", "longest, ms"]
    print_table(f"Ordinary requests; p99 of all, meanwhile, must be under {1000 * ANSWERED_WITHIN:.0f} ms", head, rows)
    return last < ANSWERED_WITHIN


def percentile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


if __name__ == "__main__":
    main()
