"""Tickets: jobs whose clients come back for them, and what became of them."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from pico_a1111_proxy.attempts import Attempt
from pico_a1111_proxy.crowds import Crowd
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import ProxyError, QueueFull, ShuttingDown, UpstreamError
from pico_a1111_proxy.gate import Gate, Visit
from pico_a1111_proxy.jobs import Job, Progress
from pico_a1111_proxy.outlooks import Outlook, State, at_work, in_line
from pico_a1111_proxy.proxy import Proxy
from pico_a1111_proxy.renderings import Rendering

E = TypeVar("E", bound=ProxyError)

MOST_TICKETS = 1000
HELD_BYTES = 64_000_000  # of what is ready to be fetched, all tickets together

log = structlog.get_logger("tickets")


class Ticket:
    """A job whose client comes back for it. Made by `Tickets.open`; `display` is what its frames are for.

    `ended` is the moment when it was over, None before.
    """

    def __init__(self, display: Display, gate: Gate) -> None:
        self.id = secrets.token_urlsafe(16)  # who has it may fetch the picture and cancel the job
        self.display = display
        self.ended: float | None = None
        self.size = 0  # bytes of what is ready to be fetched
        self._gate = gate
        self.attempt: Attempt | None = None  # while it is being done, or on its way there
        self._outcome: Rendering | ProxyError | None = None
        self._progress = 0.0
        self._crowd = Crowd()
        self._closed = False

    @property
    def is_over(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.ended is not None

    @property
    def state(self) -> State:
        """What has become of it so far."""
        if self.is_over:
            if self._outcome is None:
                return "cancelled"
            return "done" if isinstance(self._outcome, Rendering) else "failed"
        return "queued" if self._visit and self._visit.position else "running"

    @property
    def error(self) -> ProxyError | None:
        """What went wrong, one that was never raised; None where nothing did."""
        # One that is raised again and again would hold on to all who were told.
        return _bare(self._outcome) if isinstance(self._outcome, ProxyError) else None

    @property
    def rendering(self) -> Rendering | None:
        """What came of it, where it is done."""
        return self._outcome if isinstance(self._outcome, Rendering) else None

    @property
    def is_at_work(self) -> bool:
        """Whether its generation has its place."""
        return bool(self._visit and self._visit.is_inside)

    @property
    def seconds_alone(self) -> float | None:
        """For how long its generation has been at work, where it is the only one; None where it is not."""
        visit = self._visit
        return visit.seconds_inside if visit and visit.is_inside and self._gate.inside == 1 else None

    def outlook(self, told: Progress | None = None) -> Outlook:
        """How far it is; `told` is what the upstream says of it, None where nobody knows. It never falls back."""
        state, visit = self.state, self._visit
        if state == "queued" and visit:
            return in_line(self._gate, visit)
        if state == "running":
            outlook = at_work(self._gate, visit, told, self._progress)
            self._progress = outlook.progress
            return outlook
        return Outlook(state, progress=1.0 if state == "done" else self._progress)

    async def wait(self, seconds: float) -> None:
        """Return once it is over, or after that time. Raises ShuttingDown, at once or while waiting."""
        if not self.is_over and not self._closed and seconds > 0:
            await self._crowd.wait(seconds)
        if not self.is_over and self._closed:
            raise ShuttingDown

    def end(self, outcome: Rendering | ProxyError | None, moment: float) -> None:
        """It is over; None is cancelled. The registry's own."""
        self.attempt = None  # which holds all of the upstream's answer
        self.ended = moment
        if isinstance(outcome, Rendering):
            # The picture is published, where anybody wants it: what is fetched here is made of the frames.
            outcome = replace(outcome, picture=b"", answer=None)
            self.size = outcome.size
        self._outcome = _bare(outcome) if isinstance(outcome, ProxyError) else outcome
        self._crowd.wake()

    def close(self) -> None:
        """Send away who waits. The registry's own."""
        self._closed = True
        self._crowd.wake()

    @property
    def _visit(self) -> Visit | None:
        return self.attempt.visit if self.attempt else None


