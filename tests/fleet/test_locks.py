"""Locks: one has it until it is given up or its owner dies, and where Redis is gone everybody has it."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from fakes.redis import RedisServer
from fakes.turns import no_task_is_left
from fakes.waiting import LONG, together, until
from pico_a1111_proxy.fleet.link import key, open_link
from pico_a1111_proxy.fleet.locks import LEASE_SECONDS, Locks

NEVER_ENDS = 3600.0  # a lease that ends by nothing but being given up
LOCK = key("drawing", "7")

HOLDER = """
import asyncio, sys, time
from pico_a1111_proxy.fleet.link import open_link
from pico_a1111_proxy.fleet.locks import Locks

async def main():
    async with open_link(sys.argv[1], time.monotonic) as link:
        assert await Locks(link, 0.5).take("7")
        print("held", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@asynccontextmanager
async def open_locks(redis: RedisServer, lease_seconds: float = LEASE_SECONDS) -> AsyncIterator[Locks]:
    """Those of one process."""
    async with open_link(redis.url, time.monotonic) as link:
        locks = Locks(link, lease_seconds)
        try:
            yield locks
        finally:
            await locks.close()


async def test_only_one_has_it(redis: RedisServer) -> None:
    async with open_locks(redis) as one, open_locks(redis) as two:
        lease = await one.take("7")
        assert lease
        assert await two.take("7") is None
        assert await one.take("7") is None
        assert await two.take("8")
        await lease.give_up()
        assert await two.take("7")
        await lease.give_up()
        assert await one.take("7") is None


async def test_who_waits_has_it_as_soon_as_it_is_free(redis: RedisServer) -> None:
    async with open_locks(redis) as one, open_locks(redis) as two:
        lease = await one.take("7")
        assert lease
        waiting = asyncio.create_task(two.take("7", LONG))
        assert await two.take("7", 0.2) is None
        assert not waiting.done()
        await lease.give_up()
        assert await asyncio.wait_for(waiting, LONG)
        assert await one.take("7") is None


async def test_what_another_has_by_now_is_not_given_up(redis: RedisServer) -> None:
    async with open_locks(redis) as one, open_locks(redis) as two:
        lease = await one.take("7")
        assert lease
        assert await redis.command("DEL", LOCK) == ":1"  # as if it had run out
        assert await two.take("7")
        await lease.give_up()
        assert await one.take("7") is None


async def test_it_is_renewed_as_long_as_it_is_held(redis: RedisServer) -> None:
    async with open_locks(redis, 1.0) as locks:
        lease = await locks.take("7")
        assert lease
        left: list[int] = []

        async def has_risen() -> bool:
            left.append(int((await redis.command("PTTL", LOCK)).removeprefix(":")))
            return sum(before < after for before, after in pairwise(left)) >= 3

        await until(has_risen, "It was not renewed")
        await lease.give_up()
        assert await redis.command("EXISTS", LOCK) == ":0"


async def test_who_dies_gives_it_up(redis: RedisServer) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, redis.url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    assert await asyncio.wait_for(process.stdout.readline(), LONG) == b"held\n"
    async with open_locks(redis) as locks:
        assert await locks.take("7") is None
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert await asyncio.wait_for(locks.take("7", LONG), LONG)


async def test_who_leaves_while_redis_answers_holds_nothing(redis: RedisServer) -> None:
    async with no_task_is_left(), open_locks(redis, NEVER_ENDS) as one, open_locks(redis) as two:
        for turns in range(12):
            taking = asyncio.create_task(one.take("7"))
            for _ in range(turns):
                await asyncio.sleep(0)
            taking.cancel()
            for lease in await together(taking):
                if not isinstance(lease, BaseException):
                    await lease.give_up()
            lease = await asyncio.wait_for(two.take("7", LONG), LONG)
            await lease.give_up()


@pytest.mark.parametrize("turns", range(5))
async def test_who_leaves_as_the_answer_comes_has_left(turns: int) -> None:
    async with open_link("redis://127.0.0.1:1", time.monotonic) as link:  # which is never asked
        answer = asyncio.get_running_loop().create_future()
        asking = asyncio.create_task(link.ask(lambda _: answer))
        await asyncio.sleep(0.01)
        answer.set_result("said")
        for _ in range(turns):
            await asyncio.sleep(0)
        was_in_time = asking.cancel()
        assert [isinstance(said, asyncio.CancelledError) for said in await together(asking)] == [was_in_time]


async def test_without_redis_everybody_has_it_and_later_one_again(redis: RedisServer) -> None:
    async with open_locks(redis, 0.5) as one, open_locks(redis, 0.5) as two:
        await redis.kill()
        leases = [await asyncio.wait_for(locks.take("7"), LONG) for locks in (one, two)]
        assert all(leases)
        await redis.start()

        async def is_taken() -> bool:
            return await redis.command("EXISTS", LOCK) == ":1"

        await until(is_taken, "It was not taken again")
        for lease in leases:
            await lease.give_up()
        assert await redis.command("EXISTS", LOCK) == ":0"


async def test_nobody_waits_for_a_frozen_redis(redis: RedisServer) -> None:
    async with open_locks(redis) as locks:
        redis.freeze()
        try:
            lease = await asyncio.wait_for(locks.take("7", 3600), LONG)
            assert lease
            await asyncio.wait_for(lease.give_up(), LONG)
        finally:
            redis.thaw()
