"""Tickets whose jobs stand in a further line, behind the gate: each is told how far it is itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fakes.office import Office, job, open_office, over
from fakes.turns import turns
from pico_a1111_proxy.gate import FIRST_GUESS_SECONDS
from pico_a1111_proxy.jobs import Progress
from pico_a1111_proxy.outlooks import Outlook, Stage


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with open_office() as office:
        yield office


async def test_each_has_its_own_place_and_progress(office: Office) -> None:
    tickets = office.open(places=3)
    drawn, told, waiting = [await tickets.open(job(name)) for name in "abc"]
    await turns()
    office.now += 100  # for which they have been at the upstream
    told_of_it = Progress(0.25, 9.0, 5, 20)
    office.painter.stages = {b"a": Stage(0, 1.0), b"b": Stage(0, 3.0, told_of_it, is_shown=True), b"c": Stage(2)}
    guess = FIRST_GUESS_SECONDS
    assert drawn.outlook() == Outlook("running", 0, 1 / guess, guess - 1, live=False)
    # What the upstream as a whole is at says nothing of this one.
    assert told.outlook(Progress(0.9, 1.0, 9, 10)) == Outlook("running", 0, 0.25, 9.0, live=True)
    assert waiting.outlook() == Outlook("queued", 2, 0.0, 2 / 3 * guess + guess, live=False)
    assert [one.state for one in (drawn, told, waiting)] == ["running", "running", "queued"]
    assert [one.seconds_alone for one in (drawn, told, waiting)] == [None] * 3


async def test_one_that_is_alone_is_told_of_by_its_stage(office: Office) -> None:
    tickets = office.open()
    ticket = await tickets.open(job())
    await turns()
    assert (ticket.outlook().live, ticket.seconds_alone) == (True, 0.0)
    office.painter.stages = {b"a": Stage(1)}
    assert (ticket.outlook().live, ticket.seconds_alone, ticket.state) == (False, None, "queued")


async def test_back_in_line_its_progress_does_not_fall(office: Office) -> None:
    tickets = office.open()
    ticket = await tickets.open(job())
    await turns()
    office.painter.stages[b"a"] = Stage(0, 3.0, Progress(0.6, 2.0, 12, 20))
    assert ticket.outlook().progress == 0.6
    office.painter.stages[b"a"] = Stage(1)  # its worker has died
    assert (ticket.outlook().state, ticket.outlook().progress) == ("queued", 0.6)
    office.painter.stages[b"a"] = Stage(0, 1.0)
    assert ticket.outlook().progress == 0.6
    await office.painter.finish(0)
    await over(ticket)
    assert (ticket.outlook().state, ticket.outlook().live) == ("done", False)


async def test_who_joined_is_told_of_the_one_that_is_drawn(office: Office) -> None:
    tickets = office.open()
    first, second = [await tickets.open(job(seed=True)) for _ in range(2)]
    await turns()
    office.painter.stages[b"a"] = Stage(3)
    assert [one.outlook().position for one in (first, second)] == [3, 3]
