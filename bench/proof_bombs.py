"""Bombs: each is refused in under 100 ms, and the service's memory grows by less than 50 MB.

Over the wire, as a client sends them and as an upstream answers with them, with the service in a process of its own.
Compares the peak of its resident memory with what was resident before, and the middle of a few times with the bound;
between two bombs a plain request has to be answered as ever. Exits with 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import http.client
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from statistics import median

from bombs import (
    GIGABYTE,
    answer,
    answers_of,
    bodies_that_grow,
    gzip_bomb,
    pictures_with_baggage,
    png,
    small_pictures_that_grow,
)
from processes import HEALTH, Running, ask, proxy, running, stop_when_told
from tables import print_table, tell_machine

MOST_MS = 100.0
MOST_MB = 50.0
PATIENCE = 30.0  # seconds for one request
RAW = {"Accept": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}
PUSH = "/displays/default/frame?publish=false"
TXT2IMG = "/sdapi/v1/txt2img"
REFUSED = frozenset({413, 422, 502})


@dataclass(frozen=True)
class Bomb:
    """One request and the upstream's answer to it; `good` are the statuses that it may end in."""

    name: str
    path: str
    body: bytes
    headers: dict[str, str]
    reply: bytes = b""
    good: frozenset[int] = REFUSED
    raw: bytes = b""


class Replying(socketserver.StreamRequestHandler):
    """An upstream that answers each POST with the server's `reply`, whatever it is."""

    def handle(self) -> None:
        first = self.rfile.readline()
        length = 0
        while (line := self.rfile.readline().strip().lower()) != b"":
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        self.rfile.read(length)
        assert isinstance(self.server, Upstream)
        with suppress(OSError):  # it was refused before it was whole
            self.wfile.write(self.server.reply if first.startswith(b"POST") else reply(b"[]"))


class Upstream(socketserver.ThreadingTCPServer):
    daemon_threads = True
    reply = b""


def reply(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


@contextmanager
def upstream() -> Iterator[Upstream]:
    with Upstream(("127.0.0.1", 0), Replying) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def bombs() -> Iterator[Bomb]:
    """From clients first, and then from the upstream."""
    grown, baggage, bodies = small_pictures_that_grow(), pictures_with_baggage(), bodies_that_grow()
    packed = gzip_bomb(GIGABYTE)
    coded = {"Content-Encoding": "gzip"}
    for name, picture in grown.items():
        yield Bomb(f"pushed: {name}", PUSH, picture, {})
    for name, picture in baggage.items():
        yield Bomb(f"pushed: {name}", PUSH, picture, {}, good=REFUSED | {200})
    for name, body in bodies.items():
        yield Bomb(f"asked: {name}", TXT2IMG, body, RAW | JSON, reply(answer(png(8, 8))), REFUSED | {200})
    yield Bomb("asked: a gzip of 1 GB", TXT2IMG, packed, RAW | JSON | coded)
    yield Bomb("pushed: a gzip of 1 GB", PUSH, packed, coded)
    chunks = b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"
    head = f"POST {PUSH} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    yield Bomb("pushed: in 100,000 chunks", PUSH, b"", {}, good=frozenset({400}), raw=head + chunks)
    lines = b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 500_000 + b"\r\n"
    yield Bomb("3 MB of header lines", "", b"", {}, good=frozenset({400, 431}), raw=lines)
    for name, body in answers_of(grown).items():
        yield Bomb(f"answered: {name}", TXT2IMG, b"{}", RAW | JSON, reply(body))
    for name, body in answers_of(baggage).items():
        yield Bomb(f"answered: {name}", TXT2IMG, b"{}", RAW | JSON, reply(body), REFUSED | {200})
    for name, body in bodies.items():
        yield Bomb(f"answered: {name}", TXT2IMG, b"{}", RAW | JSON, reply(body))
    yield Bomb("answered: a gzip of 1 GB", TXT2IMG, b"{}", RAW | JSON, reply(packed, "Content-Encoding: gzip"))
    many = answer(png(8, 8)[:30], 100_000)
    yield Bomb("answered: 100,000 images, a frame asked", TXT2IMG, b"{}", RAW | JSON, reply(many), REFUSED | {200})
    yield Bomb("answered: 100,000 images, JSON asked", TXT2IMG, b"{}", JSON, reply(many))


def send(service: Running, bomb: Bomb) -> tuple[int, int, float]:
    """Status, bytes of the answer, and milliseconds until it was here; status 0 for a connection that was cut."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    started = time.perf_counter()
    try:
        if bomb.raw:
            connection.connect()
            with suppress(OSError):  # it was refused before it was whole; the answer may still be there
                connection.sock.sendall(bomb.raw)
            got = http.client.HTTPResponse(connection.sock)
            got.begin()
        else:
            connection.request("POST", bomb.path, bomb.body, bomb.headers)
            got = connection.getresponse()
        size = len(got.read())
        return got.status, size, (time.perf_counter() - started) * 1000
    except (OSError, http.client.HTTPException):
        return 0, 0, (time.perf_counter() - started) * 1000
    finally:
        connection.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=int, default=3, help="how often each bomb is sent")
    given = options.parse_args()
    stop_when_told()
    tell_machine()
    rows, missed = [], 0
    with upstream() as server, running(proxy("ours", server.server_address[1]), HEALTH) as service:
        server.reply = reply(answer(png(8, 8)))
        for _ in range(3):
            ask(service.port)  # what is loaded at first use is here
        for bomb in bombs():
            server.reply = bomb.reply
            service.forget_peak()
            before = service.memory("VmRSS")
            worked = service.processor_seconds()
            said = [send(service, bomb) for _ in range(given.times)]
            worked = (service.processor_seconds() - worked) / given.times * 1000
            grown = service.memory("VmHWM") - before
            took = median(ms for _, _, ms in said)
            statuses = {status for status, _, _ in said}
            good = statuses <= bomb.good and took < MOST_MS and grown < MOST_MB
            good &= all(size < 1000 for status, size, _ in said if status != 200)
            missed += not good
            told = " ".join(map(str, sorted(statuses)))
            rows.append([bomb.name, told, f"{took:.0f}", f"{worked:.0f}", f"{grown:.0f}", "" if good else "missed"])
            server.reply = reply(answer(png(8, 8)))
            if ask(service.port) != 200:
                sys.exit(f"After {bomb.name} nothing is answered any more")
    head = ["bomb", "status", "ms", "processor ms", "MB more", f"under {MOST_MS:g} ms, {MOST_MB:g} MB"]
    print_table(f"Bombs, each {given.times} times", head, rows)
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
