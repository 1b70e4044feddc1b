"""How fast the service is, and how large: ours, the plan as written, and the upstream bare, loaded by wrk."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from photographs import answer, photographs
from processes import HEALTH, HERE, Running, ask, fake_a1111, nginx, plan, proxy, running, stop_when_told
from tables import middle, print_table, ratio, tell_machine
from wrk import Load, load

BARE = "the upstream, asked directly"
PLAN = "the plan as written"
SLOW = "ours without kornia-rs"
OURS = "ours"
STRAIGHT = "nginx straight through"
TXT2IMG = "/sdapi/v1/txt2img"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=[512], help="pixels of a side")
    options.add_argument("--at-a-time", type=int, nargs="+", default=[1, 10], help="requests at a time")
    options.add_argument("--rounds", type=int, default=5, help="times that every service is loaded")
    options.add_argument("--seconds", type=int, default=3, help="how long each time")
    options.add_argument("--starts", type=int, default=5, help="starts of our service that are timed")
    given = options.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("The load comes from wrk, which is not installed: apt install wrk")
    if find_spec("httpx") is None:
        sys.exit("The plan's service needs httpx: pip install -r bench/requirements.txt")
    if find_spec("kornia_rs") is None:
        print("kornia-rs is not installed, so both of ours are without it: pip install kornia-rs")
    stop_when_told()
    tell_machine()
    with tempfile.TemporaryDirectory() as folder:
        for side in given.sizes:
            with ExitStack() as stack:
                compare(stack, Path(folder), side, given)
        measure_starts(Path(folder), given.starts)
        measure_memory(Path(folder))


def prepare(folder: Path, side: int) -> list[Path]:
    """The upstream's answers, as files."""
    files = []
    for name, png in photographs(side).items():
        files.append(folder / f"{side}-{name}.json")
        files[-1].write_bytes(answer(png, side))
    return files


def compare(stack: ExitStack, folder: Path, side: int, given: argparse.Namespace) -> None:
    """Load every service in turn, round after round."""
    upstream = stack.enter_context(running(fake_a1111(BARE, prepare(folder, side))))
    programs = [
        plan(PLAN, upstream.port),
        proxy(SLOW, upstream.port, kornia=False),
        proxy(OURS, upstream.port),
        nginx(STRAIGHT, upstream.port, folder),
    ]
    services = [stack.enter_context(running(program)) for program in programs if program] + [upstream]
    script = HERE / "post.lua"
    loads: dict[tuple[str, int], list[Load]] = defaultdict(list)
    for _ in range(given.rounds):
        for at_a_time in given.at_a_time:
            for service in services:
                loads[service.name, at_a_time].append(load(service, TXT2IMG, script, at_a_time, given.seconds))
    for at_a_time in given.at_a_time:
        of = {service.name: loads[service.name, at_a_time] for service in services}
        title = f"{side}x{side}, {at_a_time} at a time ({given.rounds} rounds of {given.seconds} s)"
        head = ["service", "requests/s", "p50 ms", "p99 ms", "processor ms", "times the plan"]
        print_table(title, head, [row(name, taken, of[PLAN]) for name, taken in of.items()])
        if at_a_time == 1:
            for name in (OURS, SLOW):
                tell_added(name, of[name], of[BARE])
    if len(services) < len(programs) + 1:
        print(f"{STRAIGHT}: not installed")


def row(name: str, taken: list[Load], of_plan: list[Load]) -> list[str]:
    times = ratio([one.rate for one in taken], [one.rate for one in of_plan])
    return [
        f"**{name}**" if name == OURS else name,
        middle([one.rate for one in taken], 1 if median(one.rate for one in taken) < 100 else 0),
        middle([one.p50 for one in taken]),
        middle([one.p99 for one in taken]),
        middle([one.work for one in taken], 2),
        "" if name in (BARE, STRAIGHT) else times,
    ]


def tell_added(name: str, taken: list[Load], bare: list[Load]) -> None:
    p50 = middle([one.p50 - other.p50 for one, other in zip(taken, bare, strict=True)])
    p99 = middle([one.p99 - other.p99 for one, other in zip(taken, bare, strict=True)])
    print(f"{name}, one at a time: adds {p50} ms (p50) and {p99} ms (p99) to asking the upstream directly.")


def measure_starts(folder: Path, starts: int) -> None:
    """From the start of the process to the last byte of its first frame."""
    with running(fake_a1111(BARE, prepare(folder, 512))) as upstream:
        seconds: dict[str, list[float]] = defaultdict(list)
        for _ in range(starts):
            for program in (plan(PLAN, upstream.port), proxy(OURS, upstream.port)):
                with running(program) as service:
                    seconds[program.name].append(service.started)
    rows = [[name, middle(taken, 2), f"{max(taken):.2f}"] for name, taken in seconds.items()]
    print_table(f"Start to the first frame, {starts} starts", ["service", "s", "longest"], rows)


def measure_memory(folder: Path) -> None:
    """Resident memory of the process: at rest, at most during ten conversions at once, twice, and after them."""
    rows = []
    with running(fake_a1111(BARE, prepare(folder, 1024))) as upstream:
        for program in (
            plan(PLAN, upstream.port),
            proxy(SLOW, upstream.port, kornia=False),
            proxy(OURS, upstream.port),
        ):
            with running(program, HEALTH) as service:
                figures = [service.memory("VmRSS")]
                for _ in range(2):
                    service.forget_peak()
                    burst(service, 10)
                    figures.append(service.memory("VmHWM"))
                figures.append(service.memory("VmRSS"))
                rows.append([program.name, *(f"{figure:.0f}" for figure in figures)])
    head = ["service", "at rest", "peak of 10 at once", "peak of a second burst", "after it"]
    print_table("Resident memory, MB, pictures of 1024x1024", head, rows)


def burst(service: Running, count: int) -> None:
    with ThreadPoolExecutor(count) as clients:
        statuses = list(clients.map(lambda _: ask(service.port), range(count)))
    if set(statuses) != {200}:
        sys.exit(f"{service.name}: not every answer was a 200: {statuses}")


if __name__ == "__main__":
    main()
