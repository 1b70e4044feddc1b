"""Tickets: jobs whose clients come back for them, and what became of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import structlog

from pico_a1111_proxy.claims import Claim, Elsewhere, Ticket
from pico_a1111_proxy.errors import ProxyError, QueueFull, ShuttingDown
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.proxy import Proxy
from pico_a1111_proxy.renderings import Rendering

log = structlog.get_logger("tickets")


class Board(Protocol):
    """Where proxies tell each other of their tickets. None of it raises but `find`."""

    def serve(self, cancel: Callable[[Ticket], None], forget: Callable[[Ticket], None]) -> None:
        """Have what others ask of our tickets done with these."""
        ...

    async def post(self, ticket: Ticket, keep_seconds: float) -> None:
        """Let others know of it from now on, and for that long after its end. Returns within a second."""
        ...

    def ended(self, ticket: Ticket) -> None:
        """What was posted is over."""
        ...

    def drop(self, ticket: Ticket) -> None:
        """Let nobody have it any more."""
        ...

    async def find(self, name: str) -> Elsewhere | None:
        """The ticket of another proxy with that id, if there is one. Raises FleetUnavailable where nobody can tell."""
        ...

    def close(self) -> None:
        """Send away who waits here."""
        ...


@dataclass(frozen=True)
class Bounds:
    """Of all tickets together: how many there are, and the bytes of what is ready to be fetched."""

    most: int = 1000
    budget: int = 64_000_000


class Tickets:
    """The tickets of `proxy`; one that is over is kept for `keep_seconds` of `clock`.

    There are no more than the `bounds` say, and what is ready to be fetched takes no more bytes, or else is that of one
    ticket only: what was over first is forgotten first. With a `board` others know of those that are shared, and those
    of others are found.
    """

    def __init__(
        self,
        proxy: Proxy,
        keep_seconds: float,
        clock: Callable[[], float],
        bounds: Bounds = Bounds(),
        board: Board | None = None,
    ) -> None:
        self._proxy = proxy
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._bounds = bounds
        self._board = board
        self._known: dict[str, Ticket] = {}
        self._over: OrderedDict[str, Ticket] = OrderedDict()  # of those, in the order in which they ended
        self._work: dict[Ticket, asyncio.Task[Rendering]] = {}
        self._held = 0
        self._closed = False
        if board:
            board.serve(self.cancel, self.forget)

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
        ticket = Ticket(job.display, self._proxy.gate, self._proxy.upstream.stage)
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

    async def share(self, ticket: Ticket) -> None:
        """Let the other proxies know of it, before its client is told its id."""
        if self._board and ticket.id in self._known:
            await self._board.post(ticket, self._keep_seconds)

    def get(self, name: str) -> Ticket | None:
        """The ticket with that id, if there is one, or still is."""
        self._forget_old()
        return self._known.get(name)

    async def find(self, name: str) -> Claim | None:
        """The same, else that of another proxy. Raises FleetUnavailable where nobody can tell."""
        ticket = self.get(name)
        return ticket if ticket or not self._board else await self._board.find(name)

    def expires_in(self, claim: Claim) -> float | None:
        """Seconds until it is forgotten; None before it is over."""
        if not isinstance(claim, Ticket):
            return claim.expires_seconds
        return None if claim.ended is None else max(claim.ended + self._keep_seconds - self._clock(), 0.0)

    async def withdraw(self, claim: Claim) -> None:
        """Cancel it; what is done or failed is forgotten. Raises FleetUnavailable where it is another proxy's."""
        if not isinstance(claim, Ticket):
            await claim.withdraw()
        elif claim.state in ("done", "failed"):
            self.forget(claim)
        else:
            self.cancel(claim)  # again and again, for who did not hear the answer

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
        if self._board:
            self._board.drop(ticket)

    def close(self) -> None:
        """Open no more, and send away who waits for one that is not at work; what is at work goes on."""
        self._closed = True
        if self._board:
            self._board.close()
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
        if len(self._work) >= self._bounds.most:
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
            if self._board:
                self._board.ended(ticket)
            self._forget_surplus(ticket)

    def _forget_surplus(self, ticket: Ticket) -> None:
        """Make room for `ticket`, which is new, or has just ended."""
        if ticket.is_over:
            self._over[ticket.id] = ticket
            self._held += ticket.size
        self._forget_old()
        most, budget = self._bounds.most, self._bounds.budget
        while self._over and (len(self._known) > most or (self._held > budget and len(self._over) > 1)):
            self.forget(next(iter(self._over.values())))

    def _forget_old(self) -> None:
        last = self._clock() - self._keep_seconds
        while self._over:
            oldest = next(iter(self._over.values()))
            if oldest.ended is None or oldest.ended > last:
                return
            self.forget(oldest)
