"""The newest pictures of a fleet: what is published at one proxy is the newest at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.newest import KEY, LCD, LONG, SHOWN, Proxy, agree, calls, open_proxy, until
from fakes.pictures import encode, gradient
from fakes.redis import RedisServer, open_redis
from fakes.turns import no_task_is_left
from pico_a1111_proxy.fleet.link import key
from pico_a1111_proxy.fleet.newest import KEPT_SECONDS, MOST_BYTES
from pico_a1111_proxy.newest import Published


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with open_redis(tmp_path) as server:
        yield server


@pytest.fixture
async def one(redis: RedisServer) -> AsyncIterator[Proxy]:
    async with open_proxy(redis) as proxy:
        yield proxy


@pytest.fixture
async def two(redis: RedisServer) -> AsyncIterator[Proxy]:
    async with open_proxy(redis) as proxy:
        yield proxy


# --- Both have the same -----------------------------------------------------------------------------------------


async def test_who_waits_at_another_proxy_is_woken(one: Proxy, two: Proxy) -> None:
    waiting = asyncio.create_task(two.newest.wait("default", None, LONG))
    await until(lambda: two.newest.waiting == 1)
    one.newest.publish("default", Published(b"\0\xff picture", 4, 2**63))
    got = await waiting
    assert got
    assert (got.picture, got.count, got.seed) == (b"\0\xff picture", 4, 2**63)
    one.publish(b"2")
    await agree(b"2", one, two)
    assert two.newest.get(LCD) is None
    second = two.newest.get("default")
    assert second
    assert (second.count, second.seed) == (None, None)


async def test_a_picture_goes_there_once_and_never_back(redis: RedisServer, one: Proxy, two: Proxy) -> None:
    before = await calls(redis, "eval")
    for number, proxy in enumerate([one, two, one]):
        proxy.publish(b"%d" % number)
        await agree(b"%d" % number, one, two)
    assert one.heard == two.heard == [b"0", b"1", b"2"]
    assert (await calls(redis, "publish"), await calls(redis, "pexpireat")) == (3, 3)
    assert await calls(redis, "eval") == before + 6  # stored by one, fetched by the other
    one.publish(b"2")
    two.publish(b"2")
    assert one.is_settled
    assert two.is_settled
    assert one.heard == two.heard


async def test_when_all_publish_at_once_all_have_the_same(one: Proxy, two: Proxy) -> None:
    for number in range(50):
        for proxy in (one, two):
            proxy.publish(b"%d at %d" % (number, id(proxy)))
        await asyncio.sleep(0)
    await until(lambda: one.is_settled and two.is_settled and one.heard[-1] == two.heard[-1])
    assert one.heard[-1].startswith(b"49 ")


async def test_of_a_storm_the_last_one_counts_and_not_all_are_sent(redis: RedisServer, one: Proxy, two: Proxy) -> None:
    for number in range(500):
        one.publish(b"%d" % number)
    await agree(b"499", one, two)
    assert two.heard == [b"499"]
    assert await calls(redis, "publish") == 1


async def test_one_picture_of_each_display_is_kept_for_some_days(redis: RedisServer, one: Proxy, two: Proxy) -> None:
    for number in range(5):
        one.publish(b"%d" % number)
        await agree(b"%d" % number, one, two)
    one.publish(b"other", LCD)
    await until(lambda: two.has(b"other", LCD))
    assert await redis.command("DBSIZE") == ":2"
    left = int((await redis.command("PTTL", KEY)).removeprefix(":"))
    assert KEPT_SECONDS * 999 < left <= KEPT_SECONDS * 1000


async def test_a_picture_that_is_too_large_stays_here(redis: RedisServer, one: Proxy, two: Proxy) -> None:
    one.publish(bytes(MOST_BYTES + 1))
    one.publish(b"other", LCD)
    await until(lambda: two.has(b"other", LCD))
    assert two.newest.get("default") is None
    one.publish(bytes(1_000_000))
    await agree(bytes(1_000_000), one, two)


async def test_displays_that_are_not_known_here_are_nothing_to_us(redis: RedisServer, one: Proxy) -> None:
    async with open_proxy(redis, {"default": SHOWN["default"]}) as two:
        one.publish(b"other", LCD)
        one.publish(b"1")
        await agree(b"1", one, two)
        assert two.heard == [b"1"]


async def test_nonsense_on_the_channel_does_no_harm(redis: RedisServer, one: Proxy, two: Proxy) -> None:
    for words in ("", "default", "a default", "a unknown", "a default b"):
        await redis.command("PUBLISH", key("channel", "newest"), words)
    one.publish(b"1")
    await agree(b"1", one, two)
    assert two.heard == [b"1"]


async def test_what_is_made_small_here_is_whole_there(redis: RedisServer, one: Proxy) -> None:
    picture = encode(gradient((600, 600)), "BMP")
    async with open_proxy(redis, budget=1) as two:
        two.publish(picture, LCD)
        two.publish(b"no picture")
        await until(lambda: one.has(picture, LCD) and one.has(b"no picture"))
        await until(lambda: two.is_settled)
        assert two.heard == [picture, b"no picture"]


# --- Starting and ending ----------------------------------------------------------------------------------------


async def test_who_starts_knows_the_newest_at_once(redis: RedisServer, one: Proxy) -> None:
    one.publish(b"1")
    one.publish(b"other", LCD)
    await until(lambda: one.is_settled)
    async with open_proxy(redis, waits=False) as late:
        assert late.has(b"1")
        assert late.has(b"other", LCD)
        late.publish(b"2")
        await agree(b"2", one, late)


async def test_what_is_published_last_of_all_is_shared_still(redis: RedisServer, one: Proxy) -> None:
    async with no_task_is_left(), open_proxy(redis) as two:
        two.publish(b"the last")
    await agree(b"the last", one)


async def test_without_redis_it_starts_and_ends(redis: RedisServer) -> None:
    await redis.kill()
    async with no_task_is_left(), open_proxy(redis, waits=False) as one:
        one.publish(b"1")
        assert one.has(b"1")
