"""Tickets: what becomes of jobs that nobody stays for, how far they are, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from fakes.office import ANSWER, DISPLAY, FRAME, LONG, Office, Remembering, job, open_office, over
from fakes.turns import no_task_is_left, turns
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.claims import Ticket
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import PictureError, ProxyError, QueueFull, ShuttingDown, UpstreamRejected
from pico_a1111_proxy.gate import FIRST_GUESS_SECONDS
from pico_a1111_proxy.jobs import Progress


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with open_office() as office:
        yield office


def kind(ticket: Ticket) -> tuple[str, int]:
    outlook = ticket.outlook()
    return outlook.state, outlook.position


# --- The life of one --------------------------------------------------------------------------------------------


async def test_from_the_line_to_the_frame(office: Office) -> None:
    tickets = office.open()
    async with no_task_is_left():
        first, second, third = [await tickets.open(job(name)) for name in "abc"]
        assert [kind(ticket) for ticket in (first, second, third)] == [("running", 0), ("queued", 1), ("queued", 2)]
        assert [one.body for one in office.painter.begun] == [b"a"]
        await office.painter.finish(0)
        await over(first)
        await turns()
        assert [kind(ticket) for ticket in (first, second, third)] == [("done", 0), ("running", 0), ("queued", 1)]
        await office.painter.finish(1)
        await over(second)
        await turns()
        await office.painter.finish(2)
        await over(third)
    rendering = third.rendering
    assert rendering
    assert (rendering.frame, rendering.origin, third.error) == (FRAME, "miss", None)
    # Neither the upstream's answer nor the encoded picture is held on to.
    assert (rendering.answer, rendering.picture, third.attempt) == (None, b"", None)
    assert len({first.id, second.id, third.id}) == 3
    assert min(len(ticket.id) for ticket in (first, second, third)) >= 22  # 128 bits


async def test_it_goes_on_when_who_opens_it_is_cancelled(office: Office) -> None:
    tickets = office.open()
    async with no_task_is_left():
        opening = asyncio.create_task(tickets.open(job()))
        await asyncio.sleep(0)
        opening.cancel()
        await turns()
        assert opening.cancelled()
        assert len(office.painter.begun) == tickets.unfinished == 1
        await office.painter.finish(0)
        await turns()
        office.threads.submit(int).result()  # the one thread has made the frame by now
        await turns()
        assert (tickets.count, tickets.unfinished) == (0, 0)
    assert office.newest.get(DISPLAY.name)


async def test_what_was_drawn_before_is_done_at_once(office: Office) -> None:
    tickets = office.open(cache=Remembering())
    first = await tickets.open(job(seed=True))
    await office.painter.finish(0)
    await over(first)
    await turns()
    second = await tickets.open(job(seed=True))
    assert second.is_over
    # As a frame it is not ready; as an answer it is still there.
    third = await tickets.open(replace(job(seed=True), display=default_display(4, 4, invert=True)))
    await over(third)
    assert [one.rendering and one.rendering.origin for one in (first, second, third)] == ["miss", "hit", "hit"]
    assert len(office.painter.begun) == 1


async def test_many_wait_for_one(office: Office) -> None:
    tickets = office.open()
    async with no_task_is_left():
        ticket = await tickets.open(job())
        waiting = [asyncio.create_task(ticket.wait(LONG)) for _ in range(100)]
        await turns()
        waiting[0].cancel()
        await office.painter.finish(0)
        await asyncio.gather(*waiting[1:])
    assert waiting[0].cancelled()
    assert ticket.state == "done"


async def test_who_waits_no_longer_only_stops_waiting(office: Office) -> None:
    tickets = office.open()
    ticket = await tickets.open(job())
    await ticket.wait(0.01)
    await ticket.wait(0)
    assert ticket.state == "running"


# --- How far it is ----------------------------------------------------------------------------------------------


async def test_what_is_told_of_progress_never_falls_back(office: Office) -> None:
    tickets = office.open()
    ticket = await tickets.open(job())
    told: list[tuple[float, float]] = []
    for seconds, progress in [
        (0.0, None),
        (1.0, None),
        (1.0, Progress(0.7, 3.0, 7, 10)),
        (0.0, Progress(0.5, 5.0, 5, 10)),
        (0.0, Progress()),  # idle: not there yet, or done
        (100.0, None),
    ]:
        office.now += seconds
        outlook = ticket.outlook(progress)
        told.append((round(outlook.progress, 3), round(outlook.eta_seconds, 3)))
    guess = FIRST_GUESS_SECONDS
    assert told[:2] == [(0.0, guess), (1 / guess, guess - 1)]
    assert told[2:5] == [(0.7, 3.0), (0.7, 5.0), (0.7, guess - 2)]
    assert told[5] == (0.99, 1.0)
    await office.painter.finish(0)
    await over(ticket)
    assert (ticket.outlook().progress, ticket.outlook().eta_seconds) == (1.0, 0.0)


async def test_in_line_it_is_told_when_it_is_done(office: Office) -> None:
    tickets = office.open(places=2)
    *_, first, second = [await tickets.open(job()) for _ in range(4)]
    usual = FIRST_GUESS_SECONDS
    assert [one.outlook().eta_seconds for one in (first, second)] == [usual * 1 / 2 + usual, usual * 2 / 2 + usual]
    assert [one.outlook().progress for one in (first, second)] == [0.0, 0.0]


async def test_the_upstream_speaks_of_it_only_where_it_is_alone(office: Office) -> None:
    tickets = office.open(places=2)
    first = await tickets.open(job())
    office.now += 3
    assert first.seconds_alone == 3
    second = await tickets.open(job())
    third = await tickets.open(job())
    assert [one.seconds_alone for one in (first, second, third)] == [None] * 3


# --- How it ends badly ------------------------------------------------------------------------------------------


async def test_who_finds_no_place_gets_no_ticket(office: Office) -> None:
    tickets = office.open(line=0)
    async with no_task_is_left():
        await tickets.open(job())
        with pytest.raises(QueueFull):
            await tickets.open(job("b"))
        office.proxy.gate.close()
        with pytest.raises(ShuttingDown):
            await tickets.open(job("c"))
        assert (tickets.count, tickets.unfinished) == (1, 1)
        await office.close()


async def test_a_failure_is_told_to_all_who_ask(office: Office) -> None:
    tickets = office.open()
    ticket = await tickets.open(job())
    words = Answer(422, (("retry-after", "7"),), b"x" * 1_000_000)
    await office.painter.finish(0, UpstreamRejected("No such sampler", "more", words))
    await over(ticket)
    told = [ticket.error, ticket.error]
    for error in told:
        assert isinstance(error, UpstreamRejected)
        assert (str(error), error.detail, error.__traceback__) == ("No such sampler", "more", None)
        assert error.answer == replace(words, body=b"")
        with pytest.raises(UpstreamRejected):
            raise error
    # What one is told holds on to that one's request: it is nobody else's.
    assert told[0] is not told[1]
    assert ticket.error
    assert ticket.error.__traceback__ is None
    assert (ticket.state, ticket.rendering) == ("failed", None)


async def test_an_answer_without_a_picture_is_a_failure(office: Office) -> None:
    tickets = office.open()
    ticket = await tickets.open(job())
    await office.painter.finish(0, replace(ANSWER, body=b'{"images": ["/a/path.mp4"]}'))
    await over(ticket)
    assert isinstance(ticket.error, PictureError)


async def test_a_bug_ends_it_and_is_logged(office: Office) -> None:
    tickets = office.open()
    ticket = await tickets.open(job())
    with capture_logs() as lines:
        await office.painter.finish(0, KeyError("secret"))
        await over(ticket)
    assert (type(ticket.error), str(ticket.error)) == (ProxyError, "Something went wrong in the service")
    assert [line["event"] for line in lines] == ["surprise"]


# --- Cancelling -------------------------------------------------------------------------------------------------


async def test_cancelled_in_line_it_is_never_drawn(office: Office) -> None:
    tickets = office.open()
    async with no_task_is_left():
        first, second, third = [await tickets.open(job(name)) for name in "abc"]
        waiting = asyncio.create_task(second.wait(LONG))
        await turns()
        for _ in range(2):
            tickets.cancel(second)
        assert (second.state, kind(second)) == ("cancelled", ("cancelled", 0))
        await waiting
        await turns()
        assert kind(third) == ("queued", 1)
        await office.painter.finish(0)
        await over(first)
        await turns()
        await office.painter.finish(1)
        await over(third)
        tickets.cancel(third)
    assert [one.body for one in office.painter.begun] == [b"a", b"c"]
    assert (third.state, second.rendering, second.error) == ("done", None, None)


async def test_cancelled_at_work_it_is_abandoned(office: Office) -> None:
    tickets = office.open()
    async with no_task_is_left():
        ticket = await tickets.open(job())
        await turns()
        assert len(office.painter.begun) == 1
        tickets.cancel(ticket)
        await turns()
        assert len(office.painter.abandoned) == 1
    assert office.proxy.gate.inside == 0
    assert tickets.unfinished == 0


async def test_only_the_last_who_wants_it_ends_it(office: Office) -> None:
    tickets = office.open()
    one, two, three = [await tickets.open(job(seed=True)) for _ in range(3)]
    tickets.cancel(one)
    await turns()
    assert office.painter.abandoned == []
    await office.painter.finish(0)
    await over(two, three)
    assert [ticket.state for ticket in (one, two, three)] == ["cancelled", "done", "done"]
    assert two.rendering
    assert two.rendering.origin == "joined"
    again = [await tickets.open(job("b", seed=True)) for _ in range(2)]
    await turns()
    for ticket in again:
        tickets.cancel(ticket)
    await turns()
    assert len(office.painter.begun) == 2
    assert [one.body for one in office.painter.abandoned] == [b"b"]


@pytest.mark.parametrize("later", range(5))
async def test_who_joins_while_the_last_one_leaves_gets_it(office: Office, later: int) -> None:
    tickets = office.open()
    async with no_task_is_left():
        asked = asyncio.create_task(office.proxy.render(job(seed=True)))
        await turns()
        opening = asyncio.create_task(tickets.open(job(seed=True)))
        await turns(later)
        asked.cancel()
        ticket = await opening
        await turns()
        await office.painter.finish(len(office.painter.begun) - 1)
        await over(ticket)
    assert ticket.state == "done"
