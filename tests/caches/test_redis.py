"""RedisCache: what one proxy sets the others get, within one bound, and what one forgets is forgotten by all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caches.family import MB, Clock, answer
from caches.shared import open_caches, open_way
from fakes.redis import RedisServer, open_redis
from pico_a1111_proxy.caches.redis import KEYS, RedisCache

STATE, ENTRIES, USED = KEYS


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with open_redis(tmp_path, "--appendonly", "no") as server:
        yield server


@pytest.fixture
async def two(server: RedisServer) -> AsyncIterator[list[RedisCache]]:
    async with open_caches(server.url) as caches:
        yield caches


async def memory_of(cache: RedisCache) -> int:
    """What Redis uses for the cache; that is sampled unless all of it is asked for."""
    return sum([await cache._link.redis.memory_usage(name, samples=0) for name in KEYS])


async def test_what_one_sets_the_others_get(two: list[RedisCache]) -> None:
    one, another = two
    await one.set("k", answer("a"))
    assert await another.get("k") == answer("a")
    await another.set("k", answer("b"))
    assert await one.get("k") == answer("b")
    assert (one.figures().entries, one.figures().hits, another.figures().hits) == (1, 1, 1)


async def test_a_clock_a_little_ahead_on_another_host_does_not_matter(server: RedisServer) -> None:
    ahead, behind = Clock(), Clock()
    ahead.now += 0.5
    async with (
        open_caches(server.url, 1, clock=ahead) as (one,),
        open_caches(server.url, 1, clock=behind) as (another,),
    ):
        await one.set("k", answer())
        found = await another.find("k")
        assert found
        assert found.stored == behind.now


@pytest.mark.parametrize(("size", "count"), [(10, 2000), (900, 900), (33_000, 80), (150_000, 40)])
async def test_two_that_write_at_once_stay_within_the_bound(server: RedisServer, size: int, count: int) -> None:
    bound = 2 * MB

    async def write(cache: RedisCache, name: str) -> None:
        for start in range(0, count, 20):
            keys = [f"{name}{number:063}" for number in range(start, start + 20)]
            await asyncio.gather(*(cache.set(key, answer("x", size)) for key in keys))
            assert cache.figures().bytes <= bound

    async with open_caches(server.url, 2, most_bytes=bound) as (one, another):
        await asyncio.gather(write(one, "a"), write(another, "b"))
        await one.get("none")
        redis, held = one._link.redis, one.figures()
        assert await redis.hlen(ENTRIES) == await redis.zcard(USED) == held.entries
        assert (held.trouble, another.figures().trouble) == (0, 0)
        assert bound * 0.8 < held.bytes <= bound
        assert await memory_of(one) <= bound


async def test_many_small_ones_make_room_for_a_large_one(server: RedisServer) -> None:
    async with open_caches(server.url, 1, most_bytes=2 * MB) as (cache,):
        for start in range(0, 1300, 50):
            await asyncio.gather(*(cache.set(f"{number}", answer("s", 500)) for number in range(start, start + 50)))
        assert cache.figures().entries == 1300  # more than one call removes
        await cache.set("k", answer("k", 1_700_000))
        assert await cache.get("k") == answer("k", 1_700_000)
        assert cache.figures().bytes <= 2 * MB
        assert cache.figures().trouble == 0


async def test_what_is_damaged_is_trouble_and_a_miss_and_gone(two: list[RedisCache]) -> None:
    one, another = two
    redis = one._link.redis
    await one.set("k", answer())
    entry = await redis.hget(ENTRIES, "k")
    for data in (entry[:-1] + b"b", entry[:-1], b"", b"\x80\x04K*.", entry.replace(b'"k"', b'"l"')):
        await one.set("k", answer())
        await redis.hset(ENTRIES, "k", data)
        trouble = another.figures().trouble
        assert await another.get("k") is None
        assert another.figures().trouble == trouble + 1
        assert await another.get("k") is None
        assert another.figures().trouble == trouble + 1
        assert not await redis.hexists(ENTRIES, "k")


async def test_what_another_has_put_in_the_place_of_a_damaged_one_stays(server: RedisServer) -> None:
    async with open_way(server) as way, open_caches(way.url, 1) as (slow,), open_caches(server.url, 1) as (another,):
        await another.set("k", answer("a"))
        entry = await another._link.redis.hget(ENTRIES, "k")
        await another._link.redis.hset(ENTRIES, "k", entry[:-1] + b"b")
        assert await slow.get("none") is None
        way.marker = entry[:30]  # in Redis's answer
        getting = asyncio.create_task(slow.get("k"))
        await way.held.wait()
        await another.set("k", answer("c"))
        way.may_go.set()
        assert await getting is None
        assert await another.get("k") == answer("c")


async def test_a_clear_is_told_to_the_others_once_and_frees_all(two: list[RedisCache]) -> None:
    one, another = two
    await one.set("a", answer())
    await another.set("b", answer())
    assert [await cache.was_forgotten() for cache in two] == [False, False]
    for _ in range(3):
        await one.clear()
        assert one.figures().bytes == one.figures().entries == 0
        assert await one._link.redis.exists(ENTRIES, USED) == 0
        assert await one.get("b") is None
        assert await another.get("a") is None
        await another.set("a", answer("n"))  # though it was not told
        assert await one.get("a") == answer("n")
        assert [await cache.was_forgotten() for cache in two] == [False, True]
        assert [await cache.was_forgotten() for cache in two] == [False, False]
        assert await another.get("a") == answer("n")


async def test_a_set_that_began_before_anothers_clear_does_not_survive_it(server: RedisServer) -> None:
    async with open_way(server) as way, open_caches(way.url, 1) as (slow,), open_caches(server.url, 1) as (another,):
        assert await slow.get("k") is None
        way.marker = b"PicoAnsw"
        setting = asyncio.create_task(slow.set("k", answer("a")))
        await way.held.wait()
        await another.clear()
        way.may_go.set()
        await setting
        assert await another.get("k") is None
        assert slow.figures().trouble == 0
        await slow.set("k", answer("b"))
        assert await another.get("k") == answer("b")


async def test_a_proxy_that_starts_hears_of_a_clear_that_its_disk_may_have_missed(server: RedisServer) -> None:
    async with open_caches(server.url, 2) as (one, another):
        assert [await one.was_forgotten(), await another.was_forgotten()] == [False, False]
        await one.clear()
    async with open_caches(server.url, 1) as (started,):
        await started.set("k", answer())
        assert [await started.was_forgotten(), await started.was_forgotten()] == [True, False]
        assert await started.get("k") == answer()
    async with open_caches(server.url, 1, ttl=1e-6) as (long_after,):  # nothing of then is any good today
        assert not await long_after.was_forgotten()


async def test_nothing_stays_for_ever(two: list[RedisCache]) -> None:
    redis = two[0]._link.redis
    await two[0].set("k", answer())
    assert all([86400_000 < await redis.pttl(name) < 2 * 86400_000 + 200_000 for name in KEYS])
    await two[0].clear()
    assert await redis.pttl(STATE) > 86400_000
    assert set(await redis.keys("*")) == {STATE.encode()}


async def test_what_nobody_has_used_for_so_long_goes(server: RedisServer) -> None:
    async with open_caches(server.url, 1, ttl=1e-6) as (cache,):
        await cache.set("a", answer())
        await cache.set("b", answer())
        assert cache.figures().entries == 1
        assert await cache._link.redis.hkeys(ENTRIES) == [b"b"]


@pytest.mark.parametrize("lost", KEYS)
async def test_a_redis_that_throws_a_key_away_costs_no_more_than_the_answers(two: list[RedisCache], lost: str) -> None:
    one, another = two
    await one.clear()
    assert await another.was_forgotten()
    await one.set("a", answer())
    await one._link.redis.delete(lost)
    assert await one.get("a") is None
    assert one.figures().entries == one.figures().bytes == 0
    await one.set("a", answer("b"))
    assert await another.get("a") == answer("b")
    assert 1000 < another.figures().bytes < 3000
    assert [await cache.was_forgotten() for cache in two] == [False, False]
