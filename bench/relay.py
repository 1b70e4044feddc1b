"""What it costs to pass an answer on: ours beside nginx, loaded by wrk, and the memory that large bodies take.

Four ways to the same answers: the upstream asked directly, nginx with a plain `proxy_pass` and all its defaults, nginx
as somebody would tune it (connections to the upstream kept, HTTP/1.1, larger buffers), and ours. The upstream is one
more nginx with fixed answers: it has to be much faster than who stands before it, or its own pace would be measured.
nginx is the measure because it is what people put before a web UI when they only want it passed on. Every nginx is one
process, as ours is. Ours logs a line a request, nginx none.

wrk, the upstream and who passes on share one machine's processors, so a rate says what all three reach together.
`processor ms` is the work of the one that was asked.

Memory is that of fresh processes: VmRSS, and VmHWM after it was set back. 200 MB must not need more than 2 MB do, read
fast or slowly. nginx puts what a slow client has not read into a file, which its memory does not show: what it took
from the upstream does. The kernel's own buffers, some megabytes a connection, are in that figure too.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

from processes import HEALTH, HERE, PATIENCE, Program, Request, Running, find, nginx, proxy, running, stop_when_told
from tables import middle, print_table, ratio, tell_machine
from wrk import Load, load

DIRECT = "directly"
PLAIN = "nginx"
TUNED = "nginx, tuned"
OURS = "ours"

SMALL = "/internal/ping"
LARGE = "/internal/two-megabytes"
HUGE = "/internal/two-hundred"
STREAMED = "/sdapi/v1/options"
LOOKED_INTO = "/sdapi/v1/png-info"  # for addresses that the web UI would fetch
TITLES = {SMALL: "2 bytes", LARGE: "2 MB"}
SIZES = {LARGE: 2_000_000, HUGE: 200_000_000}
UPLOADED = 9_000_000  # MAX_BODY_MB is 10
PING: Request = ("GET", SMALL, None)
SIP = 50_000  # bytes; eighty of them are the 4 MB that the slow client reads
SIPS = 80
PAUSE = 0.05  # seconds between two of them: time enough to take all 200 MB from the upstream

Loads = dict[tuple[str, int, str], list[Load]]


def main() -> None:
    options = argparse.ArgumentParser(description="What it costs to pass an answer on: ours beside nginx.")
    options.add_argument("--at-a-time", type=int, nargs="+", default=[1, 10], help="requests at a time")
    options.add_argument("--rounds", type=int, default=3, help="times that every way is loaded")
    options.add_argument("--seconds", type=int, default=3, help="how long each time")
    given = options.parse_args()
    missing = [name for name in ("nginx", "wrk") if find(name) is None]
    if missing:
        sys.exit(f"Not installed: {' and '.join(missing)}. Do: apt install {' '.join(missing)}")
    stop_when_told()
    tell_machine()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        upstream = stack.enter_context(running(answering(folder / "upstream"), PING))
        measure_speed(upstream, folder, given)
        measure_memory(upstream, folder)


def serving(name: str, folder: Path, server: str) -> Program:
    """nginx in one process, with a prefix and a configuration of its own in `folder`."""
    folder.mkdir(parents=True)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    site = f"""
    daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
    events {{ worker_connections 512; }}
    http {{ access_log off; log_format sent "$request_uri $bytes_sent"; {temporary}
      server {{ listen 127.0.0.1:PORT; client_max_body_size 0; {server} }} }}"""
    # The shell puts the port into the file and then becomes nginx, so that its id stays nginx's.
    start = 'printf "%s" "$1" > "$2/nginx.conf" && exec "$3" -e stderr -p "$2" -c "$2/nginx.conf"'
    return Program(name, ("sh", "-c", start, "sh", site, str(folder), str(find("nginx"))))


def answering(folder: Path) -> Program:
    """The upstream: answers from memory and from files. Each time one of 200 MB ends, its log says what was sent."""
    # An upload is read to its end, which nginx does only where it passes on: so it passes its length on, to itself.
    program = serving(
        DIRECT,
        folder,
        f"""root {folder}; default_type application/json; sendfile on; tcp_nopush on; keepalive_requests 100000000;
        location = {SMALL} {{ return 200 "{{}}"; }}
        location = /sdapi/v1/samplers {{ return 200 "[]"; }}
        location = {HUGE} {{ access_log {folder}/sent.log sent; }}
        location /sdapi/v1/ {{ proxy_pass http://127.0.0.1:PORT/length; proxy_method GET; proxy_pass_request_body off;
          proxy_set_header Content-Length ""; proxy_set_header X-Length $request_length; }}
        location /length {{ return 200 '{{"bytes": $http_x_length}}'; }}""",
    )
    for path, size in SIZES.items():
        file = folder / path.strip("/")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(os.urandom(SIZES[LARGE]))
        os.truncate(file, size)  # the rest of the larger one is a hole, so that it takes no room on the disk
    return program


def passing_on(upstream: Running, folder: Path) -> list[tuple[Program, Request]]:
    """Those who stand before the upstream, with what to ask each until it answers."""
    (folder / "tuned").mkdir(parents=True)
    tuned = nginx(TUNED, upstream.port, folder / "tuned")
    assert tuned is not None  # it was found at the start
    server = f"keepalive_requests 100000000; location / {{ proxy_pass http://127.0.0.1:{upstream.port}; }}"
    plain = serving(PLAIN, folder / "plain", server)
    return [(plain, PING), (tuned, PING), (proxy(OURS, upstream.port), HEALTH)]


def measure_speed(upstream: Running, folder: Path, given: argparse.Namespace) -> None:
    """Load every way in turn, round after round, so that what else the machine does hits all alike."""
    script = folder / "get.lua"
    script.write_text(f'dofile("{HERE / "post.lua"}")\nwrk.method, wrk.body, wrk.headers = "GET", nil, {{}}\n')
    loads: Loads = defaultdict(list)
    with ExitStack() as stack:
        programs = passing_on(upstream, folder / "speed")
        services = [upstream, *(stack.enter_context(running(*program)) for program in programs)]
        compare_answers(services)
        for _ in range(given.rounds):
            for path in TITLES:
                for at_a_time in given.at_a_time:
                    for service in services:
                        taken = load(service, path, script, at_a_time, given.seconds)
                        loads[path, at_a_time, service.name].append(taken)
    columns = ["requests/s", "% of nginx", "% of nginx, tuned", "p50 ms", "p99 ms", "adds ms", "processor ms"]
    title = f"An answer passed on (median of {given.rounds} rounds of {given.seconds} s)"
    print_table(title, ["answer, how many at a time, way", *columns], [row(loads, *way) for way in loads])


def compare_answers(services: Sequence[Running]) -> None:
    """Everyone has to answer what the upstream answers, or the figures would be of something else."""
    for path in TITLES:
        status, body = fetch(services[0].port, path)
        for service in services:
            found, what = fetch(service.port, path)
            if (found, what) != (status, body):
                sys.exit(f"{service.name}: {found} and {len(what)} bytes for {path}, not {status} and {len(body)}")


def row(loads: Loads, path: str, at_a_time: int, name: str) -> list[str]:
    taken, direct, plain, tuned = (loads[path, at_a_time, way] for way in (name, DIRECT, PLAIN, TUNED))
    label = f"{TITLES[path]}, {at_a_time}, {name}"
    return [
        f"**{label}**" if name == OURS else label,
        middle([one.rate for one in taken], 0),
        *(ratio([100 * one.rate for one in taken], [one.rate for one in other]) for other in (plain, tuned)),
        middle([one.p50 for one in taken], 2),
        middle([one.p99 for one in taken], 2),
        "" if name == DIRECT else middle([a.p50 - b.p50 for a, b in zip(taken, direct, strict=True)], 2),
        middle([one.work for one in taken], 3),
    ]


def measure_memory(upstream: Running, folder: Path) -> None:
    """Resident memory at rest, at most during each of the acts, and after them."""
    columns = {}
    for program, first in passing_on(upstream, folder / "memory"):
        if program.name != TUNED:
            with running(program, first) as service:
                columns[program.name] = figures(service, folder / "upstream" / "sent.log")
    names = ["at rest", *(f"peak: {act}" for act in ACTS), "after all that", TAKEN]
    rows = [[name, *cells] for name, *cells in zip(names, *columns.values(), strict=True)]
    print_table("Resident memory, MB", ["", *columns], rows)


def figures(service: Running, sent: Path) -> list[str]:
    """One column of the table of memory."""
    found = [service.memory("VmRSS")]
    for act in ACTS.values():
        service.forget_peak()
        act(service.port)
        found.append(service.memory("VmHWM"))
    taken = what_was_sent(sent, service.port)
    found.append(service.memory("VmRSS"))
    return [*(f"{figure:.1f}" for figure in found), taken]


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)


def fetch(port: int, path: str) -> tuple[int, bytes]:
    with closing(connect(port)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def download(port: int, path: str = HUGE) -> None:
    """Read an answer as fast as it comes, and keep nothing of it."""
    with closing(connect(port)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        buffer = bytearray(2**18)
        size = sum(iter(lambda: answer.readinto(buffer), 0))
    if (answer.status, size) != (200, SIZES[path]):
        sys.exit(f"{path}: {answer.status} and {size} bytes")


def download_ten(port: int) -> None:
    with ThreadPoolExecutor(10) as clients:
        list(clients.map(download, [port] * 10))


def upload(port: int, path: str) -> None:
    """Send a large body in chunks; the upstream says how much of it arrived."""
    chunks = [b'{"image": "', *[b"A" * SIP] * (UPLOADED // SIP), b'"}']
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    with closing(connect(port)) as connection:
        connection.request("POST", path, iter(chunks), headers, encode_chunked=True)
        answer = connection.getresponse()
        body = answer.read()
    if answer.status != 200 or json.loads(body)["bytes"] < UPLOADED:
        sys.exit(f"{path}: {answer.status} {body[:200]!r}")


def sip(port: int) -> None:
    """Read 4 MB of the 200 with pauses, then leave."""
    with closing(connect(port)) as connection:
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)  # else the kernel reads ahead for us
        connection.request("GET", f"{HUGE}?{port}")
        answer = connection.getresponse()
        for _ in range(SIPS):
            if answer.status != 200 or len(answer.read(SIP)) < SIP:
                sys.exit(f"{HUGE}: {answer.status}, or cut off while it was read slowly")
            time.sleep(PAUSE)


def what_was_sent(log: Path, port: int) -> str:
    """What the upstream sent of the answer that was read slowly; it is in the log when the upstream is let go."""
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline:
        for address, size in map(str.split, log.read_text().splitlines()):
            if address == f"{HUGE}?{port}":
                return f"{int(size) / 1e6:.1f}"
        time.sleep(0.05)
    return f"still asks after {PATIENCE:.0f} s"


ACTS: dict[str, Callable[[int], None]] = {
    "2 MB": lambda port: download(port, LARGE),
    "200 MB": download,
    "200 MB read slowly, dropped after 4 MB": sip,
    "ten of 200 MB at once": download_ten,
    "9 MB up, in chunks": lambda port: upload(port, STREAMED),
    "9 MB up to png-info": lambda port: upload(port, LOOKED_INTO),
}
TAKEN = "taken from the upstream by the slow one"


if __name__ == "__main__":
    main()
