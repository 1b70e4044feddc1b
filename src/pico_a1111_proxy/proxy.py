"""The story: a Job comes in, passes the gate, an upstream generates, a thread converts, a Rendering goes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from pico_a1111_proxy.answers import Headers
from pico_a1111_proxy.archive import Archive
from pico_a1111_proxy.attempts import Attempt
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import BadRequest, ProxyError, UpstreamTimeout
from pico_a1111_proxy.flights import Flight
from pico_a1111_proxy.frames import Frame, convert, preview
from pico_a1111_proxy.gate import Gate, Visit
from pico_a1111_proxy.jobs import Generation, Job, Progress
from pico_a1111_proxy.newest import Newest, Published, arrival
from pico_a1111_proxy.outlooks import Stage
from pico_a1111_proxy.renderings import Rendering, develop
from pico_a1111_proxy.served import BEGUN, Listener, Served, Telling, nobody
from pico_a1111_proxy.testcards import draw_testcard

T = TypeVar("T")

MOST_READ = 4  # generations that are taken out of the archive at once


@dataclass(frozen=True)
class Condition:
    """How an upstream is: its kind (`a1111`, `demo`), whether it can be used, and what is wrong if not."""

    kind: str
    usable: bool
    words: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at on the way to an upstream, and in plain words what to do about it."""

    what: str
    good: bool
    words: str


@dataclass(frozen=True)
class RelayRequest:
    """A client's request on its way up: `target` is path and query as the client wrote them.

    `headers` hold nothing that belongs to the client's connection and none of its credentials. `body` comes as it
    arrives, at most once; None is no body.
    """

    method: str
    target: str
    headers: Headers
    body: AsyncIterator[bytes] | None = None


@dataclass(frozen=True)
class RelayAnswer:
    """An upstream's answer on its way down: `body` comes as it arrives, at most once, in the coding it came in."""

    status: int
    headers: Headers
    body: AsyncIterator[bytes]


class Upstream(Protocol):
    """Whatever generates pictures: a web UI or several, workers of a fleet, the demo painter."""

    async def generate(self, job: Job) -> Generation:
        """Generate once, never twice. Raises UpstreamError."""
        ...

    def relay(self, request: RelayRequest) -> AbstractAsyncContextManager[RelayAnswer]:
        """Pass on what is no generation, once; closed with its block. Raises UpstreamError, also from the body."""
        ...

    async def abandon(self, job: Job) -> None:
        """Nobody waits for `job` any more, whose `generate` has ended with a time-out or a cancellation.

        Stops it where it is known to be the one that runs. Returns when the upstream is idle, or cannot say.

        Never raises.
        """
        ...

    async def progress(self) -> Progress:
        """How far the running generation is, whoever's it is. Raises UpstreamError."""
        ...

    def stage(self, job: Job, *, closely: bool = False) -> Stage | None:
        """How far `job` is on its way; None where one can't be told from another. Who looks `closely` looks again."""
        ...

    async def check(self) -> Condition:
        """Whether it can be used now; never raises for an upstream that can't."""
        ...

    def examine(self) -> AsyncIterator[Finding]:
        """Walk the way to it step by step and tell each; ends after the first bad one."""
        ...


