"""The fleet: workers and Redis are killed under load, and a job that kills its worker is sent.

Everything is real and on loopback: redis-server, two proxies and four workers in processes of their own, with the lease
as it is shipped. The four upstreams are here; each draws a picture in half a second to one, of a colour that no other
job's has. Proven is that

- with a random worker killed by SIGKILL every 20 seconds, and started again 2 seconds later as systemd would, each job
  is answered once and with its own picture, and no more jobs are drawn twice than workers were killed;
- when Redis is killed, whoever waits and whoever comes is told 503 with Retry-After within a second, /health says so,
  and once Redis is started again the first frame comes within 5 seconds;
- a job that kills whichever worker draws it is given up after 3 deliveries, and the others are drawn meanwhile.

Turned around, `--without redelivery` (a message is acknowledged when a worker takes it, as Celery does by default) puts
the defect back in, and the proof fails: what a killed worker had is never answered.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from fleets import OURS, Fleet, Member, open_fleet, until
from processes import stop_when_told
from studio import DRAWING, Asked, Studio
from tables import print_table, tell_machine

from fakes.marked import QUERY, body_of
from service import Said

WORKERS = 4
RESTART_SECONDS = 2.0  # RestartSec in deploy/pico-a1111-worker@.service
MOST_DELIVERIES = 3
WAITED_FOR = 60.0  # seconds until a fleet that does not come back is given up
PROBE_SECONDS = 0.1
SETTINGS = {"max_workers": 4, "queue_size": 96, "a1111_timeout": 10}

Check = tuple[str, str, str, bool]  # what, figure, bound, whether it holds


@dataclass(frozen=True)
class Kill:
    worker: int
    job: int | None
    at: float


async def restart(worker: Member) -> None:
    """Kill it, and start it again as systemd does."""
    await worker.kill()
    await asyncio.sleep(RESTART_SECONDS)
    await worker.start()


# --- Workers are killed ---------------------------------------------------------------------------------------------


async def prove_workers(fleet: Fleet, studio: Studio, jobs: int, every: float) -> list[Check]:
    asked, kills, restarting = Asked(), list[Kill](), list[asyncio.Task[None]]()

    async def kill_on() -> None:
        while True:
            await asyncio.sleep(every)
            worker = random.randrange(WORKERS)
            since = max((kill.at for kill in kills if kill.worker == worker), default=0.0)
            own = [post.mark for post in studio.posts if post.worker == worker and post.at > since]
            last = own[-1] if own else None
            kills.append(Kill(worker, None if last in asked.said else last, time.monotonic()))
            restarting.append(asyncio.create_task(restart(fleet.workers[worker])))

    began, killing = time.monotonic(), asyncio.create_task(kill_on())
    try:
        await asked.ask_all(fleet.services, range(jobs))
    finally:
        killing.cancel()
        await asyncio.gather(*restarting)
    seconds = time.monotonic() - began
    rows = [_tell_kill(kill, studio, asked, began) for kill in kills]
    head = ["worker", "killed after s", "its job", "drawn again after s", "answered after s"]
    print_table(f"{jobs} jobs in {seconds:.0f} s: {asked.statuses()}", head, rows)
    extra = len(studio.posts) - jobs
    return [
        ("jobs answered with their own picture", f"{asked.own()} of {jobs}", "all", asked.own() == jobs),
        ("answers that never came", str(len(asked.lost)), "0", not asked.lost),
        ("workers killed", str(len(kills)), "> 0", bool(kills)),
        ("extra runs", str(extra), f"<= {len(kills)}", 0 <= extra <= len(kills)),
    ]


def _tell_kill(kill: Kill, studio: Studio, asked: Asked, began: float) -> list[str]:
    row = [f"w{kill.worker + 1}", f"{kill.at - began:.1f}"]
    if kill.job is None:
        return [*row, "none", "", ""]
    again = [at - kill.at for at in studio.times(kill.job) if at > kill.at]
    answered = asked.at.get(kill.job)
    told = [f"{again[0]:.1f}" if again else "never", f"{answered - kill.at:.1f}" if answered else "never"]
    return [*row, str(kill.job), *told]


# --- Redis is killed ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """A request while Redis was away; `began` and `seconds` on the clock."""

    service: int
    mark: int
    began: float
    seconds: float
    got: Said


@dataclass
class Probing:
    """Asks both proxies again and again, for a frame and for their health."""

    fleet: Fleet
    first: int
    frames: list[Probe] = field(default_factory=list)
    healths: list[Probe] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        mark = self.first
        while True:
            for nth in range(len(self.fleet.services)):
                for log in (self.frames, self.healths):
                    self._tasks.add(asyncio.create_task(self._probe(nth, mark, log)))
                mark += 1
            await asyncio.sleep(PROBE_SECONDS)

    async def end(self) -> None:
        """Wait for those under way."""
        await asyncio.gather(*self._tasks)

    async def _probe(self, nth: int, mark: int, log: list[Probe]) -> None:
        service, began = self.fleet.services[nth], time.monotonic()
        asking = service.frame(body_of(mark), QUERY) if log is self.frames else service.ask("GET", "/health")
        with suppress(aiohttp.ClientError, asyncio.TimeoutError):
            got = await asking
            log.append(Probe(nth, mark, began, time.monotonic() - began, got))

    async def back(self, since: float) -> float:
        """Until each proxy has given a frame that was asked for after `since`; how long that took."""
        for nth in range(len(self.fleet.services)):
            if not await until(lambda nth=nth: bool(self._good(nth, since)), WAITED_FOR):
                return WAITED_FOR
        return max(min(self._good(nth, since)) for nth in range(len(self.fleet.services))) - since

    def _good(self, nth: int, since: float) -> list[float]:
        own = (probe for probe in self.frames if probe.service == nth and probe.began > since)
        return [probe.began + probe.seconds for probe in own if probe.got.status == 200]


async def prove_redis(fleet: Fleet, studio: Studio, first: int, down: float) -> list[Check]:
    await fleet.taking(WORKERS)
    studio.span = (down / 2, down / 2)
    waiting = Asked()
    load = asyncio.create_task(waiting.ask_all(fleet.services, range(first, first + 3 * WORKERS)))
    await until(lambda: sum(post.mark >= first for post in studio.posts) >= WORKERS, WAITED_FOR)
    await asyncio.sleep(0.5)  # the others stand in line by now
    await fleet.redis.kill()
    died = time.monotonic()
    studio.span = (0.05, 0.05)
    probing = Probing(fleet, first + 1000)
    running = asyncio.create_task(probing.run())
    try:
        await asyncio.sleep(down)
        started = time.monotonic()
        await fleet.redis.start()
        back = await probing.back(started)
    finally:
        running.cancel()
        await probing.end()
    await load
    return _judge_redis(probing, waiting, studio, (died, started, back))


def _judge_redis(probing: Probing, waiting: Asked, studio: Studio, times: tuple[float, float, float]) -> list[Check]:
    died, started, back = times
    during = [probe for probe in probing.frames if probe.began + probe.seconds < started]
    slowest = max(probe.seconds for probe in during)
    told = [at - died for mark, at in waiting.at.items() if waiting.said[mark].status == 503]
    away = [*(probe.got for probe in during), *(got for got in waiting.said.values() if got.status != 200)]
    improper = [got for got in away if got.status != 503 or not 1 <= int(got.headers.get("Retry-After", 0)) <= 120]
    healths = [probe for probe in probing.healths if probe.began + probe.seconds < started]
    seen = [probe.began - died for probe in healths if probe.got.json()["fleet"]["redis"] == "down"]
    refused = {probe.mark for probe in during} | {mark for mark, got in waiting.said.items() if got.status != 200}
    in_vain = sum(post.mark in refused and post.at > started for post in studio.posts)
    title = f"Redis away for {started - died:.0f} s: "
    return [
        (f"{title}requests told 503, the slowest, s", f"{len(during)}, {slowest:.2f}", "1", slowest < 1),
        ("those who waited told 503 after s, the last", f"{len(told)}, {max(told):.2f}", "1", max(told) < 1),
        ("not 503, or without Retry-After", str(len(improper)), "0", not improper),
        ("/health says so after s", f"{min(seen):.2f}" if seen else "never", "1", bool(seen) and min(seen) < 1),
        ("the slowest /health, ms", f"{1000 * max(p.seconds for p in healths):.0f}", "", True),
        ("the first frame at both proxies after its start, s", f"{back:.2f}", "5", back < 5),
        ("drawn for those who had been told 503", str(in_vain), "", True),
    ]


# --- A job that kills its worker ------------------------------------------------------------------------------------


async def prove_poison(fleet: Fleet, studio: Studio, mark: int) -> list[Check]:
    await fleet.taking(WORKERS)
    studio.span, studio.poison = DRAWING, {mark}
    studio.end = lambda worker: restart(fleet.workers[worker])
    poison, others, began = Asked(), Asked(), time.monotonic()
    asking = asyncio.create_task(poison.ask(fleet.services[0], mark))
    await others.ask_all(fleet.services, range(mark + 1, mark + 41))
    got = await asking
    runs = len(studio.times(mark))
    words = f"{got.status}: {got.json()['error']}" if got else "nothing"
    return [
        ("times that a poison job was drawn", str(runs), str(MOST_DELIVERIES), runs == MOST_DELIVERIES),
        (f"its client was told after {time.monotonic() - began:.0f} s", words, "502", bool(got and got.status == 502)),
        ("others answered meanwhile", f"{others.own()} of 40", "all", others.own() == 40),
    ]


# --- All of it ------------------------------------------------------------------------------------------------------


async def prove(given: argparse.Namespace) -> list[Check]:
    studio = Studio()
    ours = (sys.executable, __file__, "--serve") if given.without else OURS
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = [await stack.enter_async_context(studio.open_upstream(worker)) for worker in range(WORKERS)]
        fleet = await stack.enter_async_context(open_fleet(folder, urls, ours=ours, **SETTINGS))
        checks = await prove_workers(fleet, studio, given.jobs, given.every)
        if given.without:
            return checks
        for nth, down in enumerate(given.down, 1):
            checks += await prove_redis(fleet, studio, nth * 100_000, down)
        return checks + await prove_poison(fleet, studio, 90_000)


def serve(arguments: list[str]) -> None:
    """A worker that acknowledges before it draws."""
    from pico_a1111_proxy import cli, worker  # noqa: PLC0415

    make = worker.make_app

    def make_early(*words: Any) -> Any:
        app = make(*words)
        app.conf.task_acks_late = False
        return app

    worker.make_app = make_early
    cli.main(arguments)


def main() -> None:
    options = argparse.ArgumentParser(description="Workers and Redis are killed under load.")
    options.add_argument("--jobs", type=int, default=500)
    options.add_argument("--every", type=float, default=20.0, help="seconds between two kills")
    options.add_argument("--down", type=float, nargs="+", default=[5.0, 30.0], help="seconds without Redis")
    options.add_argument("--quick", action="store_true", help="60 jobs, a kill every 5 s, Redis away for 3 s")
    options.add_argument("--without", choices=["redelivery"], help="put the defect in; the proof then fails")
    options.add_argument("--serve", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.serve:
        serve(given.serve)
        return
    if given.quick:
        given.jobs, given.every, given.down = 60, 5.0, [3.0]
    stop_when_told()
    tell_machine()
    checks = asyncio.run(prove(given))
    rows = [
        [what, figure, bound, ("yes" if holds else "**no**") if bound else ""] for what, figure, bound, holds in checks
    ]
    title = "A fleet of two proxies and four workers" + (f", without {given.without}" if given.without else "")
    print_table(title, ["what", "figure", "bound", "holds"], rows)
    sys.exit(0 if all(holds for *_, holds in checks) else 1)


if __name__ == "__main__":
    main()
