"""An office with tickets: an upstream that ends each generation as the test says, and a clock that it sets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fakes.pictures import b64, png
from fakes.turns import turns
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.archive import Archive, CacheFigures
from pico_a1111_proxy.claims import Ticket
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.gate import Gate
from pico_a1111_proxy.jobs import Generation, Job, Progress
from pico_a1111_proxy.newest import Newest
from pico_a1111_proxy.outlooks import Stage
from pico_a1111_proxy.proxy import Condition, Finding, Proxy, RelayAnswer, RelayRequest
from pico_a1111_proxy.tickets import Bounds, Tickets

LONG = 60.0  # seconds that no test here lasts
KEEP = 600.0
DISPLAY = default_display(8, 8, invert=True)
FRAME = convert(png(), DISPLAY)
ANSWER = Answer(200, (), json.dumps({"images": [b64(png())], "parameters": {}, "info": "{}"}).encode())


class Painter:
    """An upstream that ends each generation when the test says so, with what the test says."""

    def __init__(self) -> None:
        self.begun: list[Job] = []
        self.abandoned: list[Job] = []
        self.stages: dict[bytes, Stage] = {}  # by body
        self._ends: list[asyncio.Future[Answer]] = []

    async def generate(self, job: Job) -> Generation:
        self.begun.append(job)
        self._ends.append(asyncio.get_running_loop().create_future())
        return Generation.read(await self._ends[-1])

    async def finish(self, number: int, outcome: Answer | Exception = ANSWER) -> None:
        await turns()  # lets it begin
        end = self._ends[number]
        end.set_exception(outcome) if isinstance(outcome, Exception) else end.set_result(outcome)

    async def abandon(self, job: Job) -> None:
        self.abandoned.append(job)

    def stage(self, job: Job, *, closely: bool = False) -> Stage | None:
        return self.stages.get(job.body)

    def relay(self, request: RelayRequest) -> AbstractAsyncContextManager[RelayAnswer]:
        raise NotImplementedError

    async def progress(self) -> Progress:
        raise NotImplementedError

    async def check(self) -> Condition:
        raise NotImplementedError

    def examine(self) -> AsyncIterator[Finding]:
        raise NotImplementedError


class Remembering:
    """A cache that remembers all."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    async def get(self, key: str) -> Answer | None:
        return self._answers.get(key)

    async def set(self, key: str, answer: Answer) -> None:
        self._answers[key] = answer

    async def clear(self) -> None:
        self._answers.clear()

    def figures(self) -> CacheFigures:
        return CacheFigures(entries=len(self._answers))


@dataclass
class Office:
    """Tickets with all that is behind them; `now` is the clock's."""

    threads: ThreadPoolExecutor
    now: float = 1000.0
    painter: Painter = field(default_factory=Painter)

    def open(self, places: int = 1, line: int = 5, cache: Any = None, board: Any = None, **bounds: int) -> Tickets:
        gate = Gate(places, line, self.clock)
        archive = Archive(cache, LONG, self.clock)
        self.newest = Newest({DISPLAY.name: DISPLAY}, self.threads)
        self.proxy = Proxy(self.painter, gate, archive, self.threads, self.newest)
        self.tickets = Tickets(self.proxy, KEEP, self.clock, Bounds(**bounds), board)
        return self.tickets

    async def close(self) -> None:
        await self.tickets.end()
        await self.proxy.close()

    def clock(self) -> float:
        return self.now


@asynccontextmanager
async def open_office() -> AsyncIterator[Office]:
    """An office, whose tickets are ended with the block."""
    with ThreadPoolExecutor(1) as threads:
        office = Office(threads)
        yield office
        await office.close()


def job(name: str = "a", seed: bool = False) -> Job:
    return Job("txt2img", name.encode(), DISPLAY, key=name if seed else None, repeatable=seed)


async def over(*tickets: Ticket) -> None:
    for ticket in tickets:
        await ticket.wait(LONG)
        assert ticket.is_over


async def done(office: Office, tickets: Tickets, name: str = "a") -> Ticket:
    ticket = await tickets.open(job(name))
    await turns()
    await office.painter.finish(len(office.painter.begun) - 1)
    await over(ticket)
    return ticket