class Proxy:
    """Renders jobs with one upstream, and publishes what it renders.

    `converters` is the bounded pool of threads that convert. `tell` is told what happens.
    """

    def __init__(self, upstream: Upstream, gate: Gate, archive: Archive, converters: Executor, newest: Newest) -> None:
        self.upstream = upstream
        self.gate = gate
        self.archive = archive
        self.tell: Listener = nobody
        self._newest = newest
        self._converters = converters
        self._reading = asyncio.Semaphore(MOST_READ)
        self._attempts: dict[Hashable, Attempt] = {}
        self._chores: set[asyncio.Task[None]] = set()

    def recall(self, job: Job) -> Rendering | None:
        """The rendering of `job`, if it is ready to be sent."""
        rendering = self.archive.recall(job)
        if rendering:
            self._publish(job, rendering, None)
            self.tell(Served("rendering", rendering.origin, job=job))
        return rendering

    async def render(self, job: Job) -> Rendering:
        """Generate and convert `job`, unless that has been done or is being done. Raises any ProxyError.

        Cancelled in line, it leaves the line and nothing goes upstream. Cancelled later, the work ends with the last
        who wanted it; its place comes free when the upstream says that it is idle.
        """
        rendering = self.recall(job)
        return rendering or await self.finish(job, self.attempt(job))

    def attempt(self, job: Job) -> Attempt:
        """Begin to generate `job`, or join those who want the same; `finish` makes the rendering of it."""
        moment = self.archive.moment
        shared = (job.key, moment) if job.repeatable and job.key and job.caching == "use" else None
        known = self._attempts.get(shared)
        if known and known.flight.is_of_use:
            known.promise()  # what two wait for is not the one's to lose
            return known
        attempt = Attempt(job, moment, lambda: self.upstream.stage(job))
        key = shared or attempt
        attempt.flight = Flight(self._generate(job, attempt), lambda: self._later(self._land(key, attempt)))
        self._attempts[key] = attempt
        return attempt

    async def finish(self, job: Job, attempt: Attempt) -> Rendering:
        """Wait for the generation, and make of it what `job` wants. Raises any ProxyError."""
        with Telling(self.tell, self.gate.clock, "rendering", job) as telling:
            generation = await attempt.wait(job.patience)
            rendering = await self._develop(job, attempt, generation)
            self._publish(job, rendering, attempt.number)
            telling.outcome = origin = attempt.origin(job)
        return replace(rendering, origin=origin)

    def give_up(self, job: Job, visit: Visit, error: BaseException) -> None:
        """`job` has ended with `error` at the upstream: give its place back, once that is free."""
        if isinstance(error, asyncio.CancelledError) or (isinstance(error, UpstreamTimeout) and not error.unsent):
            # No server stops drawing because somebody hung up: the place is not free before the upstream is.
            self._later(self._abandon(job, visit))
        else:
            visit.leave(worked=False)

    async def close(self) -> None:
        """End all that is still going on: whoever waited for it has been sent away by now."""
        for attempt in list(self._attempts.values()):
            await attempt.flight.end()
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)

    async def convert(self, picture: bytes, display: Display) -> Frame:
        """The frame of an encoded picture. Raises PictureError."""
        with Telling(self.tell, self.gate.clock, "conversion"):
            return await self._in_thread(convert, picture, display)

    async def preview(self, frame: Frame, display: Display) -> bytes:
        """A PNG of what the panel of `display` shows of `frame`."""
        return await self._in_thread(preview, frame, display)

    async def testcard(self, display: Display) -> bytes:
        """The test card of `display` as a PNG."""
        return await self._in_thread(draw_testcard, display)

    async def _generate(self, job: Job, attempt: Attempt) -> Generation:
        """The work of an attempt. `job` is that of the first who asked."""
        try:
            known = await self._remembered(job, attempt)
            if known is None and self.archive.is_shared(job):
                await attempt.be_alone(self.archive, self.gate.patience)
                known = await self._remembered(job, attempt, again=True)
            if known:
                return known
            visit = attempt.come(self.gate.come(job.client))
        finally:
            attempt.settled.set()
        with Telling(self.tell, self.gate.clock, "line", job):
            await visit.admitted()
        generation = await self._ask(job, visit)
        attempt.number = arrival()
        # The place is held until the frames are made: what is in flight is bounded in memory too, not only in number.
        self.archive.renew(job)
        try:
            await self._develop(job, attempt, generation)
            attempt.drawn = generation.answer
        except BadRequest:
            attempt.drawn = generation.answer  # it is good: the one who asked first wants what is not in it
        except ProxyError:
            pass  # it is told to whom it concerns: another may want another picture of it
        except asyncio.CancelledError:
            attempt.drawn = generation.answer  # all have left; it is drawn
            raise
        finally:
            visit.leave()
        return generation

    async def _land(self, key: Hashable, attempt: Attempt) -> None:
        """Have it joined for as long as it is not kept: there is no moment when the same would be drawn again."""
        try:
            if attempt.drawn:
                await self.archive.keep(attempt.job, attempt.drawn, attempt.moment)
            await attempt.let_go()
        finally:
            if self._attempts.get(key) is attempt:
                del self._attempts[key]

    async def _remembered(self, job: Job, attempt: Attempt, *, again: bool = False) -> Generation | None:
        """What the archive knows of it, with the frames made; few are read at once, as few are generated at once."""
        if not self.archive.may_know(job):
            return None
        async with self._reading:
            answer = await self.archive.find(job, again=again)
            if answer is None:
                return None
            attempt.is_archived = True
            generation = await self._in_thread(Generation.read, answer)
            with suppress(ProxyError):  # as above
                await self._develop(job, attempt, generation)
            return generation

    async def _ask(self, job: Job, visit: Visit) -> Generation:
        self.tell(Served("generation", BEGUN, job=job))
        try:
            with Telling(self.tell, self.gate.clock, "generation", job):
                async with self.archive.heeding(job):
                    return await self.upstream.generate(job)
        except BaseException as error:
            self.give_up(job, visit, error)
            raise

    async def _abandon(self, job: Job, visit: Visit) -> None:
        """Keep the place until the upstream is idle; an interrupt of ours may end another drawing than it means."""
        may_interrupt = b"force_task_id" in job.body
        try:
            if may_interrupt:
                self.archive.disturb()
            await self.upstream.abandon(job)
        finally:
            if may_interrupt:
                self.archive.disturb()
            visit.leave(worked=False)

    async def _develop(self, job: Job, attempt: Attempt, generation: Generation) -> Rendering:
        """The rendering of `job`, made once for all who want the same."""
        shape = (job.display, job.wanted, job.index)
        flight = attempt.developed.get(shape)
        if flight is None or not flight.is_of_use:
            flight = attempt.developed[shape] = Flight(self._make(job, attempt, generation))
        return await flight.wait()

    async def _make(self, job: Job, attempt: Attempt, generation: Generation) -> Rendering:
        with Telling(self.tell, self.gate.clock, "conversion", job):
            rendering = await self._in_thread(develop, job, generation)
        self.archive.keep_recent(job, rendering, attempt.moment, known=attempt.is_archived)
        return rendering

    def _publish(self, job: Job, rendering: Rendering, number: int | None) -> None:
        if rendering.picture:
            published = Published(rendering.picture, rendering.count, rendering.seed, number)
            self._newest.publish(job.display.name, published)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        chore = asyncio.create_task(work)
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._converters, function, *args)
