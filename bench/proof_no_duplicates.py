"""No generation is sent twice, in ten thousand calls through a network that fails in eleven ways.

    clients -> ours -> faults -> upstream

Each call has a mark of its own in its prompt. The upstream counts a mark when it has read the whole request, and makes
a picture whose colour is the mark. The faults are drawn by chance from a seed: connections refused, reset before and
after the request was read, answers cut, late, dripping, replaced by junk, or never given. Half of the calls have a
seed, so that they go through cache and joining as well.

It holds when no mark was counted twice, every client got either exactly its frame or an error in our shape with 502,
503 or 504, nobody waited longer than twice A1111_TIMEOUT and a bit, and enough got through for this to say something.

Turned around, `--defect` puts a naive proxy between ours and the faults that sends again what failed: then it has to
miss, and the status is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from load import ours, verdict
from processes import HEALTH, running, stop_when_told
from tables import print_table, tell_machine

from fakes.a1111 import ScriptedA1111, open_scripted_a1111
from fakes.faults import FaultProxy, by_chance, open_fault_proxy
from fakes.marked import WEATHER, Marks, Tally, ask_for_all, open_retrying
from service import open_client

TIMEOUT = 2
PATIENCE = 2 * TIMEOUT + 5.0
FORGET_EVERY = 0.5  # seconds; the upstream need not remember ten thousand requests


@dataclass
class Outcome:
    marks: Marks
    weather: FaultProxy
    tally: Tally
    seconds: float


def main() -> None:
    options = argparse.ArgumentParser(description="No generation is sent twice.")
    options.add_argument("--calls", type=int, default=10_000)
    options.add_argument("--at-a-time", type=int, default=32)
    options.add_argument("--seed", type=int, default=6, help="of the faults")
    options.add_argument("--defect", action="store_true", help="with somebody between who sends again what failed")
    given = options.parse_args()
    stop_when_told()
    tell_machine()
    outcome = asyncio.run(run(given))
    tell(outcome, given.calls)
    verdict(missed(outcome, given.calls))


async def run(given: argparse.Namespace) -> Outcome:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        marks = Marks()
        upstream = await stack.enter_async_context(open_scripted_a1111())
        upstream.standing = marks.reply
        weather = await stack.enter_async_context(open_fault_proxy(upstream.port))
        weather.standing = by_chance(given.seed, WEATHER)
        port = await stack.enter_async_context(open_retrying(weather.port)) if given.defect else weather.port
        settings = {"a1111_timeout": TIMEOUT, "max_workers": given.at_a_time, "queue_size": given.at_a_time}
        # In a thread, since it waits for an answer that may need the upstream of this loop.
        starting = running(ours(port, folder, **settings), HEALTH)
        service = await asyncio.to_thread(starting.__enter__)
        stack.push_async_callback(asyncio.to_thread, starting.__exit__, None, None, None)
        client = await stack.enter_async_context(open_client(service.port))
        forgetting = asyncio.create_task(forget(upstream))
        started = time.perf_counter()
        tally = await ask_for_all(client, range(given.calls), given.at_a_time, PATIENCE)
        seconds = time.perf_counter() - started
        forgetting.cancel()
    # By now all have been stopped: nothing can arrive any more.
    return Outcome(marks, weather, tally, seconds)


async def forget(upstream: ScriptedA1111) -> None:
    while True:
        await asyncio.sleep(FORGET_EVERY)
        upstream.seen.clear()
        upstream.looks.clear()


def tell(outcome: Outcome, calls: int) -> None:
    marks, weather, tally = outcome.marks, outcome.weather, outcome.tally
    rows = [[kind, f"{count:,}"] for kind, count in weather.met.most_common()]
    print_table("Connections to the upstream, by what became of them", ["fault", "connections"], rows)
    told = {
        "calls": calls,
        "seconds": round(outcome.seconds),
        "different marks that the upstream has got whole": len(marks.generated),
        "POSTs of generations that it has got whole": marks.generated.total(),
        **{f"clients that were answered {status}": count for status, count in sorted(tally.statuses.items())},
        "improper answers, other's frames, and clients that waited too long": len(tally.improper),
        "**marks that were generated twice**": len(marks.twice()),
    }
    print_table("What came of it", ["", ""], [[name, f"{figure:,}"] for name, figure in told.items()])


def missed(outcome: Outcome, calls: int) -> list[str]:
    marks, tally, found = outcome.marks, outcome.tally, []
    if twice := marks.twice():
        found.append(f"{len(twice)} marks were generated twice, the first of them {twice[0]}")
    if tally.improper:
        found.append(f"{len(tally.improper)} improper answers, the first of them {tally.improper[0]}")
    if tally.statuses.total() + len(tally.improper) != calls:
        found.append(f"{tally.statuses.total()} of {calls} calls were answered")
    if tally.statuses[200] < calls / 2 or len(marks.generated) < calls / 2:
        found.append("too few got through for the rest to say anything")
    return found


if __name__ == "__main__":
    main()
