"""How fast a frame comes that has been drawn before, beside nginx serving the same bytes as a file; loaded by wrk."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from photographs import answer, photographs
from processes import HEALTH, HERE, Program, fake_a1111, find, proxy, running, stop_when_told
from tables import middle, print_table, ratio, tell_machine
from wrk import Load, load

FRAME_BYTES = 115_200
TXT2IMG = "/sdapi/v1/txt2img"
NEWEST = "/displays/default/frame"
FILE = "nginx, the same bytes as a file"
AGAIN = "ours, the job asked for again"
ASIDE = "ours, the display's newest frame"
GOAL_RATE, GOAL_P99 = 1500, 20.0


def file_server(folder: Path) -> Program:
    """nginx, which serves `folder`."""
    program = find("nginx")
    if program is None:
        sys.exit("nginx is what ours is compared with, and it is not installed: apt install nginx")
    temporary = " ".join(f"{kind}_temp_path {folder};" for kind in ("client_body", "fastcgi", "uwsgi", "scgi", "proxy"))
    site = f"""
    daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr; events {{ worker_connections 512; }}
    http {{ access_log off; {temporary} sendfile on; tcp_nopush on; keepalive_requests 10000000;
      server {{ listen 127.0.0.1:PORT; location / {{ root {folder}; }} }} }}"""
    start = f'printf "%s" "$1" > "$2" && exec "$3" -p "{folder}" -c "$2"'
    return Program(FILE, ("sh", "-c", start, "sh", site, str(folder / "nginx.conf"), program))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--at-a-time", type=int, default=8, help="requests at a time")
    options.add_argument("--rounds", type=int, default=5, help="times that each is loaded")
    options.add_argument("--seconds", type=int, default=3, help="how long each time")
    given = options.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("The load comes from wrk, which is not installed: apt install wrk")
    stop_when_told()
    tell_machine()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "frame").write_bytes(bytes(FRAME_BYTES))
        reply = folder / "answer.json"
        reply.write_bytes(answer(next(iter(photographs(512).values())), 512))
        upstream = stack.enter_context(running(fake_a1111("upstream", [reply])))
        program = proxy(AGAIN, upstream.port)
        program = replace(program, environment={**program.environment, "CACHE_DIR": str(folder / "cache")})
        ours = stack.enter_context(running(program, HEALTH))
        files = stack.enter_context(running(file_server(folder), ("GET", "/frame", None)))
        loads: dict[str, list[Load]] = defaultdict(list)
        script = HERE / "cached_frame.lua"
        for _ in range(given.rounds + 1):
            loads[AGAIN].append(load(ours, TXT2IMG, script, given.at_a_time, given.seconds))
            loads[ASIDE].append(load(ours, NEWEST, script, given.at_a_time, given.seconds, "get"))
            loads[FILE].append(load(files, "/frame", script, given.at_a_time, given.seconds, "get"))
    taken = {name: these[1:] for name, these in loads.items()}  # the first round drew it
    rows = [row(name, these, taken[FILE]) for name, these in taken.items()]
    load_of = f"{given.at_a_time} at a time ({given.rounds} rounds of {given.seconds} s)"
    head = ["", "requests/s", "p50 ms", "p99 ms", "processor ms", "of nginx"]
    print_table(f"A frame of {FRAME_BYTES:,} bytes, {load_of}", head, rows)
    rate, p99 = (median(getattr(one, what) for one in taken[AGAIN]) for what in ("rate", "p99"))
    met = rate >= GOAL_RATE and p99 <= GOAL_P99
    print(f"The goal, {GOAL_RATE} requests/s and a p99 of {GOAL_P99:.0f} ms, is {'met' if met else 'missed'}.")
    sys.exit(not met)


def row(name: str, taken: list[Load], of_nginx: list[Load]) -> list[str]:
    share = ratio([one.rate for one in taken], [one.rate for one in of_nginx])
    return [
        name,
        middle([one.rate for one in taken], 0),
        middle([one.p50 for one in taken]),
        middle([one.p99 for one in taken]),
        middle([one.work for one in taken], 2),
        "" if name == FILE else share,
    ]


if __name__ == "__main__":
    main()
