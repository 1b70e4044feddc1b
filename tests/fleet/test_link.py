"""The link to Redis: nobody waits for long on it, and what goes wrong is told in plain words."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fakes.failures import closed_port
from fakes.redis import RedisServer, open_redis
from fakes.visitors import Clock
from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.link import LEFT_ALONE_SECONDS, PATIENCE, Link, key, open_link, within


def ping(redis: Any) -> Any:
    return redis.ping()


def write(redis: Any) -> Any:
    return redis.set("a", b"b" * 2_000_000)


async def refused(link: Link, question: Any = ping, patience: float = 5) -> FleetUnavailable:
    with pytest.raises(FleetUnavailable) as caught:
        await link.ask(question, patience)
    assert caught.value.unsent
    return caught.value


def test_keys_are_words_with_a_name_of_ours_before_them() -> None:
    assert key("job", "a") == "pico_a1111:job:a"


async def test_it_asks_the_database_that_is_so_many_further(redis: RedisServer) -> None:
    url = redis.url.removesuffix("/0") + "/2"
    async with open_link(url, Clock()) as first, open_link(url, Clock(), 1) as second:
        assert await first.ask(lambda redis: redis.set("a", 1))
        assert await second.ask(lambda redis: redis.get("a")) is None
        assert await second.ask(lambda redis: redis.swapdb(2, 3))
        assert await second.ask(lambda redis: redis.get("a")) == b"1"


async def test_where_nobody_answers_it_is_told_and_nobody_else_asks_for_a_moment() -> None:
    clock = Clock()
    asked = []

    def ask(redis: Any) -> Any:
        asked.append(1)
        return redis.ping()

    with closed_port() as url:
        async with open_link(url.replace("http://", "redis://:hidden@"), clock) as link:
            error = await refused(link, ask)
            assert error.detail == "The fleet's Redis can't be reached"
            assert error.retry_after >= 1
            await refused(link, ask)
            assert len(asked) == 1
            clock.now += LEFT_ALONE_SECONDS
            await refused(link, ask)
            assert len(asked) == 2
            link.revive()
            await refused(link, ask)
            assert len(asked) == 3


async def test_one_that_says_nothing_is_given_up(redis: RedisServer) -> None:
    clock = Clock()
    async with open_link(redis.url, clock) as link:
        assert await link.ask(ping)
        redis.freeze()
        assert "does not answer in time" in (await refused(link, patience=0.1)).detail
        clock.now += 1
        assert "does not answer in time" in (await refused(link)).detail  # also where one asks for longer
        redis.thaw()
        link.revive()
        assert await link.ask(ping)


async def test_it_comes_back_by_itself(redis: RedisServer) -> None:
    clock = Clock()
    async with open_link(redis.url, clock) as link:
        assert await link.ask(ping)
        await redis.kill()
        await refused(link)
        await redis.start()
        clock.now += LEFT_ALONE_SECONDS
        assert await link.ask(ping)


async def test_a_connection_that_was_closed_while_it_was_idle_is_no_failure(redis: RedisServer) -> None:
    async with open_link(redis.url, Clock()) as link:
        assert await link.ask(ping)
        await redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert await link.ask(ping)


async def test_many_may_ask_at_once(redis: RedisServer) -> None:
    async with open_link(redis.url, Clock()) as link:
        assert all(await asyncio.gather(*(link.ask(ping, 5) for _ in range(500))))


async def test_a_password_is_that_of_the_address(tmp_path: Path) -> None:
    async with open_redis(tmp_path, "--requirepass", "open sesame") as redis:
        rest = redis.url.removeprefix("redis://")
        async with open_link(f"redis://:open%20sesame@{rest}", Clock()) as link:
            assert await link.ask(ping)
        for wrong in ("", ":closed@", "nobody:closed@"):
            async with open_link(f"redis://{wrong}{rest}", Clock()) as link:
                words = (await refused(link)).detail
                assert words == "The fleet's Redis can't be reached: it refuses the password of REDIS_URL"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--maxmemory", "1mb"], "The fleet's Redis is full: it needs a larger maxmemory"),
        (["--replicaof", "127.0.0.1", "1"], "The fleet's Redis is a replica: REDIS_URL must name the one"),
    ],
    ids=["full", "replica"],
)
async def test_what_is_wrong_with_it_is_told(tmp_path: Path, options: list[str], words: str) -> None:
    async with open_redis(tmp_path, *options) as redis, open_link(redis.url, Clock()) as link:
        with suppress(FleetUnavailable):
            await link.ask(write, 5)  # the first one may fill it just so
        link.revive()
        assert (await refused(link, write)).detail.startswith(words)


async def test_a_mistake_of_ours_is_not_blamed_on_it(redis: RedisServer) -> None:
    async with open_link(redis.url, Clock()) as link:
        with pytest.raises(ZeroDivisionError):
            await link.ask(lambda redis: redis.get(str(1 // 0)))


async def test_who_is_cancelled_just_when_the_answer_comes_is_cancelled() -> None:
    answer = asyncio.get_running_loop().create_future()
    asking = asyncio.create_task(within(5, answer))
    for _ in range(5):  # until it waits for it
        await asyncio.sleep(0)
    answer.set_result(1)
    await asyncio.sleep(0)  # what waits for it is done, and is not told yet
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_an_event_loop_that_stands_still_is_not_a_redis_that_does(redis: RedisServer) -> None:
    async with open_link(redis.url, Clock()) as link:
        await link.ask(lambda client: client.ping())
        asking = asyncio.create_task(link.ask(lambda client: client.ping()))
        await asyncio.sleep(0)
        time.sleep(2 * PATIENCE)  # noqa: ASYNC251 - as a machine that is busy does
        assert await asking
