"""Counters equal the client's own tally after 10,000 mixed calls, and what the counting costs.

One client draws from all that the service does, in line, refused, joined, from the cache, leaving, without a key, with
upstream failures of every kind; it counts what it sent and got by kind and status, the bytes of the bodies, and what
must have become of each job. At the end /metrics has to tell the same to the last one, and the upstream has to have
seen as many generations. Turned around, `--defect` forgets one call in the tally: then it has to miss.

What a request costs is measured apart, without a wire: the counting of an answer from memory. It is compared with the
667 microseconds that a request may take in all where 1500 a second are served.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from statistics import median

from load import ours, verdict
from processes import HEALTH, running, stop_when_told
from tables import print_table, tell_machine

from fakes.a1111 import open_scripted_a1111
from fakes.mixed import KEY, LINE, PLACES, MixedClient
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.metrics import Metrics
from pico_a1111_proxy.served import Served
from pico_a1111_proxy.web.metrics import KINDS, RequestCounter
from service import open_client

ROUNDS, EACH = 15, 20_000
WHOLE_US = 1e6 / 1500
MOST_US = 20.0  # of counting, in a request: 3 percent of it
SLOWEST_SCRAPE_MS = 50.0  # on the event loop, where everybody waits for it


async def prove_tally(calls: int, seed: int, defect: bool) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        async with open_scripted_a1111() as upstream:
            program = ours(upstream.port, folder, max_workers=PLACES, queue_size=LINE, service_api_key=KEY)
            stack = running(program, HEALTH)
            # Its start waits for an answer in a thread, for which the upstream's loop must go on.
            started = await asyncio.to_thread(stack.__enter__)
            try:
                async with open_client(started.port) as service:
                    client = MixedClient(service, upstream, random.Random(seed))
                    await client.begin()
                    began = time.perf_counter()
                    await client.mix(calls)
                    seconds = time.perf_counter() - began
                    if defect:
                        client.tally.requests["txt2img", "200"] -= 1
                    wrong = await client.differences()
            finally:
                await asyncio.to_thread(stack.__exit__, None, None, None)
    show(client, seconds)
    return wrong


def show(client: MixedClient, seconds: float) -> None:
    tally = client.tally
    statuses = sorted({status for _, status in tally.requests})
    rows = [
        [kind, *(str(tally.requests[kind, status] or "") for status in statuses), f"{tally.bytes[(kind,)]:,}"]
        for kind in KINDS
    ]
    print_table(f"The client's tally of {client.calls} calls in {seconds:.0f} s", ["kind", *statuses, "bytes"], rows)
    rows = [[f"rendered, {origin}, {pixels}", str(n)] for (pixels, origin), n in sorted(tally.renderings.items())]
    rows += [[f"failed, {error}", str(n)] for (error,), n in sorted(tally.failures.items())]
    rows += [[f"generation, {outcome}", str(n)] for (outcome,), n in sorted(tally.ended.items())]
    print_table("What became of the jobs", ["", "times"], rows)


def each(work: object) -> float:
    """Microseconds of one call, the middle of some rounds."""
    assert callable(work)
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(EACH):
            work()
        taken.append((time.perf_counter() - began) / EACH * 1e6)
    return median(taken)


def prove_cost() -> list[str]:
    metrics = Metrics()
    job = Job("txt2img", b"", default_display(240, 240, invert=True))
    service = type("OfThisProof", (), {"metrics": metrics})()
    scope = {"method": "POST", "path": "/sdapi/v1/txt2img", "state": {"service": service}}
    below = {**scope, "method": "GET", "path": "/displays/waveshare-pico-lcd-1.3/frame"}
    count = RequestCounter()
    nothing = each(lambda: None)
    told = each(lambda: metrics.hear(Served("rendering", "hit", job=job))) - nothing
    counted = each(lambda: count(scope, 200, 0.0007, 115200)) - nothing
    longest = each(lambda: count(below, 200, 0.0007, 115200)) - nothing
    for kind in KINDS:
        for status in (200, 304, 401, 404, 499, 502, 503):
            metrics.answered(kind, status, 0.01, 1)
    scrapes = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        metrics.write("")
        scrapes.append((time.perf_counter() - began) * 1e3)
    rows = [
        ["a rendering from memory is told and counted", f"{told:.1f} us", f"{told / WHOLE_US:.1%}"],
        ["its answer is counted", f"{counted:.1f} us", f"{counted / WHOLE_US:.1%}"],
        ["both", f"{told + counted:.1f} us", f"{(told + counted) / WHOLE_US:.1%}"],
        ["an answer below /displays/NAME is counted", f"{longest:.1f} us", f"{longest / WHOLE_US:.1%}"],
        ["all kinds and seven statuses are written", f"{median(scrapes):.1f} ms", ""],
    ]
    print_table("What counting costs", ["", "time", f"of {WHOLE_US:.0f} us"], rows)
    missed = [] if told + counted <= MOST_US else [f"{told + counted:.1f} us a request, {MOST_US:.0f} are allowed"]
    return missed if median(scrapes) <= SLOWEST_SCRAPE_MS else [*missed, f"a scrape takes {median(scrapes):.0f} ms"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=14)
    options.add_argument("--defect", action="store_true", help="forget one call: the proof has to miss")
    given = options.parse_args()
    stop_when_told()
    tell_machine()
    missed = prove_cost()
    missed += asyncio.run(prove_tally(given.calls, given.seed, given.defect))
    verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
