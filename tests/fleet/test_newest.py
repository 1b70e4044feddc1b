"""The newest pictures of a fleet: what is published at one proxy is the newest at all."""

from __future__ import annotations

import asyncio

from fakes.newest import KEY, LCD, SHOWN, Proxy, agree, calls, open_proxy
from fakes.pictures import encode, gradient
from fakes.redis import RedisServer
from fakes.turns import no_task_is_left
from fakes.waiting import LONG, until
from pico_a1111_proxy.fleet.link import key
from pico_a1111_proxy.fleet.newest import KEPT_SECONDS, MOST_BYTES
from pico_a1111_proxy.newest import Published

# --- Both have the same -----------------------------------------------------------------------------------------


async def test_who_waits_at_another_proxy_is_woken(near: Proxy, far: Proxy) -> None:
    waiting = asyncio.create_task(far.newest.wait("default", None, LONG))
    await until(lambda: far.newest.waiting == 1)
    near.newest.publish("default", Published(b"\0\xff picture", 4, 2**63))
    got = await waiting
    assert got
    assert (got.picture, got.count, got.seed) == (b"\0\xff picture", 4, 2**63)
    near.publish(b"2")
    await agree(b"2", near, far)
    assert far.newest.get(LCD) is None
    second = far.newest.get("default")
    assert second
    assert (second.count, second.seed) == (None, None)


async def test_a_picture_goes_there_once_and_never_back(redis: RedisServer, near: Proxy, far: Proxy) -> None:
    before = await calls(redis, "eval")
    for number, proxy in enumerate([near, far, near]):
        proxy.publish(b"%d" % number)
        await agree(b"%d" % number, near, far)
    assert near.heard == far.heard == [b"0", b"1", b"2"]
    assert (await calls(redis, "publish"), await calls(redis, "pexpireat")) == (3, 3)
    assert await calls(redis, "eval") == before + 6  # stored by one, fetched by the other
    near.publish(b"2")
    far.publish(b"2")
    assert near.is_settled
    assert far.is_settled
    assert near.heard == far.heard


async def test_when_all_publish_at_once_all_have_the_same(near: Proxy, far: Proxy) -> None:
    for number in range(50):
        for proxy in (near, far):
            proxy.publish(b"%d at %d" % (number, id(proxy)))
        await asyncio.sleep(0)
    await until(lambda: near.is_settled and far.is_settled and near.heard[-1] == far.heard[-1])
    assert near.heard[-1].startswith(b"49 ")


async def test_of_a_storm_the_last_one_counts_and_not_all_are_sent(redis: RedisServer, near: Proxy, far: Proxy) -> None:
    for number in range(500):
        near.publish(b"%d" % number)
    await agree(b"499", near, far)
    assert far.heard == [b"499"]
    assert await calls(redis, "publish") == 1


async def test_one_picture_of_each_display_is_kept_for_some_days(redis: RedisServer, near: Proxy, far: Proxy) -> None:
    for number in range(5):
        near.publish(b"%d" % number)
        await agree(b"%d" % number, near, far)
    near.publish(b"other", LCD)
    await until(lambda: far.has(b"other", LCD))
    assert await redis.command("DBSIZE") == ":2"
    left = int((await redis.command("PTTL", KEY)).removeprefix(":"))
    assert KEPT_SECONDS * 999 < left <= KEPT_SECONDS * 1000


async def test_a_picture_that_is_too_large_stays_here(redis: RedisServer, near: Proxy, far: Proxy) -> None:
    near.publish(bytes(MOST_BYTES + 1))
    near.publish(b"other", LCD)
    await until(lambda: far.has(b"other", LCD))
    assert far.newest.get("default") is None
    near.publish(bytes(1_000_000))
    await agree(bytes(1_000_000), near, far)


async def test_displays_that_are_not_known_here_are_nothing_to_us(redis: RedisServer, near: Proxy) -> None:
    async with open_proxy(redis, {"default": SHOWN["default"]}) as far:
        near.publish(b"other", LCD)
        near.publish(b"1")
        await agree(b"1", near, far)
        assert far.heard == [b"1"]


async def test_nonsense_on_the_channel_does_no_harm(redis: RedisServer, near: Proxy, far: Proxy) -> None:
    for words in ("", "default", "a default", "a unknown", "a default b"):
        await redis.command("PUBLISH", key("channel", "newest"), words)
    near.publish(b"1")
    await agree(b"1", near, far)
    assert far.heard == [b"1"]


async def test_what_is_made_small_here_is_whole_there(redis: RedisServer, near: Proxy) -> None:
    picture = encode(gradient((600, 600)), "BMP")
    async with open_proxy(redis, budget=1) as far:
        far.publish(picture, LCD)
        far.publish(b"no picture")
        await until(lambda: near.has(picture, LCD) and near.has(b"no picture"))
        await until(lambda: far.is_settled)
        assert far.heard == [picture, b"no picture"]


# --- Starting and ending ----------------------------------------------------------------------------------------


async def test_who_starts_knows_the_newest_at_once(redis: RedisServer, near: Proxy) -> None:
    near.publish(b"1")
    near.publish(b"other", LCD)
    await until(lambda: near.is_settled)
    async with open_proxy(redis, waits=False) as late:
        assert late.has(b"1")
        assert late.has(b"other", LCD)
        late.publish(b"2")
        await agree(b"2", near, late)


async def test_what_is_published_last_of_all_is_shared_still(redis: RedisServer, near: Proxy) -> None:
    async with no_task_is_left(), open_proxy(redis) as far:
        far.publish(b"the last")
    await agree(b"the last", near)


async def test_without_redis_it_starts_and_ends(redis: RedisServer) -> None:
    await redis.kill()
    async with no_task_is_left(), open_proxy(redis, waits=False) as near:
        near.publish(b"1")
        assert near.has(b"1")
