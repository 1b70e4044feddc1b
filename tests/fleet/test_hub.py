"""The hub: who listens hears, and a connection that is lost is made again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fakes.redis import RedisServer
from fakes.waiting import until
from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.hub import Hub
from pico_a1111_proxy.fleet.link import open_link


class Listener:
    """Listens on two channels, and remembers."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.heard: list[bytes] = []
        self.others: list[bytes] = []
        self.connected = 0
        self.changes: list[bool] = []
        hub.listen("ours", self.heard.append, self._connect)
        hub.listen("theirs", self.others.append)
        hub.changed.append(lambda: self.changes.append(hub.is_up))

    def _connect(self) -> None:
        self.connected += 1

    async def is_up(self, up: bool = True) -> None:
        await until(lambda: self.hub.is_up is up, f"never was up={up}")


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Listener]:
    async with open_link(url, time.monotonic) as link:
        listener = Listener(Hub(link))
        async with listener.hub.running():
            yield listener


async def hears(one: Listener, words: bytes) -> None:
    await until(lambda: words in one.heard, f"never heard {words!r}")


async def test_all_who_listen_on_a_channel_hear_what_is_said_there(redis: RedisServer) -> None:
    async with listening(redis.url) as one, listening(redis.url) as two:
        await one.is_up()
        await two.is_up()
        await one.hub.tell("theirs", b"\0\xff")
        await one.hub.tell("nobody's", b"-")
        await one.hub.tell("ours", b"a")
        await one.hub.tell("ours", b"b")
        await hears(one, b"b")
        await hears(two, b"b")
        assert one.heard == two.heard == [b"a", b"b"]
        assert one.others == two.others == [b"\0\xff"]
        assert one.hub.name != two.hub.name


async def test_after_a_death_it_hears_again_and_says_so(redis: RedisServer) -> None:
    async with listening(redis.url) as one:
        await one.is_up()
        assert (one.connected, one.changes) == (1, [True])
        await redis.kill()
        await one.is_up(False)
        with pytest.raises(FleetUnavailable):
            await one.hub.tell("ours", b"lost")
        await redis.start()
        await one.is_up()
        assert (one.connected, one.changes) == (2, [True, False, True])
        await one.hub.tell("ours", b"found")  # at once: the link is revived with it
        await hears(one, b"found")


async def test_one_that_says_nothing_any_more_is_found_out(redis: RedisServer) -> None:
    async with listening(redis.url) as one:
        await one.is_up()
        redis.freeze()
        await one.is_up(False)
        redis.thaw()
        await one.is_up()
        assert (one.connected, one.changes) == (2, [True, False, True])
        await one.hub.tell("ours", b"found")
        await hears(one, b"found")


async def test_a_connection_that_is_cut_is_made_again(redis: RedisServer) -> None:
    async with listening(redis.url) as one:
        await one.is_up()
        for nth in (2, 3, 4):
            await redis.command("CLIENT", "KILL", "TYPE", "pubsub")
            await until(lambda nth=nth: one.connected == nth, "never connected again")
            await one.is_up()
        await one.hub.tell("ours", b"found")
        await hears(one, b"found")


async def test_it_may_begin_before_redis_does(redis: RedisServer) -> None:
    await redis.kill()
    async with listening(redis.url) as one:
        with pytest.raises(FleetUnavailable):
            await one.hub.tell("ours", b"lost")
        assert (one.hub.is_up, one.connected, one.changes) == (False, 0, [])
        await redis.start()
        await one.is_up()
        assert one.changes == [True]


async def test_an_ear_that_hurts_is_not_the_end(redis: RedisServer) -> None:
    async with open_link(redis.url, time.monotonic) as link:
        hub = Hub(link)
        heard: list[bytes] = []

        def hear(message: bytes) -> None:
            heard.append(message)
            raise ValueError(message)

        hub.listen("ours", hear)
        async with hub.running():
            for words in (b"a", b"b"):
                await until(lambda: hub.is_up, "never was up")
                await hub.tell("ours", words)
                await until(lambda words=words: words in heard, "never heard")
                await until(lambda: not hub.is_up, "was not thrown off by it")
            await until(lambda: hub.is_up, "never was up again")
