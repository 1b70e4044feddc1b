"""RedisCache while its Redis is dead, frozen, full or out of reach: misses, no errors, and all is well again after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caches.family import DAY, MB, Clock, answer
from caches.shared import open_caches, open_proxys_cache, open_way, until
from fakes.redis import RedisServer, open_redis
from pico_a1111_proxy.caches.redis import KEYS, MOST_OWED, RedisCache


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """It writes down what it gets."""
    async with open_redis(tmp_path, "--appendfsync", "no") as server:
        yield server


@pytest.fixture
async def forgetful(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """It writes nothing down: whoever kills it starts an empty one."""
    async with open_redis(tmp_path, "--appendonly", "no") as server:
        yield server


async def is_reached(cache: RedisCache) -> bool:
    await cache.was_forgotten()
    return cache._link.is_up


async def has(cache: RedisCache, key: str) -> bool:
    return await cache.get(key) is not None


async def test_a_redis_that_was_killed_is_a_miss_and_comes_back_with_what_it_had(server: RedisServer) -> None:
    async with open_caches(server.url) as (one, another):
        await one.set("a", answer("a"))
        await one.set("k", answer("k"))
        await server.kill()
        assert await one.get("a") is None
        await one.set("k", answer("l"))
        await one.set("new", answer("n"))
        assert not await one.was_forgotten()
        assert (one.figures().misses, one.figures().trouble, one.figures().entries) == (1, 3, 2)
        await server.start()
        await until(lambda: has(one, "a"))
        assert await another.get("a") == answer("a")
        assert await another.get("k") is None  # that is not the last one any more
        assert not await one.was_forgotten()


@pytest.mark.parametrize("ends", ["killed", "frozen"])
async def test_it_ends_in_the_middle_of_many_calls(server: RedisServer, ends: str) -> None:
    async def write(cache: RedisCache, name: str) -> None:
        for number in range(400):
            await cache.set(f"{name}{number}", answer("x", 20_000))
            assert await cache.get(f"{name}{number}") in (None, answer("x", 20_000))
            if number == 50 and name == "a":
                await server.kill() if ends == "killed" else server.freeze()
            if number == 200 and name == "a":
                await server.start() if ends == "killed" else server.thaw()

    async with open_caches(server.url, most_bytes=MB) as (one, another):
        await asyncio.gather(write(one, "b"), write(another, "a"))
        await until(lambda: is_reached(one))
        assert one.figures().bytes <= MB
        await one.set("k", answer())
        await until(lambda: has(another, "k"))
        assert await one._link.redis.hlen(KEYS[1]) == await one._link.redis.zcard(KEYS[2])


async def test_a_frozen_one_is_a_miss_and_trouble(server: RedisServer) -> None:
    async with open_caches(server.url, 1) as (cache,):
        await cache.set("k", answer())
        server.freeze()
        assert await cache.get("k") is None
        await cache.set("k", answer("l"))
        await cache.clear()
        assert cache.figures().trouble == 3
        server.thaw()
        await until(lambda: is_reached(cache))
        assert await cache.get("k") is None
        await cache.set("k", answer("m"))
        assert await cache.get("k") == answer("m")


async def test_a_clear_that_could_not_be_said_is_done_when_redis_is_back(server: RedisServer) -> None:
    async with open_caches(server.url) as (one, another):
        await another.set("k", answer())
        assert not await another.was_forgotten()
        await server.kill()
        await one.clear()
        await server.start()
        await until(lambda: is_reached(one))
        assert await one.get("k") is None
        await until(lambda: is_reached(another))  # which is told
        assert await another.get("k") is None
        await another.set("k", answer("n"))
        assert await one.get("k") == answer("n")


@pytest.mark.parametrize("first", ["who has cleared", "who was cut off"])
async def test_who_was_cut_off_hears_of_a_clear_though_redis_has_lost_all(forgetful: RedisServer, first: str) -> None:
    async with open_way(forgetful) as way, open_caches(forgetful.url, 1) as (one,), open_caches(way.url, 1) as (off,):
        assert not await off.was_forgotten()
        await way.cut()
        await one.clear()
        await one.set("k", answer())
        await forgetful.kill()
        await forgetful.start()
        await way.mend()
        told = False

        async def hears() -> bool:
            nonlocal told
            told = told or await off.was_forgotten()
            return off._link.is_up

        for cache in (one, off) if first == "who has cleared" else (off, one):
            await until(hears if cache is off else lambda: is_reached(one))
        await hears()
        assert told
        assert not await off.was_forgotten()
        assert not await one.was_forgotten()


async def test_a_restart_that_loses_all_forgets_nothing_of_what_the_proxies_have(forgetful: RedisServer) -> None:
    async with open_caches(forgetful.url) as (one, another):
        await one.clear()
        assert await another.was_forgotten()
        await forgetful.kill()
        await forgetful.start()
        for cache in (one, another):
            for _ in range(3):
                assert not await cache.was_forgotten()
            await until(lambda cache=cache: is_reached(cache))  # type: ignore[misc]
            assert not await cache.was_forgotten()


async def test_more_than_it_can_owe(server: RedisServer) -> None:
    async with open_caches(server.url, 1) as (cache,):
        await cache.set("first", answer())
        await cache.set("last", answer())
        await server.kill()
        for key in ("first", *map(str, range(MOST_OWED - 1)), "last"):
            await cache.set(key, answer("n"))
        await server.start()
        await until(lambda: has(cache, "first"))  # an older drawing of the same job
        assert await cache.get("last") is None


async def test_a_redis_that_is_full_is_trouble_and_leaves_others_room(tmp_path: Path) -> None:
    options = ("--appendonly", "no", "--maxmemory", "4mb")
    async with open_redis(tmp_path, *options) as server, open_caches(server.url, most_bytes=50 * MB) as caches:
        for number in range(100):
            for cache in caches:
                await cache.set(f"{number}", answer("x", 100_000))
                assert await cache.get(f"{number}") in (None, answer("x", 100_000))
        one, another = caches
        assert 0 < one.figures().trouble + another.figures().trouble < 200
        assert 1 < one.figures().entries < 40
        assert one.figures().hits > 20
        await one._link.redis.config_set("maxmemory", 1)
        trouble, entries = one.figures().trouble, one.figures().entries
        await one.set("k", answer("x", 100_000))
        assert one.figures().entries < entries
        assert one.figures().trouble == trouble + 1
        await another.clear()  # no less than ever
        assert await one.was_forgotten()
        assert await one._link.redis.exists(KEYS[1]) == 0


async def test_what_is_no_cache_of_ours_is_trouble(server: RedisServer) -> None:
    async with open_caches(server.url, 1) as (cache,):
        await server.command("SET", KEYS[1], "a person's")
        await cache.set("k", answer())
        assert await cache.get("k") is None
        assert not await cache.was_forgotten()
        assert cache.figures().trouble == 2


async def test_proxies_go_on_with_what_they_have_and_find_each_others(tmp_path: Path, server: RedisServer) -> None:
    clock = Clock()
    here, there = tmp_path / "here", tmp_path / "there"
    async with (
        open_proxys_cache(here, server.url, clock) as one,
        open_proxys_cache(there, server.url, clock) as another,
    ):
        await one.set("k", answer())
        assert await another.get("k") == answer()  # it comes with its age, and stays
        await server.kill()
        assert [await cache.get("k") for cache in (one, another)] == [answer()] * 2
        await another.set("m", answer("m"))
        assert await another.get("m") == answer("m")
        assert await one.get("m") is None
        clock.now += DAY
        assert await another.get("k") is None
    clock.now -= DAY
    async with open_proxys_cache(there, server.url, clock) as started:  # nobody answers
        assert await started.get("m") == answer("m")


async def test_a_clear_reaches_the_disk_of_a_proxy_that_was_cut_off(tmp_path: Path, server: RedisServer) -> None:
    clock = Clock()
    async with (
        open_way(server) as way,
        open_proxys_cache(tmp_path / "here", server.url, clock) as one,
        open_proxys_cache(tmp_path / "there", way.url, clock) as off,
    ):
        await one.set("k", answer())
        assert await off.get("k") == answer()
        assert not await off.was_forgotten()
        await way.cut()
        await one.clear()
        await one.set("l", answer("l"))
        assert not await off.was_forgotten()
        assert await off.get("k") == answer()  # how should it know
        await way.mend()
        await until(off.was_forgotten)
        assert await off.get("k") is None
        assert await off.get("l") == answer("l")
        assert not await one.was_forgotten()
        assert not await off.was_forgotten()
    async with open_proxys_cache(tmp_path / "there", server.url, clock) as started:
        assert await started.get("l") == answer("l")


async def test_a_clear_reaches_the_disk_of_a_proxy_that_was_not_running(tmp_path: Path, server: RedisServer) -> None:
    clock = Clock()
    async with open_proxys_cache(tmp_path / "there", server.url, clock) as was:
        await was.set("k", answer())
        assert await was.get("k") == answer()
    async with open_proxys_cache(tmp_path / "here", server.url, clock) as one:
        await one.clear()
    async with open_proxys_cache(tmp_path / "there", server.url, clock) as started:
        assert await started.was_forgotten()
        assert await started.get("k") is None


async def test_one_hosts_disk_forgets_for_that_host_only(tmp_path: Path, server: RedisServer) -> None:
    clock = Clock()
    folder = tmp_path / "both"
    async with open_proxys_cache(folder, server.url, clock) as one, open_proxys_cache(folder, server.url, clock) as two:
        await one.set("k", answer())
        await one.clear()
        told = 0
        for _ in range(6):  # each that forgets may tell the other, but not for ever
            told = (await one.was_forgotten()) + (await two.was_forgotten())
        assert told == 0
        await two.set("k", answer("n"))
        assert await one.get("k") == answer("n")
