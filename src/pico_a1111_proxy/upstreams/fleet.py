"""Fleet: workers that draw, somewhere behind a Redis, as one upstream."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from pico_a1111_proxy.answers import Answer, at_once
from pico_a1111_proxy.crews import CrewFigures
from pico_a1111_proxy.errors import (
    FleetUnavailable,
    ProxyError,
    QueueFull,
    UpstreamTimeout,
    UpstreamUnavailable,
    whole_retry,
)
from pico_a1111_proxy.fleet.broker import LEASE_SECONDS, Broker
from pico_a1111_proxy.fleet.hub import Hub
from pico_a1111_proxy.fleet.line import Line, Seen
from pico_a1111_proxy.fleet.link import UNREACHABLE, end, within
from pico_a1111_proxy.fleet.parcels import unpack_answer
from pico_a1111_proxy.jobs import Generation, Job, Progress
from pico_a1111_proxy.outlooks import Stage
from pico_a1111_proxy.proxy import Condition, Finding, RelayAnswer, RelayRequest, Upstream
from pico_a1111_proxy.upstreams import wire
from pico_a1111_proxy.upstreams.sharing import is_for_the_busy

LOOK_SECONDS = 1.0  # between two looks at all jobs, should anything that was told have been missed
DOWN_SECONDS = 0.3  # that Redis may be away before those who wait are told
LATE_SECONDS = 2 * LEASE_SECONDS  # beyond its time, for a worker that dies and another that takes over
KEPT_SECONDS = 600.0  # that a job is known beyond all its times

_NO_WORKER = "No worker of the fleet takes jobs at the moment"
_FORGOTTEN, _LOST = "The fleet has forgotten the job", "Its Redis has lost what it held"
_NO_SIGHT = "The fleet's web UIs can't be reached from here: A1111_BASE_URL must list them"

log = structlog.get_logger("fleet")


@dataclass(eq=False)
class _Entry:
    """A job of ours in the line, or being drawn."""

    job: Job
    name: str = field(default_factory=lambda: secrets.token_hex(16))
    seen: Seen = field(default_factory=Seen)
    seen_at: float = 0.0
    has_entered: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    error: ProxyError | None = None


class Fleet:
    """Made by `open_fleet`. `beside` is the upstream to which the relay goes, None where there is none.

    A job may stand in line for `patience` seconds, and be drawn for `seconds`.
    """

    def __init__(
        self,
        hub: Hub,
        broker: Broker,
        crew: Callable[[], CrewFigures],
        limits: tuple[float, float],
        beside: Upstream | None,
    ) -> None:
        self._hub = hub
        self._line = Line(hub.link)
        self._broker = broker
        self._crew = crew
        self._patience, self._seconds = limits
        self._beside = beside
        self._channel = f"proxy:{hub.name}"
        self._entries: dict[str, _Entry] = {}
        self._by_job: dict[int, _Entry] = {}
        self._owed: set[str] = set()  # jobs to be withdrawn
        self._chores: set[asyncio.Task[None]] = set()
        hub.listen(self._channel, self._hear, self._look_soon)
        hub.changed.append(self._hub_changed)

    async def generate(self, job: Job) -> Generation:
        """Have a worker draw it, and wait for that. Raises UpstreamError, and QueueFull where none began in time."""
        if not self._hub.is_up:
            raise FleetUnavailable(UNREACHABLE)
        if not self._crew().present:
            raise FleetUnavailable(_NO_WORKER, _words(self._crew()))
        entry = _Entry(job)
        self._entries[entry.name] = self._by_job[id(job)] = entry
        try:
            keep = self._patience + self._seconds + LATE_SECONDS + KEPT_SECONDS
            place = await self._line.enter(entry.name, job, self._channel, self._patience, keep)
            entry.seen, entry.has_entered = Seen(position=place), True
            # As long as it may be redelivered: whether it is too late to begin is for the line to say.
            await self._broker.send(entry.name, job.priority, keep)
            answer = await self._outcome(entry)
        finally:
            del self._entries[entry.name], self._by_job[id(job)]
            self._later(self._withdraw(entry.name))
        return await wire.read_generation(answer)

    @asynccontextmanager
    async def relay(self, request: RelayRequest) -> AsyncIterator[RelayAnswer]:
        """Pass it on beside the fleet; how far a generation is, is asked of the one that draws for us."""
        if is_for_the_busy(request) and (self._drawn_last() or self._beside is None):
            yield _progress_answer(await self.progress())
            return
        if self._beside is None:
            raise UpstreamUnavailable("Upstream A1111 service unavailable", _NO_SIGHT, unsent=True)
        async with self._beside.relay(request) as answer:
            yield answer

    async def abandon(self, job: Job) -> None:
        """It is out of the line by now, and its worker hears of that; the place here is free at once."""

    async def progress(self) -> Progress:
        """How far the one is that began last for us; else what the upstream beside says. Raises UpstreamError."""
        entry = self._drawn_last()
        if entry is None:
            return await self._beside.progress() if self._beside else Progress()
        picture = await self._line.watch(entry.name)
        await self._look([entry.name])  # so that the figures are as new as the picture
        told = entry.seen.told or Progress()
        return Progress(told.fraction, told.eta_seconds, told.step, max(told.steps, 1), picture)

    def stage(self, job: Job, *, closely: bool = False) -> Stage | None:
        """Where it is in the line that all proxies share, or how far its worker is."""
        entry = self._by_job.get(id(job))
        if entry is None or not entry.has_entered:
            return None
        if entry.seen.begun and closely:
            self._later(self._line.watch(entry.name))
        since = asyncio.get_running_loop().time() - entry.seen_at
        seconds = entry.seen.seconds + since if entry.seen.begun else 0.0
        return Stage(entry.seen.position, seconds, entry.seen.told, entry is self._drawn_last())

    async def check(self) -> Condition:
        """Usable is a fleet in which somebody takes jobs."""
        crew = self._crew()
        if not self._hub.is_up:
            return Condition("fleet", usable=False, words=UNREACHABLE)
        return Condition("fleet", usable=crew.present > 0, words=_words(crew))

    async def examine(self) -> AsyncIterator[Finding]:
        """Redis, the workers, and the way to the upstream beside."""
        try:
            await self._line.look([])
        except FleetUnavailable as error:
            yield Finding("redis", False, f"{error.detail}: is it running, and is REDIS_URL right?")
            return
        yield Finding("redis", True, "it answers")
        crew = self._crew()
        start = "start one on each GPU host: pico-a1111-proxy worker --upstream http://127.0.0.1:7860"
        yield Finding("workers", crew.present > 0, _words(crew) if crew.present else f"{_words(crew)}; {start}")
        if self._beside:
            async for finding in self._beside.examine():
                yield finding

    async def close(self) -> None:
        """Wait for what is still to be told to Redis."""
        while self._chores:
            await asyncio.wait(self._chores)

    async def run(self) -> None:
        """Look at all jobs again and again."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look(list(self._entries))
                await _quietly(self._withdraw(*self._owed))
            except Exception:
                log.exception("surprise")

    async def _outcome(self, entry: _Entry) -> Answer:
        """What came of it. Raises any ProxyError."""
        now = asyncio.get_running_loop().time
        entered = now()
        while True:
            if entry.error:
                raise entry.error
            if entry.seen.is_over:
                return await self._fetch(entry)
            if entry.seen.begun:
                left = entry.seen_at - entry.seen.seconds + self._seconds + LATE_SECONDS - now()
            else:
                left = entered + self._patience - now()
            if left <= 0:
                raise self._too_late(entry)
            entry.wake.clear()
            with suppress(asyncio.TimeoutError):
                await within(left, entry.wake.wait())

    async def _fetch(self, entry: _Entry) -> Answer:
        outcome = await self._line.fetch(entry.name)
        if isinstance(outcome, ProxyError):
            raise outcome
        if outcome is None:
            raise FleetUnavailable(_FORGOTTEN, _LOST)
        if len(outcome) > wire.LONG:
            return await asyncio.to_thread(unpack_answer, outcome)
        return unpack_answer(outcome)

    def _too_late(self, entry: _Entry) -> ProxyError:
        if entry.seen.begun:
            return UpstreamTimeout("The fleet did not answer in time")
        return QueueFull("No worker of the fleet came free in time", whole_retry(self._crew().seconds_until(1)))

    def _drawn_last(self) -> _Entry | None:
        drawn = [entry for entry in self._entries.values() if entry.seen.begun and not entry.seen.is_over]
        now = asyncio.get_running_loop().time()
        return min(drawn, key=lambda entry: entry.seen.seconds + now - entry.seen_at, default=None)

    def _hear(self, message: bytes) -> None:
        name = message.decode(errors="replace")
        if name in self._entries:
            self._later(self._look([name]))

    def _look_soon(self) -> None:
        self._later(self._look(list(self._entries)))
        self._later(self._withdraw(*self._owed))

    async def _withdraw(self, *names: str) -> None:
        """Take them out of the line; where Redis is away, once it is back: nobody is to draw for nobody."""
        self._owed.update(names)
        for name in names:
            await self._line.withdraw(name)
            self._owed.discard(name)

    async def _look(self, names: list[str]) -> None:
        # One that is on its way into the line is not gone, though the answer may come after it has entered.
        names = [name for name in names if name in self._entries and self._entries[name].has_entered]
        if not names:
            return
        with suppress(FleetUnavailable):  # it is told by the hub's being down
            for name, seen in zip(names, await self._line.look(names), strict=True):
                entry = self._entries.get(name)
                if entry is None:
                    continue
                if seen.is_gone:
                    entry.error = FleetUnavailable(_FORGOTTEN, _LOST)
                elif not entry.seen.is_over:  # what was asked earlier may arrive later
                    entry.seen, entry.seen_at = seen, asyncio.get_running_loop().time()
                entry.wake.set()

    def _hub_changed(self) -> None:
        if not self._hub.is_up:
            asyncio.get_running_loop().call_later(DOWN_SECONDS, self._tell_down)

    def _tell_down(self) -> None:
        if self._hub.is_up:
            return
        for entry in self._entries.values():
            entry.error = FleetUnavailable(UNREACHABLE)
            entry.wake.set()

    def _later(self, work: Coroutine[Any, Any, object]) -> None:
        chore = asyncio.create_task(_quietly(work))
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)


@asynccontextmanager
async def open_fleet(fleet: Fleet) -> AsyncIterator[Fleet]:
    """`fleet` at work until the block ends."""
    async with AsyncExitStack() as stack:
        running = asyncio.create_task(fleet.run())
        stack.push_async_callback(fleet.close)
        stack.push_async_callback(end, running)
        yield fleet


async def _quietly(work: Coroutine[Any, Any, object]) -> None:
    with suppress(FleetUnavailable):
        await work


def _words(crew: CrewFigures) -> str:
    if not crew.workers:
        return "No worker is there"
    words = [f"{crew.taking} of {len(crew.workers)} workers take jobs"]
    words += [f"{worker.name}: {worker.words}" for worker in crew.workers if worker.words]
    return "; ".join(words)


def _progress_answer(progress: Progress) -> RelayAnswer:
    body = orjson.dumps(progress.as_a1111())
    headers = (("Content-Type", "application/json"), ("Content-Length", str(len(body))))
    return RelayAnswer(200, headers, at_once(body))
