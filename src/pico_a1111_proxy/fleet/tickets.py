"""Tickets of a fleet: what one proxy holds is told in Redis, and found and cancelled from every other."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog

from pico_a1111_proxy.claims import Ticket
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.away import ENDED, Away, Others, orders_of, pause
from pico_a1111_proxy.fleet.hub import Hub
from pico_a1111_proxy.fleet.link import Link, end, key, within
from pico_a1111_proxy.fleet.records import OVER, write_end, write_head, write_outlook

LOOK_SECONDS = 1.0  # between two words on how far one is
LEASE_SECONDS = 15.0  # after which a proxy that says nothing is taken to have ended
RENEW_SECONDS = 5.0
GRACE_SECONDS = 5.0  # after a connection comes back, in which others may still be on their way
SENDING_SECONDS = 5.0  # for what may hold frames
PAUSE_SECONDS = 5.0  # after an end that could not be told
CLOSING_SECONDS = 2.0
LONG = 2**20  # bytes that take a few milliseconds to write
MOST_DROPPED = 10_000  # that are still to be forgotten in Redis, which does it by itself later

log = structlog.get_logger("tickets")


@dataclass(eq=False)
class _Own:
    """A ticket of ours, and what Redis knows of it."""

    ticket: Ticket
    keep_seconds: float
    is_posting: bool = True
    outlook: bytes = b""
    renewed: float = -math.inf
    ended: float = 0.0
    is_told: bool = False  # that it is over
    is_doubtful: bool = False  # whether Redis still knows that
    not_before: float = -math.inf

    @property
    def name(self) -> str:
        return key("ticket", self.ticket.id)


class SharedTickets:
    """The board of one proxy; it is kept up to date while it is `running`. `displays` are those that are known here."""

    def __init__(
        self, hub: Hub, link: Link, displays: Mapping[str, Display], grace_seconds: float = GRACE_SECONDS
    ) -> None:
        self._hub = hub
        self._link = link
        self._others = Others(hub, link, displays, grace_seconds)
        self._alive = key("holder", hub.name)
        self._own: dict[str, _Own] = {}
        self._dropped: OrderedDict[str, None] = OrderedDict()
        self._something_to_tell = asyncio.Event()
        self._next_look = -math.inf
        self._cancel: Callable[[Ticket], None]
        self._forget: Callable[[Ticket], None]
        hub.listen(ENDED, self._others.hear_end, self._connected)
        hub.listen(orders_of(hub.name), self._hear_order)

    # --- As a Board, for the tickets of this proxy ---------------------------------------------------------------

    def serve(self, cancel: Callable[[Ticket], None], forget: Callable[[Ticket], None]) -> None:
        """Have what others ask of our tickets done with these."""
        self._cancel, self._forget = cancel, forget

    async def post(self, ticket: Ticket, keep_seconds: float) -> None:
        """Let others know of it; where Redis is away, as soon as it is back."""
        own = self._own[ticket.id] = _Own(ticket, keep_seconds, ended=_now())
        try:
            with suppress(FleetUnavailable):
                await self._tell_outlooks([own])
        finally:
            own.is_posting = False
            if ticket.id not in self._own:
                self._forget_there(ticket)  # again: this may have come after it
            self._something_to_tell.set()

    def ended(self, ticket: Ticket) -> None:
        """It is over."""
        if own := self._own.get(ticket.id):
            own.ended = _now()
            self._something_to_tell.set()

    def drop(self, ticket: Ticket) -> None:
        """Let nobody have it any more."""
        if self._own.pop(ticket.id, None):
            self._forget_there(ticket)

    async def find(self, name: str) -> Away | None:
        """The ticket of another proxy. Raises FleetUnavailable."""
        return await self._others.find(name)

    def close(self) -> None:
        """Send away who waits here: another proxy knows as much."""
        self._others.close()

    # --- What is told --------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell Redis what changes, until the block ends, and then what became of the last."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            await end(task)
            with suppress(FleetUnavailable, asyncio.TimeoutError):
                await within(CLOSING_SECONDS, self._tell_ends())
                await self._link.ask(lambda redis: redis.delete(self._alive))

    async def _run(self) -> None:
        while True:
            self._something_to_tell.clear()
            try:
                if _now() >= self._next_look:
                    self._next_look = _now() + LOOK_SECONDS
                    await self._tell_outlooks(list(self._changing()))
                await self._tell_ends()
            except FleetUnavailable:
                pass  # later
            except Exception:
                log.exception("surprise")
            await pause(self._something_to_tell, max(self._next_look - _now(), 0.0))

    def _changing(self) -> Iterator[_Own]:
        return (own for own in self._own.values() if not own.is_posting and not own.ticket.is_over)

    async def _tell_outlooks(self, all_own: list[_Own]) -> None:
        """Tell how far these are, as far as that is news, and that we are alive. Raises FleetUnavailable."""
        now = _now()
        said = [(own, write_outlook(own.ticket)) for own in all_own]
        news = [(own, outlook) for own, outlook in said if outlook != own.outlook or now > own.renewed + RENEW_SECONDS]

        def ask(redis: Any) -> Any:
            pipe = redis.pipeline(transaction=False)
            pipe.set(self._alive, 1, px=int(LEASE_SECONDS * 1000))
            for own, outlook in news:
                pipe.hset(own.name, mapping={**write_head(self._hub.name, own.ticket), "outlook": outlook})
                # It outlives us, for its client to learn that we have ended.
                pipe.pexpire(own.name, int((LEASE_SECONDS + own.keep_seconds) * 1000))
            return pipe.execute()

        await self._link.ask(ask)
        for own, outlook in news:
            own.outlook, own.renewed = outlook, now

    async def _tell_ends(self) -> None:
        """Tell what is over, and what is forgotten. Raises FleetUnavailable."""
        await self._ask_after_doubtful()
        for own in list(self._own.values()):
            is_ours = self._own.get(own.ticket.id) is own  # still
            if is_ours and own.ticket.is_over and not (own.is_told or own.is_posting) and _now() >= own.not_before:
                own.not_before = _now() + PAUSE_SECONDS
                await self._tell_end(own)
                own.is_told = True
        while self._dropped:
            name = next(iter(self._dropped))
            await self._link.ask(lambda redis, name=name: redis.unlink(name))  # type: ignore[misc]
            self._dropped.pop(name, None)

    def _forget_there(self, ticket: Ticket) -> None:
        self._dropped[key("ticket", ticket.id)] = None
        if len(self._dropped) > MOST_DROPPED:
            self._dropped.popitem(last=False)
        self._something_to_tell.set()

    async def _tell_end(self, own: _Own) -> None:
        ticket = own.ticket
        end = await asyncio.to_thread(write_end, ticket) if ticket.size > LONG else write_end(ticket)
        mapping = {**write_head(self._hub.name, ticket), **end}
        left = max(1, int((own.ended + own.keep_seconds - _now()) * 1000))

        def ask(redis: Any) -> Any:
            pipe = redis.pipeline()
            pipe.hset(own.name, mapping=mapping)
            pipe.pexpire(own.name, left)
            pipe.publish(key("channel", ENDED), ticket.id)
            return pipe.execute()

        await self._link.ask(ask, SENDING_SECONDS)

    async def _ask_after_doubtful(self) -> None:
        doubtful = [own for own in self._own.values() if own.is_doubtful and own.is_told]
        if not doubtful:
            return

        def ask(redis: Any) -> Any:
            pipe = redis.pipeline(transaction=False)
            for own in doubtful:
                pipe.hexists(own.name, OVER)
            return pipe.execute()

        for own, is_known in zip(doubtful, await self._link.ask(ask), strict=True):
            own.is_doubtful, own.is_told = False, bool(is_known)

    # --- What is heard -------------------------------------------------------------------------------------------

    def _connected(self) -> None:
        """Redis may have forgotten all, and we may have missed what was said."""
        self._others.connected()
        for own in self._own.values():
            own.outlook, own.is_doubtful, own.not_before = b"", True, -math.inf
        self._next_look = -math.inf
        self._something_to_tell.set()

    def _hear_order(self, message: bytes) -> None:
        word, _, name = message.decode("ascii", "replace").partition(" ")
        own = self._own.get(name)
        if own and word == "forget" and own.ticket.is_over:
            self._forget(own.ticket)
        elif own and word == "cancel" and not own.ticket.is_over:
            self._cancel(own.ticket)


def _now() -> float:
    return asyncio.get_running_loop().time()