class Tickets:
    """The tickets of `proxy`; one that is over is kept for `keep_seconds` of `clock`.

    There are no more than `most`, and what is ready to be fetched takes no more than `budget` bytes, or else is that
    of one ticket only: what was over first is forgotten first.
    """

    def __init__(
        self,
        proxy: Proxy,
        keep_seconds: float,
        clock: Callable[[], float],
        most: int = MOST_TICKETS,
        budget: int = HELD_BYTES,
    ) -> None:
        self._proxy = proxy
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._most = most
        self._budget = budget
        self._known: dict[str, Ticket] = {}
        self._over: OrderedDict[str, Ticket] = OrderedDict()  # of those, in the order in which they ended
        self._work: dict[Ticket, asyncio.Task[Rendering]] = {}
        self._held = 0
        self._closed = False

    @property
    def count(self) -> int:
        """How many there are."""
        self._forget_old()
        return len(self._known)

    @property
    def unfinished(self) -> int:
        """How many are not over."""
        return len(self._work)

    @property
    def at_work(self) -> int:
        """How many of those have their place."""
        return sum(ticket.is_at_work for ticket in self._work)

    @property
    def held(self) -> int:
        """Bytes of what is ready to be fetched."""
        self._forget_old()
        return self._held

    async def open(self, job: Job) -> Ticket:
        """Begin `job`, and return as soon as it is in line, or over. It goes on whatever becomes of the caller.

        Raises QueueFull and ShuttingDown.
        """
        if self._closed:
            raise ShuttingDown
        ticket = Ticket(job.display, self._proxy.gate)
        ready = self._proxy.recall(job)
        if ready:
            ticket.end(ready, self._clock())
        else:
            await self._begin(ticket, job)
        if isinstance(ticket.error, (QueueFull, ShuttingDown)):
            raise ticket.error
        self._known[ticket.id] = ticket
        self._forget_surplus(ticket)
        return ticket

    def get(self, name: str) -> Ticket | None:
        """The ticket with that id, if there is one, or still is."""
        self._forget_old()
        return self._known.get(name)

    def expires_in(self, ticket: Ticket) -> float | None:
        """Seconds until it is forgotten; None before it is over."""
        return None if ticket.ended is None else max(ticket.ended + self._keep_seconds - self._clock(), 0.0)

    def cancel(self, ticket: Ticket) -> None:
        """Give it up, where it is not over; others who wait for the same generation still get it."""
        if not ticket.is_over:
            self._end(ticket, None)
            self._work[ticket].cancel()

    def forget(self, ticket: Ticket) -> None:
        """Let nobody have it any more."""
        self._known.pop(ticket.id, None)
        if self._over.pop(ticket.id, None):
            self._held -= ticket.size

    def close(self) -> None:
        """Open no more, and send away who waits for one that is not at work; what is at work goes on."""
        self._closed = True
        for ticket in self._work:
            if not ticket.is_at_work:
                ticket.close()

    async def end(self) -> None:
        """End what is still being done, and return when it is over."""
        self.close()
        for ticket in self._work:
            ticket.close()
        while self._work:
            for work in self._work.values():
                work.cancel()
            await asyncio.wait(self._work.values())

    async def _begin(self, ticket: Ticket, job: Job) -> None:
        """Have it done, and return once it is known whether it is in line."""
        if len(self._work) >= self._most:
            raise QueueFull("Too many jobs are unfinished", self._proxy.gate.retry_after())
        self._work[ticket] = work = asyncio.create_task(self._do(ticket, job))
        work.add_done_callback(partial(self._landed, ticket))
        await asyncio.sleep(0)  # for its first step
        flight = None
        if ticket.attempt:
            flight = ticket.attempt.flight
            await ticket.attempt.settled.wait()
        if flight is None or (flight.has_landed and not flight.is_good):
            await asyncio.wait([work])

    async def _do(self, ticket: Ticket, job: Job) -> Rendering:
        # In one step, or an attempt that is joined here might end meanwhile with the last of the others who want it.
        ticket.attempt = attempt = self._proxy.attempt(job)
        if attempt.job is not job:
            job = replace(job, body=b"")  # which is needed no more: a thousand of them would be too much to hold
        return await self._proxy.finish(job, attempt)

    def _landed(self, ticket: Ticket, work: asyncio.Task[Rendering]) -> None:
        del self._work[ticket]
        error = ShuttingDown() if work.cancelled() else work.exception()
        if ticket.is_over:
            return  # cancelled by its client
        if error is None:
            self._end(ticket, work.result())
        elif isinstance(error, ProxyError):
            self._end(ticket, error)
        else:
            log.error("surprise", exc_info=error)
            self._end(ticket, ProxyError("Something went wrong in the service"))

    def _end(self, ticket: Ticket, outcome: Rendering | ProxyError | None) -> None:
        ticket.end(outcome, self._clock())
        if ticket.id in self._known:
            self._forget_surplus(ticket)

    def _forget_surplus(self, ticket: Ticket) -> None:
        """Make room for `ticket`, which is new, or has just ended."""
        if ticket.is_over:
            self._over[ticket.id] = ticket
            self._held += ticket.size
        self._forget_old()
        while self._over and (len(self._known) > self._most or (self._held > self._budget and len(self._over) > 1)):
            self.forget(next(iter(self._over.values())))

    def _forget_old(self) -> None:
        last = self._clock() - self._keep_seconds
        while self._over:
            oldest = next(iter(self._over.values()))
            if oldest.ended is None or oldest.ended > last:
                return
            self.forget(oldest)


def _bare(error: E) -> E:
    """The same error without where it was raised, and without the upstream's words: both can be large."""
    bare = type(error).__new__(type(error), *error.args)
    bare.__dict__.update(vars(error))
    if isinstance(bare, UpstreamError) and bare.answer:
        bare.answer = replace(bare.answer, body=b"")
    return bare
