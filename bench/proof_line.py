"""The line: its bound is exact, who leaves it never reaches the upstream, and equal jobs are drawn once.

Proofs of the gate through the wire, against a scripted upstream that counts who is inside.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from typing import Any

from load import ours, percentile, verdict
from processes import HEALTH, Running, running, stop_when_told
from tables import print_table, tell_machine

from fakes.a1111 import ScriptedA1111, Seen, answer, open_scripted_a1111, said
from fakes.pictures import png

WORKERS, LINE, TOO_MANY = 4, 10, 50
REFUSED_MS, FREE_SECONDS = 50.0, 1.0
HEAD = "POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: a\r\nAccept: application/octet-stream\r\nConnection: close\r\n"
PATIENCE = 60


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


async def dial(
    service: Running, document: dict[str, Any], now: asyncio.Event | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which the request is on its way."""
    body = json.dumps(document)
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    if now:
        await now.wait()
    writer.write(f"{HEAD}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    return reader, writer


async def hear(reader: asyncio.StreamReader, started: float) -> Got:
    """The whole answer."""
    data = await asyncio.wait_for(reader.read(), PATIENCE)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Got(int(first.split()[1]), headers, body, time.perf_counter() - started)


async def ask(service: Running, document: dict[str, Any], now: asyncio.Event | None = None) -> Got:
    reader, writer = await dial(service, document, now)
    started = time.perf_counter()
    with closing(writer):
        return await hear(reader, started)


async def queue_of(service: Running) -> dict[str, int]:
    """What /health says of the line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    with closing(writer):
        writer.write(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        queue: dict[str, int] = json.loads((await hear(reader, 0)).body)["queue"]
        return queue


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> float:
    """Seconds until it holds; infinite if it does not in time."""
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        if await holds():
            return time.perf_counter() - started
        await asyncio.sleep(0.01)
    return float("inf")


@dataclass
class Drawing:
    """What the upstream does with jobs: it keeps them until `done`, and counts them by their prompt."""

    done: asyncio.Event
    drawn: Counter[str]

    def reply(self, seen: Seen) -> Any:
        if seen.method != "POST" or "txt2img" not in seen.target:
            return said({"progress": 0, "state": {"job_count": 0}})
        self.drawn[json.loads(seen.body)["prompt"]] += 1
        return replace(answer(png()), gate=self.done)


@asynccontextmanager
async def scene() -> AsyncIterator[tuple[Running, ScriptedA1111, Drawing]]:
    """The service, a scripted upstream, and what that does."""
    async with open_scripted_a1111() as upstream:
        drawing = Drawing(asyncio.Event(), Counter())
        upstream.standing = drawing.reply
        with tempfile.TemporaryDirectory() as folder:
            program = ours(upstream.port, folder, max_workers=WORKERS, queue_size=LINE)
            stack = running(program, HEALTH)
            # Its start waits for an answer in a thread, for which the upstream's loop must go on.
            service = await asyncio.to_thread(stack.__enter__)
            try:
                yield service, upstream, drawing
            finally:
                await asyncio.to_thread(stack.__exit__, None, None, None)


async def prove_bound(rounds: int) -> list[str]:
    """W workers, Q places, W+Q+50 at once."""
    missed, slowest, inside = [], [], 0
    async with scene() as (service, upstream, drawing):
        for nth in range(rounds):
            drawing.done.clear()
            everybody_at_once = asyncio.Event()
            asked = [
                asyncio.create_task(ask(service, {"prompt": f"{nth}-{one}"}, everybody_at_once))
                for one in range(WORKERS + LINE + TOO_MANY)
            ]
            await asyncio.sleep(0.2)  # until all are connected
            everybody_at_once.set()
            refused: list[Got] = []
            for soonest in asyncio.as_completed(asked):
                refused.append(await soonest)
                if len(refused) == TOO_MANY:
                    break
            drawing.done.set()
            everybody = Counter(got.status for got in await asyncio.gather(*asked))
            slowest.append(max(got.seconds for got in refused) * 1000)
            inside = max(inside, upstream.most_inside)
            told = all(int(got.headers.get("Retry-After", 0)) >= 1 for got in refused)
            if everybody != {200: WORKERS + LINE, 503: TOO_MANY} or not told:
                missed.append(f"round {nth}: {dict(everybody)}, Retry-After {told}")
    rows = [
        ["rounds", f"{rounds}"],
        ["served and refused in each", f"{WORKERS + LINE} and {TOO_MANY}" if not missed else "NOT ALWAYS"],
        ["most inside the upstream at once", f"{inside} of {WORKERS}"],
        ["the slowest refusal of a round, ms: median", f"{percentile(slowest, 50):.0f}"],
        ["the same, worst round", f"{max(slowest):.0f}"],
    ]
    print_table(f"The bound: {WORKERS} places, a line of {LINE}, {WORKERS + LINE + TOO_MANY} at once", ["", ""], rows)
    if inside > WORKERS:
        missed.append(f"{inside} inside")
    if percentile(slowest, 50) > REFUSED_MS:
        missed.append(f"refusals take {percentile(slowest, 50):.0f} ms")
    return missed


async def prove_leaving(count: int) -> list[str]:
    """Clients that leave the line."""
    async with scene() as (service, _, drawing):
        working = [asyncio.create_task(ask(service, {"prompt": "stays"})) for _ in range(WORKERS)]

        async def is_full() -> bool:
            return (await queue_of(service))["in_flight"] == WORKERS

        async def is_empty() -> bool:
            return (await queue_of(service))["waiting"] == 0

        await until(is_full)
        freed = []
        for start in range(0, count, LINE):
            leaving = [await dial(service, {"prompt": "left"}) for _ in range(min(LINE, count - start))]
            wanted = len(leaving)

            async def are_in_line(wanted: int = wanted) -> bool:
                return (await queue_of(service))["waiting"] == wanted

            await until(are_in_line)
            for nth, (_, writer) in enumerate(leaving):
                writer.transport.abort() if nth % 2 else writer.close()
            freed.append(await until(is_empty))
        drawing.done.set()
        served = Counter(got.status for got in await asyncio.gather(*working))
        after = (await ask(service, {"prompt": "after"})).status
    rows = [
        ["clients that left the line", f"{count}"],
        ["of them drawn", f"{drawing.drawn['left']}"],
        ["until the line was empty, s: p99", f"{percentile(freed, 99):.3f}"],
        ["those who stayed", f"{dict(served)}"],
    ]
    print_table("No dead work", ["", ""], rows)
    missed = [f"{drawing.drawn['left']} drawn for nobody"] if drawing.drawn["left"] else []
    missed += [f"a place was free after {max(freed):.1f} s"] if max(freed) > FREE_SECONDS else []
    return missed + ([] if served == {200: WORKERS} and after == 200 else ["who stayed was not served"])


async def prove_coalescing() -> list[str]:
    """A hundred equal jobs with a seed; the same, and the first leaves; the same, and all leave."""
    rows, missed = [], []
    for leave in (0, 1, 100):
        async with scene() as (service, upstream, drawing):
            dialled = [await dial(service, {"prompt": "same", "seed": 7})]

            async def is_inside(upstream: ScriptedA1111 = upstream) -> bool:
                return upstream.inside == 1

            await until(is_inside)
            dialled += [await dial(service, {"prompt": "same", "seed": 7}) for _ in range(99)]
            for _ in range(20):
                await queue_of(service)  # all of them have been read by then
            for _, writer in dialled[:leave]:
                writer.transport.abort()

            async def is_idle(upstream: ScriptedA1111 = upstream) -> bool:
                return upstream.inside == 0

            cancelled = await until(is_idle, 5) if leave == 100 else 0.0
            drawing.done.set()
            heard = [await hear(reader, 0) for reader, _ in dialled[leave:]]
            bodies = {got.body for got in heard if got.status == 200 and len(got.body) == 115_200}
            for _, writer in dialled:
                writer.close()
        whole = len([got for got in heard if got.status == 200])
        rows.append([f"{leave}", f"{drawing.drawn['same']}", f"{whole}", f"{len(bodies)}", f"{cancelled:.2f}"])
        if drawing.drawn["same"] != 1 or whole != 100 - leave or len(bodies) > 1 or cancelled > FREE_SECONDS:
            missed.append(f"{leave} left")
    head = ["of 100 who ask for the same, left", "drawn", "served", "different frames", "cancelled after s"]
    print_table("Equal jobs", head, rows)
    return missed


async def prove(given: argparse.Namespace) -> list[str]:
    missed = [f"the bound, {words}" for words in await prove_bound(given.rounds)]
    missed += [f"leaving: {words}" for words in await prove_leaving(given.leaving)]
    return missed + [f"equal jobs: {words}" for words in await prove_coalescing()]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=100, help="times that too many come at once")
    options.add_argument("--leaving", type=int, default=1000, help="clients that leave the line")
    given = options.parse_args()
    stop_when_told()
    tell_machine()
    verdict(asyncio.run(prove(given)))


if __name__ == "__main__":
    main()
