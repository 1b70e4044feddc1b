"""Places: proxies of one fleet, each with tickets of its own and a board on which they tell each other."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from fakes.office import ANSWER, DISPLAY, LONG, Office, job, open_office, over
from fakes.redis import RedisServer
from fakes.waiting import until
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.claims import Claim, Elsewhere, Ticket
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.fleet.hub import Hub
from pico_a1111_proxy.fleet.link import Link, open_link
from pico_a1111_proxy.fleet.tickets import SharedTickets
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.tickets import Tickets


@dataclass
class Place:
    """One proxy of several."""

    office: Office
    tickets: Tickets
    board: SharedTickets
    link: Link
    hub: Hub

    async def share(self, name: str = "a", display: Display = DISPLAY) -> Ticket:
        ticket = await self.tickets.open(replace(job(name), display=display))
        await self.tickets.share(ticket)
        return ticket

    async def share_and_end(self, outcome: Answer | Exception = ANSWER, display: Display = DISPLAY) -> Ticket:
        ticket = await self.share(display=display)
        await self.office.painter.finish(len(self.office.painter.begun) - 1, outcome)
        await over(ticket)
        return ticket

    async def away(self, ticket: Ticket) -> Elsewhere:
        found = await self.tickets.find(ticket.id)
        assert found
        assert not isinstance(found, Ticket)
        return found

    async def away_and_over(self, ticket: Ticket) -> Elsewhere:
        away = await self.away(ticket)
        await away.wait(LONG)
        assert away.is_over
        return away


@asynccontextmanager
async def open_place(redis: RedisServer, grace: float = 0.0) -> AsyncIterator[Place]:
    async with open_office() as office, open_link(redis.url, time.monotonic) as link:
        hub = Hub(link)
        board = SharedTickets(hub, link, DISPLAYS, grace)
        place = Place(office, office.open(board=board), board, link, hub)
        async with hub.running(), board.running():
            await until(lambda: hub.is_up)
            yield place
            await office.close()


def said_of(claim: Claim) -> tuple[Any, ...]:
    error = claim.error
    facts = dict(vars(error)) if error else {}
    return claim.id, claim.state, claim.outlook(), type(error), str(error), facts
