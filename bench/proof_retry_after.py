"""Retry-After is true, when each client waits exactly as long as it was told and then comes again.

Four places, a line of ten, jobs of 0.5 to 2.5 seconds. More than a hundred clients, each with an address of its own on
loopback, come in three ways: all at once, and at 1.2 and 2 times the pace at which the four places can work. Before
that the service has seen some jobs, so that it knows how long they take. Who gets a 503 waits its Retry-After, neither
more nor less, and comes again, until it is served.

What is meant: of those who are refused and wait it out once, at least nine in ten are served when they come again, in
each of the three ways; the figure for every wait, not only the first, is beside it. So that no service passes by
telling everybody to come in two minutes, or by letting nobody in: the four places must work for at least 70 % of the
time from the first client to the last answer. All must be served in the end.

Turned around, `--defect` puts a gate between that tells every client the same, "the line's length times a job", as
whoever counts only those who stand in line does: the refused come again all together, and the proof misses.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import statistics
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from load import ours, verdict
from processes import HEALTH, running, stop_when_told
from tables import print_table, tell_machine

from fakes.a1111 import Reply, Seen, answer, open_scripted_a1111, said
from fakes.clients import understand
from fakes.pictures import png

PLACES, LINE = 4, 10
SHORTEST, LONGEST = 0.5, 2.5  # seconds of a job
MEAN = (SHORTEST + LONGEST) / 2
FEWEST = 10  # refused clients of which a percentage says anything
SEEN_BEFORE = 16  # jobs
SERVED_AT_SECOND = 90.0  # percent, at least
AT_WORK = 70.0  # percent of the time of all places, at least
MOST_TRIES = 40
PATIENCE = 60.0  # seconds that one answer may take
# How many come, and how many times faster than they can be served.
WAYS = {"all at once": (120, math.inf), "at 1.2 times the pace": (200, 1.2), "at 2 times the pace": (120, 2.0)}


@dataclass
class Client:
    """One client: when it came, what it was told, and when it had its frame; seconds."""

    number: int
    came: float = 0.0
    told: list[int] = field(default_factory=list)
    served: float = 0.0

    async def run(self, port: int) -> None:
        self.came = time.monotonic()
        while len(self.told) < MOST_TRIES:
            status, wait = await ask(port, self.number)
            if status == 200:
                self.served = time.monotonic()
                return
            self.told.append(wait)
            await asyncio.sleep(wait)


@dataclass
class Work:
    """The upstream's side: how long each job takes, and how long all of them took."""

    chance: random.Random
    done: float = 0.0

    def reply(self, seen: Seen) -> Reply:
        if seen.method != "POST" or not seen.target.endswith("2img"):
            return said({"progress": 0.0, "state": {"job_count": 0}})
        seconds, gate = self.chance.uniform(SHORTEST, LONGEST), asyncio.Event()
        self.done += seconds
        asyncio.get_running_loop().call_later(seconds, gate.set)
        return replace(answer(png()), gate=gate)


@dataclass
class Way:
    name: str
    clients: list[Client]
    done: float

    @property
    def refused(self) -> list[Client]:
        return [one for one in self.clients if one.told]

    @property
    def at_second(self) -> float:
        """Percent of those refused who were served when they came again."""
        return percent(len([one for one in self.refused if len(one.told) == 1 and one.served]), len(self.refused))

    @property
    def at_work(self) -> float:
        seconds = max(one.served for one in self.clients) - min(one.came for one in self.clients)
        return percent(self.done, PLACES * seconds)

    def row(self) -> list[str]:
        told = [wait for one in self.clients for wait in one.told] or [0]
        waits = [one.served - one.came for one in self.clients if one.served]
        served = len([one for one in self.refused if one.served])
        return [
            self.name,
            str(len(self.clients)),
            str(len(self.refused)),
            f"**{self.at_second:.0f}**",
            f"{percent(served, len(told)):.0f}",
            str(max(len(one.told) + 1 for one in self.clients)),
            f"{statistics.mean(told):.1f}",
            str(max(told)),
            f"{statistics.mean(waits):.1f}",
            f"{max(waits):.1f}",
            f"{self.at_work:.0f}",
        ]

    def missed(self) -> list[str]:
        found = []
        if not all(one.served for one in self.clients):
            found.append(f"{self.name}: some were never served")
        if len(self.refused) < FEWEST:
            found.append(f"{self.name}: too few were refused for it to say anything")
        elif self.at_second < SERVED_AT_SECOND:
            found.append(f"{self.name}: {self.at_second:.0f} % were served when they came again")
        if self.at_work < AT_WORK:
            found.append(f"{self.name}: the places worked for {self.at_work:.0f} % of the time")
        return found


def percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 100.0


def main() -> None:
    options = argparse.ArgumentParser(description="Retry-After is true.")
    options.add_argument("--seed", type=int, default=2)
    options.add_argument("--defect", action="store_true", help="with a gate that counts only those in line")
    given = options.parse_args()
    stop_when_told()
    tell_machine()
    ways = asyncio.run(all_ways(given))
    columns = ["refused", "served at the second try, %", "waits that ended served, %", "most tries"]
    columns += ["told, mean s", "told, most s", "wait in all, mean s", "most s", "places at work, %"]
    print_table("Clients who wait what they are told", ["they come", "clients", *columns], [way.row() for way in ways])
    verdict([fault for way in ways for fault in way.missed()])


async def all_ways(given: argparse.Namespace) -> list[Way]:
    """Side by side, each with a service of its own: all of them wait, most of the time."""
    return await asyncio.gather(*(run(name, given) for name in WAYS))


async def run(name: str, given: argparse.Namespace) -> Way:
    count, pace = WAYS[name]
    async with AsyncExitStack() as stack:
        work = Work(random.Random(f"{given.seed} {name}"))
        upstream = await stack.enter_async_context(open_scripted_a1111())
        upstream.standing = work.reply
        if given.defect:
            port = await stack.enter_async_context(open_naive_gate(work))
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            starting = running(ours(upstream.port, folder, max_workers=PLACES, queue_size=LINE), HEALTH)
            service = await asyncio.to_thread(starting.__enter__)  # which needs the upstream of this loop
            stack.push_async_callback(asyncio.to_thread, starting.__exit__, None, None, None)
            port = service.port
        for _ in range(SEEN_BEFORE // PLACES):
            await asyncio.gather(*(ask(port, count + place) for place in range(PLACES)))
        before, clients, chance = work.done, [], random.Random(given.seed)
        coming = []
        for number in range(count):
            clients.append(Client(number))
            coming.append(asyncio.create_task(clients[-1].run(port)))
            await asyncio.sleep(chance.expovariate(pace * PLACES / MEAN) if pace < math.inf else 0)
        await asyncio.gather(*coming)
    return Way(name, clients, work.done - before)


async def ask(port: int, number: int) -> tuple[int, int]:
    """One try from an address of its own; the status, and the Retry-After in seconds."""
    source = (f"127.0.{1 + number // 250}.{1 + number % 250}", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source)
    try:
        body = json.dumps({"prompt": f"client {number}"}).encode()
        lines = ["POST /sdapi/v1/txt2img HTTP/1.1", "Host: pico", "Accept: application/octet-stream"]
        lines += ["Connection: close", f"Content-Length: {len(body)}"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        heard = understand(await asyncio.wait_for(reader.read(), PATIENCE), "POST")
    finally:
        writer.close()
    if heard.status not in (200, 503):
        raise RuntimeError(f"A client got {heard.status}: {heard.body[:200]!r}")
    return heard.status, int(dict(heard.headers)["Retry-After"]) if heard.status == 503 else 0


# --- The defect -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def open_naive_gate(work: Work) -> AsyncIterator[int]:
    """A service that draws nothing: four places, a line, and the same Retry-After for all who are refused at a time."""
    inside, line = 0, deque[asyncio.Future[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal inside
        await reader.readuntil(b"\r\n\r\n")
        if inside >= PLACES and len(line) >= LINE:
            wait = math.ceil((len(line) + 1) / PLACES * MEAN)
            told = f"HTTP/1.1 503 Full\r\nRetry-After: {wait}\r\nContent-Length: 0\r\n\r\n"
        else:
            if inside >= PLACES:
                line.append(asyncio.get_running_loop().create_future())
                await line[-1]
            else:
                inside += 1
            seconds = work.chance.uniform(SHORTEST, LONGEST)
            work.done += seconds
            await asyncio.sleep(seconds)
            if line:
                line.popleft().set_result(None)
            else:
                inside -= 1
            told = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        writer.write(told.encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    async with server:
        yield server.sockets[0].getsockname()[1]


if __name__ == "__main__":
    main()
