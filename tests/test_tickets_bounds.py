"""Tickets do not pile up: neither in number nor in memory nor in time, and at the end none is left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fakes.office import ANSWER, FRAME, KEEP, LONG, Office, done, job, open_office, over
from fakes.pictures import b64, png
from fakes.turns import no_task_is_left, turns
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import QueueFull, ShuttingDown


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with open_office() as office:
        yield office


# --- Bounds -----------------------------------------------------------------------------------------------------


async def test_what_is_over_is_kept_for_a_while(office: Office) -> None:
    tickets = office.open()
    ticket = await done(office, tickets)
    office.now += 1
    later = await done(office, tickets)
    unfinished = await tickets.open(job())
    cancelled = await tickets.open(job())
    tickets.cancel(cancelled)
    assert (tickets.expires_in(ticket), tickets.expires_in(unfinished)) == (KEEP - 1, None)
    office.now += KEEP - 1.5
    assert tickets.get(ticket.id) is ticket
    office.now += 0.5
    assert (tickets.get(ticket.id), tickets.get(later.id)) == (None, later)
    assert tickets.get(cancelled.id) is cancelled
    office.now += KEEP
    assert [tickets.get(one.id) for one in (later, cancelled, unfinished)] == [None, None, unfinished]
    assert (tickets.count, tickets.held) == (1, 0)
    await office.painter.finish(2)
    await over(unfinished)
    assert tickets.get(unfinished.id) is unfinished


async def test_of_too_many_the_first_that_was_over_goes(office: Office) -> None:
    tickets = office.open(most=3)
    running = await tickets.open(job())
    cancelled = [await tickets.open(job()) for _ in range(2)]
    for ticket in reversed(cancelled):
        tickets.cancel(ticket)
    await turns()
    newest = await tickets.open(job())
    assert [tickets.get(one.id) for one in (running, *cancelled, newest)] == [running, cancelled[0], None, newest]
    assert tickets.count == 3
    last = await tickets.open(job())
    assert tickets.get(cancelled[0].id) is None
    with pytest.raises(QueueFull):
        await tickets.open(job())
    assert [tickets.get(one.id) for one in (running, newest, last)] == [running, newest, last]


async def test_who_finds_no_place_drives_nobody_out(office: Office) -> None:
    tickets = office.open(line=0, most=2)
    old = await done(office, tickets)
    await tickets.open(job())
    for _ in range(5):
        with pytest.raises(QueueFull):
            await tickets.open(job())
    assert tickets.get(old.id) is old


async def test_memory_is_bounded_but_the_last_one_stays(office: Office) -> None:
    tickets = office.open(budget=3 * len(FRAME.data) + 50)
    old = [await done(office, tickets) for _ in range(4)]
    assert [tickets.get(one.id) for one in old] == [None, *old[1:]]
    assert len(FRAME.data) * 3 <= tickets.held <= len(FRAME.data) * 3 + 50
    large = replace(job(), display=default_display(80, 80, invert=True))
    ticket = await tickets.open(large)
    await turns()
    await office.painter.finish(4)
    await over(ticket)
    assert [tickets.get(one.id) for one in (*old, ticket)] == [None] * 4 + [ticket]
    tickets.forget(ticket)
    tickets.forget(ticket)
    assert (tickets.get(ticket.id), tickets.held, tickets.count) == (None, 0, 0)


async def test_what_the_upstream_said_is_counted_too(office: Office) -> None:
    tickets = office.open()
    ticket = await tickets.open(job())
    said = {"images": [b64(png())], "parameters": {"init_images": ["x" * 100_000]}, "info": "{}"}
    await office.painter.finish(0, replace(ANSWER, body=json.dumps(said).encode()))
    await over(ticket)
    assert tickets.held > 100_000


# --- The end ----------------------------------------------------------------------------------------------------


async def test_closing_sends_away_who_waits_and_ending_ends_all(office: Office) -> None:
    tickets = office.open()
    async with no_task_is_left():
        ready = await done(office, tickets)
        first, second = [await tickets.open(job(name)) for name in "ab"]
        waiting = [asyncio.create_task(ticket.wait(LONG)) for ticket in (second, second, first)]
        await turns()
        tickets.close()
        told = await asyncio.gather(*waiting[:2], return_exceptions=True)
        assert [type(error) for error in told] == [ShuttingDown] * 2
        with pytest.raises(ShuttingDown):
            await second.wait(LONG)
        assert (waiting[2].done(), tickets.at_work) == (False, 1)  # it is at work, and goes on
        with pytest.raises(ShuttingDown):
            await tickets.open(job("c"))
        await ready.wait(LONG)
        assert tickets.unfinished == 2
        await tickets.end()
        assert (tickets.unfinished, tickets.at_work) == (0, 0)
        with pytest.raises(ShuttingDown):
            await waiting[2]
        await office.close()
    assert (first.state, type(first.error), second.state) == ("failed", ShuttingDown, "failed")
    assert ready.rendering
    assert office.proxy.gate.inside == 0


async def test_one_that_ends_before_its_first_step_leaves_nothing(office: Office) -> None:
    tickets = office.open()
    async with no_task_is_left():
        opening = asyncio.create_task(tickets.open(job()))
        asyncio.get_running_loop().call_soon(tickets.close)
        ending = asyncio.create_task(tickets.end())
        with pytest.raises(ShuttingDown):
            await opening
        await ending
        assert tickets.count == tickets.unfinished == 0
