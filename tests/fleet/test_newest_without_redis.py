"""The newest pictures of a fleet whose Redis goes and comes back, and as devices meet them over HTTP."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from fakes.a1111 import ScriptedA1111
from fakes.newest import KEY, LCD, Proxy, agree, calls, open_proxy
from fakes.pictures import png
from fakes.redis import RedisServer
from fakes.waiting import until
from pico_a1111_proxy.fleet.link import open_link
from pico_a1111_proxy.fleet.newest import KEPT_SECONDS
from service import open_service

FRAME = f"/displays/{LCD}/frame"


# --- Redis goes and comes back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["kill", "freeze"])
async def test_what_is_published_without_redis_is_shared_later(
    redis: RedisServer, near: Proxy, far: Proxy, way: str
) -> None:
    near.publish(b"1")
    await agree(b"1", near, far)
    if way == "kill":
        await redis.kill()
    else:
        redis.freeze()
    # The first is sent before anybody has noticed.
    for picture in (b"2", b"3"):
        far.publish(picture)
        assert far.has(picture)
        await asyncio.sleep(0)
    await until(lambda: not near.hub.is_up and not far.hub.is_up)
    far.publish(b"4")
    assert list(far.shared._offers) == ["default"]
    if way == "kill":
        await redis.start()
    else:
        redis.thaw()
    await agree(b"4", near, far)
    assert far.heard == [b"1", b"2", b"3", b"4"]
    assert near.heard[-1] == b"4"


async def test_what_was_published_last_without_redis_is_the_newest(redis: RedisServer, near: Proxy, far: Proxy) -> None:
    await redis.kill()
    await until(lambda: not near.hub.is_up and not far.hub.is_up)
    for picture, proxy in ((b"1", near), (b"2", far), (b"3", near), (b"4", far)):
        proxy.publish(picture)
        await asyncio.sleep(0.01)  # as far apart as Redis' clock is to tell
    await redis.start()
    await agree(b"4", near, far)


async def test_an_older_one_that_comes_late_is_refused(redis: RedisServer, near: Proxy) -> None:
    async with open_link(redis.url, time.monotonic) as link:
        later = int(time.time() * 1000) - 1000
        details: dict[Any, Any] = {"version": "a", "picture": b"later", "count": "", "seed": "7"}
        await link.redis.hset(KEY, mapping={**details, "moment": later})
        long_ago = time.monotonic() - 60
        near.shared._clock = lambda: long_ago
        near.publish(b"a minute ago")
        near.shared._clock = time.monotonic
        await agree(b"later", near)
        # One that is to come yet is of a clock that was put back, and holds up nobody.
        await link.redis.hset(KEY, mapping={**details, "moment": later + 10**6})
        near.publish(b"now")
        await agree(b"now", near)
        assert await link.redis.hget(KEY, "picture") == b"now"


async def test_what_redis_has_lost_it_gets_again(redis: RedisServer, tmp_path: Path, near: Proxy, far: Proxy) -> None:
    near.publish(b"1")
    await agree(b"1", near, far)
    near.publish(b"2")
    await agree(b"2", near, far)
    await redis.command("FLUSHALL")
    await redis.kill()
    await until(lambda: not near.hub.is_up and not far.hub.is_up)
    await redis.start()
    await until(lambda: near.is_settled and far.is_settled)
    assert await redis.command("EXISTS", KEY) == ":1"
    async with open_proxy(redis) as late:
        assert late.has(b"2")
    assert near.heard == far.heard == [b"1", b"2"]


async def test_what_is_too_old_is_not_shared_again(redis: RedisServer, near: Proxy) -> None:
    long_ago = time.monotonic() - KEPT_SECONDS - 1
    near.shared._clock = lambda: long_ago
    near.publish(b"1")
    near.shared._clock = time.monotonic
    await agree(b"1", near)
    assert await calls(redis, "publish") == await calls(redis, "hset") == 0


# --- Over HTTP --------------------------------------------------------------------------------------------------


async def test_a_push_at_one_ends_the_long_poll_at_another(redis: RedisServer, upstream: ScriptedA1111) -> None:
    given = {"a1111_base_url": upstream.url, "redis_url": redis.url}
    async with open_service(**given) as first:
        async with open_service(**given) as second:
            waiting = asyncio.create_task(second.ask("GET", f"{FRAME}?wait=30"))
            pushed = await first.ask("POST", FRAME, png("blue"))
            got = await waiting
            assert (got.status, got.body, got.headers["ETag"]) == (200, pushed.body, pushed.headers["ETag"])
            etag = got.headers["ETag"]
            waiting = asyncio.create_task(first.ask("GET", f"{FRAME}?wait=30", if_none_match=etag))
            drawn = await second.frame({"prompt": "x", "seed": 7}, f"?display={LCD}")
            got = await waiting
            assert (drawn.status, got.status, got.body) == (200, 200, drawn.body)
            assert (got.headers["ETag"], got.headers["X-Image-Seed"]) == (
                drawn.headers["ETag"],
                drawn.headers["X-Image-Seed"],
            )
        async with open_service(**given) as again:
            assert (await again.ask("GET", FRAME)).body == drawn.body


@pytest.mark.parametrize("way", ["kill", "freeze"])
async def test_a_push_without_redis_is_shown_here_and_there_later(
    redis: RedisServer, upstream: ScriptedA1111, way: str
) -> None:
    given = {"a1111_base_url": upstream.url, "redis_url": redis.url}
    async with open_service(**given) as first, open_service(**given) as second:
        waiting = asyncio.create_task(first.ask("GET", f"{FRAME}?wait=30"))
        if way == "kill":
            await redis.kill()
        else:
            redis.freeze()
        pushed = await second.ask("POST", FRAME, png("blue"))
        here = await second.ask("GET", FRAME)
        assert (pushed.status, here.status, here.headers["ETag"]) == (200, 200, pushed.headers["ETag"])
        assert not waiting.done()
        if way == "kill":
            await redis.start()
        else:
            redis.thaw()
        got = await waiting
        assert (got.status, got.headers["ETag"]) == (200, pushed.headers["ETag"])
