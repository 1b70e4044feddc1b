"""Shared windows: one allowance at all proxies, at most one more each without Redis, and nobody kept out for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fakes.redis import RedisServer
from fakes.waiting import LONG, until
from pico_a1111_proxy.fleet.link import open_link
from pico_a1111_proxy.fleet.windows import SharedWindows
from pico_a1111_proxy.rates import Rates, TooOften, Windows, read_rates


@asynccontextmanager
async def open_windows(redis: RedisServer) -> AsyncIterator[SharedWindows]:
    """Those of one proxy."""
    async with open_link(redis.url, time.monotonic) as link:
        yield SharedWindows(link, Windows(time.time))


@asynccontextmanager
async def two_proxies(redis: RedisServer, text: str) -> AsyncIterator[tuple[Rates, Rates]]:
    async with open_windows(redis) as one, open_windows(redis) as two:
        yield Rates(read_rates(text), one, time.time), Rates(read_rates(text), two, time.time)


async def served(rates: Rates, count: int, client: str = "a") -> int:
    """How many of so many requests at once are served."""
    answers = await asyncio.wait_for(asyncio.gather(*[rates.come(client) for _ in range(count)]), LONG)
    return sum(answer is None for answer in answers)


async def test_all_proxies_together_allow_so_many(redis: RedisServer) -> None:
    async with two_proxies(redis, "5/hour") as (one, two):
        assert await one.come("a") is None
        assert sum(await asyncio.gather(served(one, 10), served(two, 10))) == 4
        for rates in (one, two):
            too_often = await rates.come("a")
            assert too_often is not None
            assert (too_often.words, 3500 < too_often.seconds <= 3600) == ("5 per hour", True)
            assert await rates.come("b") is None


async def test_what_is_refused_counts_nowhere(redis: RedisServer) -> None:
    async with two_proxies(redis, "1/second; 3/hour") as (one, two):
        assert await one.come("a") is None
        for rates in (one, two) * 3:
            await rates.come("a")
        for rates in (two, one):
            # Had one of those been counted for the hour, this would never come.
            await until(lambda rates=rates: _is_served(rates))
        assert await two.come("a") is not None


async def _is_served(rates: Rates) -> bool:
    return await rates.come("a") is None


async def test_who_waits_as_long_as_told_is_served(redis: RedisServer) -> None:
    async with two_proxies(redis, "2/2 seconds") as (one, two):
        refused = [too_often for _ in range(100) for rates in (one, two) if (too_often := await rates.come("a"))]
        too_often = refused[-1]
        assert too_often in (TooOften("2 per 2 seconds", 1), TooOften("2 per 2 seconds", 2))
        await asyncio.sleep(too_often.seconds)  # as clients do
        assert await one.come("a") is None


async def test_without_redis_each_proxy_allows_it_once_at_the_most(redis: RedisServer) -> None:
    async with two_proxies(redis, "5/hour") as (one, two):
        assert await served(one, 3) == 3
        await redis.kill()
        assert await served(one, 10) == 2
        assert await served(two, 10) == 5
        assert await served(two, 10, "b") == 5


async def test_redis_that_comes_back_empty_allows_no_more(redis: RedisServer, tmp_path: Path) -> None:
    async with two_proxies(redis, "5/hour") as (one, two):
        assert await served(one, 5) == 5
        await redis.kill()
        assert await served(two, 5) == 5
        for file in (tmp_path / "appendonlydir").iterdir():
            file.unlink()
        await redis.start()
        await until(lambda: _is_shared(one, two))
        assert await served(one, 5) == await served(two, 5) == 0


async def _is_shared(one: Rates, two: Rates) -> bool:
    """Whether what is used up at `one` by somebody new is used up at `two`."""
    who = f"new {time.monotonic()}"
    assert await served(one, 5, who) == 5
    return await two.come(who) is not None


async def test_it_comes_back_by_itself(redis: RedisServer) -> None:
    async with two_proxies(redis, "5/hour") as (one, two):
        await redis.kill()
        assert not await _is_shared(one, two)
        await redis.start()
        await until(lambda: _is_shared(one, two))


async def test_nobody_is_kept_out_for_ever(redis: RedisServer) -> None:
    async with two_proxies(redis, "3/second") as (one, two):
        assert await served(one, 3) == 3
        await redis.kill()
        for rates in (one, two):
            await until(lambda rates=rates: _is_served(rates))
        await redis.start()
        for rates in (one, two):
            await until(lambda rates=rates: _is_served(rates))


async def test_nobody_waits_for_a_frozen_redis(redis: RedisServer) -> None:
    async with two_proxies(redis, "5/hour; 20/day") as (one, two):
        assert await served(one, 1) == 1
        redis.freeze()
        try:
            assert await served(one, 10) == 4
            assert await served(two, 10) == 5
        finally:
            redis.thaw()


async def test_of_two_that_are_full_the_later_one_tells(redis: RedisServer) -> None:
    async with open_windows(redis) as one, open_windows(redis) as two:
        assert await one.acquire_entry("key", 1, 3600)
        here = await one.get_moving_window("key", 1, 3600)
        await redis.command("FLUSHALL")
        assert not await one.acquire_entry("key", 1, 3600)
        assert await redis.command("DBSIZE") == ":0"
        assert await two.acquire_entry("key", 1, 3600)
        assert (await one.get_moving_window("key", 1, 3600))[0] > here[0]


async def test_what_is_over_is_gone_from_redis(redis: RedisServer) -> None:
    async with two_proxies(redis, "3/second") as (one, _):
        assert await one.come("a") is None
        assert await redis.command("DBSIZE") == ":1"
        await until(lambda: _is_empty(redis))


async def _is_empty(redis: RedisServer) -> bool:
    return await redis.command("DBSIZE") == ":0"
