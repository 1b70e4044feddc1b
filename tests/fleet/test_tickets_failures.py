"""Tickets of a fleet when a proxy or its Redis ends, and whatever stands in Redis."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.office import ANSWER, LONG, open_office, over
from fakes.pictures import b64, png
from fakes.places import Place, open_place, said_of
from fakes.redis import RedisServer
from fakes.waiting import until
from pico_a1111_proxy.claims import Ticket
from pico_a1111_proxy.errors import (
    FleetUnavailable,
    UpstreamUnavailable,
)
from pico_a1111_proxy.fleet.hub import Hub
from pico_a1111_proxy.fleet.link import key, open_link
from pico_a1111_proxy.fleet.records import MOST_BYTES
from pico_a1111_proxy.fleet.tickets import SharedTickets
from pico_a1111_proxy.panels import DISPLAYS

# --- A proxy ends -----------------------------------------------------------------------------------------------


async def test_what_a_proxy_had_when_it_stopped(redis: RedisServer, there: Place) -> None:
    async with open_place(redis) as here:
        done = await here.share_and_end()
        running = await here.share("b")
        queued = await here.share("c")
        await here.tickets.end()
    assert repr(await (await there.away(done)).fetch()) == repr(done.rendering)
    for ticket in (running, queued):
        error = (await there.away(ticket)).error
        assert isinstance(error, UpstreamUnavailable)
        assert "has stopped" in str(error)


async def test_what_a_proxy_had_when_it_died(redis: RedisServer, there: Place) -> None:
    async with open_office() as office, open_link(redis.url, time.monotonic) as link:
        dead = Hub(link)  # which never runs
        board = SharedTickets(dead, link, DISPLAYS)
        here = Place(office, office.open(board=board), board, link, dead)
        ticket = await here.share()
        away = await there.away(ticket)
        with pytest.raises(FleetUnavailable, match="does not answer"):
            await there.tickets.withdraw(away)
        waiting = asyncio.create_task(away.wait(LONG))
        await redis.command("DEL", key("holder", dead.name))  # as it does by itself
        await waiting
        assert (away.state, type(away.error)) == ("failed", UpstreamUnavailable)
        assert away.expires_seconds
        async with open_place(redis, grace=LONG) as new:  # who cannot tell yet
            assert (await new.away(ticket)).state == "running"
        await there.tickets.withdraw(await there.away(ticket))
        assert await there.tickets.find(ticket.id) is None


# --- Redis ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forgets", [False, True])
async def test_without_redis_each_has_its_own(
    here: Place, there: Place, redis: RedisServer, tmp_path: Path, forgets: bool
) -> None:
    known = await here.share_and_end()
    away = await there.away_and_over(known)
    running = await here.share("b")
    waiting = asyncio.create_task((await there.away(running)).wait(LONG))
    await redis.kill()
    with pytest.raises(FleetUnavailable):
        await there.tickets.find(known.id)
    with pytest.raises(FleetUnavailable):
        await away.fetch()
    with pytest.raises(FleetUnavailable):
        await waiting
    assert await there.tickets.find("nothing") is None  # which was never an id
    unknown = await here.share("c")
    assert await here.tickets.find(unknown.id) is unknown
    await here.office.painter.finish(1)
    await over(running)
    here.tickets.cancel(unknown)
    if forgets:
        shutil.rmtree(tmp_path / "appendonlydir")
    await redis.start()
    await until(lambda: there.hub.is_up and here.hub.is_up)
    for ticket in (known, running, unknown):

        async def is_found(ticket: Ticket = ticket) -> bool:
            try:
                return (found := await there.tickets.find(ticket.id)) is not None and found.is_over
            except FleetUnavailable:
                return False

        await until(is_found)
        found = await there.away(ticket)
        assert said_of(found) == said_of(ticket)
        if ticket.rendering:
            assert repr(await found.fetch()) == repr(ticket.rendering)


async def test_a_frozen_redis_holds_nobody_up(here: Place, there: Place, redis: RedisServer) -> None:
    known = await here.share()
    redis.freeze()
    try:
        with pytest.raises(FleetUnavailable):
            await there.tickets.find(known.id)
        ticket = await here.share("b")
        assert await here.tickets.find(ticket.id) is ticket
    finally:
        redis.thaw()


# --- What Redis may hold ----------------------------------------------------------------------------------------


async def test_of_a_large_one_only_the_frames_are_not_shared(here: Place, there: Place) -> None:
    said = {"images": [b64(png())], "parameters": {"init_images": ["x" * MOST_BYTES]}, "info": "{}"}
    ticket = await here.share_and_end(replace(ANSWER, body=json.dumps(said).encode()))
    away = await there.away_and_over(ticket)
    assert said_of(away) == said_of(ticket)
    with pytest.raises(FleetUnavailable, match="too large") as told:
        await away.fetch()
    assert told.value.retry_after == 1


HEAD_DAMAGE: list[tuple[str, str | None]] = [
    ("owner", None),
    ("owner", "\u00ff"),
    ("display", None),
    ("display", "{"),
    ("display", "[" * 100_000),
    ("display", "[]"),
    ("display", '{"name": "x"}'),
    ("display", '{"name": "x", "width": 2000, "height": 8}'),
    ("display", '{"name": "x", "width": true, "height": 8}'),
    ("display", '{"name": "x", "width": 8, "height": 8, "format": "jpeg"}'),
    ("display", '{"name": "x", "width": 8, "height": 8, "background": "red"}'),
    ("outlook", None),
    ("outlook", "null"),
    ("outlook", '["done"]'),
    ("outlook", '["lost", 0, 0.5, 1, false]'),
    ("outlook", '["running", -1, 0.5, 1, false]'),
    ("outlook", '["running", 0, NaN, 1, false]'),
    ("outlook", '["running", 0, 0.5, 1e999, false]'),
    ("outlook", '["failed", 0, 0.5, 0, false]'),
]


@pytest.mark.parametrize(("field", "value"), HEAD_DAMAGE, ids=range(len(HEAD_DAMAGE)))
async def test_a_damaged_record_is_none(
    here: Place, there: Place, redis: RedisServer, field: str, value: str | None
) -> None:
    ticket = await here.share_and_end()
    await there.away_and_over(ticket)
    words = ("HDEL", key("ticket", ticket.id), field) if value is None else ("HSET", key("ticket", ticket.id), field)
    await redis.command(*words, *([] if value is None else [value]))
    assert await there.tickets.find(ticket.id) is None
    assert there.link.is_up


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frames", "short"),
        ("facts", ""),
        ("facts", "[]"),
        ("facts", '[{}, {}, 1, 2, 3, "miss"]'),
        ("facts", '[{}, {}, 1, 0, "x", "miss"]'),
        ("facts", '[{}, {}, 1, 0, 3, "X-Evil: 1"]'),
        ("facts", '[[], {}, 1, 0, 3, "miss"]'),
        ("facts", '[{}, {}, true, 0, 3, "miss"]'),
    ],
)
async def test_damaged_frames_are_none(here: Place, there: Place, redis: RedisServer, field: str, value: str) -> None:
    away = await there.away_and_over(await here.share_and_end())
    await redis.command("HSET", key("ticket", away.id), field, value)
    assert await away.fetch() is None


async def test_what_is_no_record_at_all_is_none(there: Place, redis: RedisServer) -> None:
    name = "x" * 22
    await redis.command("SET", key("ticket", name), "1")
    assert await there.tickets.find(name) is None
    assert there.link.is_up
