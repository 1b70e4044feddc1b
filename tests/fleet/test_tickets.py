"""Tickets of a fleet, on a real Redis: what one proxy holds is the same ticket at the others, whatever happens."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from fakes.office import ANSWER, DISPLAY, KEEP, LONG, job, over
from fakes.pictures import b64, png
from fakes.places import Place, said_of
from fakes.redis import RedisServer
from fakes.waiting import until
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import (
    FleetUnavailable,
    ProxyError,
    QueueFull,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from pico_a1111_proxy.fleet.link import key
from pico_a1111_proxy.panels import DISPLAYS

OWN = Display("of-my-own", 8, 8, "gs4-hmsb", rotate=90, invert=True, background="#123456", sharpen=20, label="ä")


# --- From the line to the frame ---------------------------------------------------------------------------------


async def test_how_far_it_is_is_known_everywhere_as_soon_as_its_client_knows_it(here: Place, there: Place) -> None:
    first, second = await here.share("a"), await here.share("b")
    away = [await there.away(ticket) for ticket in (first, second)]
    assert [(one.state, one.outlook().position, one.outlook().live) for one in away] == [
        ("running", 0, False),  # what is shown there of a drawing is another's
        ("queued", 1, False),
    ]
    assert [one.expires_seconds for one in away] == [None, None]
    assert away[1].outlook().eta_seconds == round(second.outlook().eta_seconds, 1)
    assert [one.id for one in away] == [first.id, second.id]
    here.office.now += 2

    async def has_moved() -> bool:
        return (await there.away(first)).outlook().progress == 0.4

    await until(has_moved)


@pytest.mark.parametrize("display", [DISPLAY, OWN, DISPLAYS["waveshare-pico-lcd-1.3"]])
async def test_what_came_of_it_is_the_same(here: Place, there: Place, display: Display) -> None:
    ticket = await here.share(display=display)
    away = await there.away(ticket)
    waiting = asyncio.create_task(away.wait(LONG))
    info = '{"odd": NaN, "infotexts": ["\\ud800"], "seed": 7, "large": 1' + "0" * 30 + "}"
    said = {"images": [b64(png()), b64(png())], "parameters": {"z": 1, "a": [1.5e-9, None]}, "info": info}
    await here.office.painter.finish(0, replace(ANSWER, body=json.dumps(said).encode()))
    await waiting
    assert (away.state, away.display) == ("done", display)
    got, wanted = await away.fetch(), ticket.rendering
    assert wanted
    assert repr(got) == repr(wanted)  # a NaN equals nothing
    assert said_of(away) == said_of(ticket)
    assert KEEP - 60 < (away.expires_seconds or 0) <= KEEP


@pytest.mark.parametrize(
    "error",
    [
        UpstreamRejected("No", "more", Answer(404, (("Retry-After", "7"), ("x", "é")), b"words")),
        UpstreamUnavailable("down"),
        UpstreamTimeout("late", unsent=True),
        FleetUnavailable("away", "more", 17),
        QueueFull("full", 33),
        ProxyError("bug"),
    ],
)
async def test_what_went_wrong_is_the_same(here: Place, there: Place, error: ProxyError) -> None:
    ticket = await here.share_and_end(error)
    assert said_of(await there.away_and_over(ticket)) == said_of(ticket)


async def test_one_that_is_done_at_once_is_found_as_well(here: Place, there: Place) -> None:
    ticket = await here.tickets.open(job())
    await here.office.painter.finish(0)
    await over(ticket)
    assert await there.tickets.find(ticket.id) is None  # nobody was told its id
    await here.tickets.share(ticket)
    assert repr(await (await there.away_and_over(ticket)).fetch()) == repr(ticket.rendering)


async def test_it_is_forgotten_everywhere(here: Place, there: Place, redis: RedisServer) -> None:
    ticket = await here.share_and_end()
    await there.away_and_over(ticket)
    left = int((await redis.command("PTTL", key("ticket", ticket.id))).removeprefix(":"))
    assert KEEP - 60 < left / 1000 <= KEEP
    here.office.now += KEEP
    assert here.tickets.count == 0

    async def is_gone() -> bool:
        return await redis.command("EXISTS", key("ticket", ticket.id)) == ":0"

    await until(is_gone)
    assert [await place.tickets.find(ticket.id) for place in (here, there)] == [None, None]


# --- Cancelled and forgotten from elsewhere ---------------------------------------------------------------------


async def test_cancelled_elsewhere(here: Place, there: Place) -> None:
    first, second = await here.share("a"), await here.share("b")
    for ticket in (second, first):
        away = await there.away(ticket)
        await there.tickets.withdraw(away)
        assert (ticket.state, away.state) == ("cancelled", "cancelled")
        await there.tickets.withdraw(away)
        assert (await there.away(ticket)).state == "cancelled"
    assert [one.body for one in here.office.painter.begun] == [b"a"]


async def test_forgotten_elsewhere(here: Place, there: Place) -> None:
    ticket = await here.share_and_end()
    away = await there.away_and_over(ticket)
    await there.tickets.withdraw(away)
    assert away.state == "done"
    assert await there.tickets.find(ticket.id) is None
    await until(lambda: here.tickets.get(ticket.id) is None)
    assert await away.fetch() is None


async def test_who_waits_is_sent_away_when_this_proxy_closes(here: Place, there: Place) -> None:
    away = await there.away(await here.share())
    waiting = asyncio.create_task(away.wait(LONG))
    await asyncio.sleep(0)
    there.tickets.close()
    await waiting
    await away.wait(LONG)
    assert away.state == "running"
