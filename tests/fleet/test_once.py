"""The same job once: what several proxies are asked for is drawn once, and whoever leaves, the others go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from fakes.redis import RedisServer
from fakes.scenes import DISPLAY, RANDOM, SEEDED, WIDE, Scripted
from fakes.waiting import LONG, together, until
from pico_a1111_proxy.archive import Archive, Cache
from pico_a1111_proxy.caches.memory import MemoryCache
from pico_a1111_proxy.errors import QueueFull, ShuttingDown, UpstreamUnavailable
from pico_a1111_proxy.fleet.link import key, open_link
from pico_a1111_proxy.fleet.locks import Locks
from pico_a1111_proxy.gate import Gate
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.newest import Newest
from pico_a1111_proxy.proxy import Proxy
from pico_a1111_proxy.tickets import Tickets

NEVER_ENDS = 3600.0  # a lease that ends by nothing but being given up
LOCK = key("drawing", "7")


class Drawing(Scripted):
    """It tells nothing of single jobs."""

    def stage(self, job: Job, *, closely: bool = False) -> None:
        return None


@asynccontextmanager
async def open_proxy(
    redis: RedisServer, upstream: Scripted, cache: Cache | None, patience: float = 60
) -> AsyncIterator[Proxy]:
    """One of a fleet's; `cache` is what they share."""
    async with open_link(redis.url, time.monotonic) as link:
        locks = Locks(link, NEVER_ENDS)
        with ThreadPoolExecutor(1) as threads:
            archive = Archive(cache, 3600, time.monotonic, locks)
            newest = Newest({DISPLAY.name: DISPLAY}, threads)
            proxy = Proxy(upstream, Gate(2, 50, time.monotonic, patience), archive, threads, newest)  # type: ignore[arg-type]
            async with archive.looking(60):
                try:
                    yield proxy
                finally:
                    await proxy.close()
                    assert (proxy.gate.inside, proxy.gate.waiting) == (0, 0)


class Fleet:
    """Proxies before one upstream, with one cache."""

    def __init__(self, redis: RedisServer, stack: AsyncExitStack) -> None:
        self.redis = redis
        self.upstream = Drawing()
        self.cache = MemoryCache(10**7, 3600, time.time)
        self._stack = stack

    async def join(self, **more: Any) -> Proxy:
        given = {"cache": self.cache, **more}
        return await self._stack.enter_async_context(open_proxy(self.redis, self.upstream, **given))

    async def lead(self, proxy: Proxy, job: Job = SEEDED) -> asyncio.Task[Any]:
        """Ask `proxy` first, until it is being drawn."""
        task = asyncio.create_task(proxy.render(replace(job)))
        await until(lambda: self.upstream.calls == 1)
        return task


async def follow(proxy: Proxy, job: Job = SEEDED) -> asyncio.Task[Any]:
    """Ask `proxy` too, until it waits for another."""
    task = asyncio.create_task(proxy.render(replace(job)))
    await until(lambda: waits(proxy))
    return task


def waits(proxy: Proxy) -> bool:
    return any(attempt.is_elsewhere for attempt in proxy._attempts.values())


@pytest.fixture
async def fleet(redis: RedisServer) -> AsyncIterator[Fleet]:
    before = asyncio.all_tasks()
    async with AsyncExitStack() as stack:
        yield Fleet(redis, stack)
    await until(lambda: asyncio.all_tasks() - {asyncio.current_task()} <= before)


async def test_the_same_is_drawn_once(fleet: Fleet) -> None:
    one, two, three = [await fleet.join() for _ in range(3)]
    asked = [await fleet.lead(one), await follow(two), await follow(three)]
    asked += [asyncio.create_task(two.render(job)) for job in (replace(SEEDED), replace(SEEDED, display=WIDE))]
    fleet.upstream.now.set()
    said = await together(*asked)
    assert [one.origin for one in said] == ["miss", *["joined"] * 4]
    assert len({one.frame.data for one in said[:4]}) == 1
    assert fleet.upstream.calls == 1
    # What each of them looked for and did not find.
    assert fleet.cache.figures().misses - sum(proxy.archive._looked_again for proxy in (one, two, three)) == 3
    await until(lambda: not any(proxy._attempts for proxy in (one, two, three)))
    assert await fleet.redis.command("EXISTS", LOCK) == ":0"


async def test_who_asks_as_it_is_ready_does_not_draw_it_again(fleet: Fleet) -> None:
    one, two = await fleet.join(), await fleet.join()
    fleet.upstream.now.set()
    for number in range(50):
        job = replace(SEEDED, key=f"{number}")
        first = asyncio.create_task(one.render(job))
        await until(lambda number=number: fleet.upstream.calls > number)
        for _ in range(number):
            await asyncio.sleep(0)
        said = await together(first, two.render(replace(job)))
        assert [one.origin for one in said] in (["miss", "joined"], ["miss", "hit"])
        assert fleet.upstream.calls == number + 1


async def test_many_at_once(fleet: Fleet) -> None:
    proxies = [await fleet.join(), await fleet.join()]
    fleet.upstream.now.set()
    jobs = [replace(SEEDED, key=f"{number % 10}") for number in range(50)]
    said = await together(*[proxies[number % 7 % 2].render(job) for number, job in enumerate(jobs)])
    assert {type(one).__name__ for one in said} == {"Rendering"}
    assert fleet.upstream.calls == 10


NOT_SHARED = {
    "random": RANDOM,
    "random, but kept": replace(RANDOM, key="7"),
    "renewed": replace(SEEDED, caching="renew"),
    "avoided": replace(SEEDED, caching="avoid"),
}


@pytest.mark.parametrize("job", NOT_SHARED.values(), ids=NOT_SHARED)
async def test_what_may_be_another_picture_is_not_waited_for(fleet: Fleet, job: Job) -> None:
    one, two = await fleet.join(), await fleet.join()
    asked = [await fleet.lead(one), asyncio.create_task(two.render(job))]
    await until(lambda: fleet.upstream.calls == 2)
    fleet.upstream.now.set()
    assert [one.origin for one in await together(*asked)] == ["miss", "miss"]


async def test_without_a_cache_nobody_waits(fleet: Fleet) -> None:
    one, two = await fleet.join(cache=None), await fleet.join(cache=None)
    asked = [await fleet.lead(one), asyncio.create_task(two.render(SEEDED))]
    await until(lambda: fleet.upstream.calls == 2)
    assert await fleet.redis.command("DBSIZE") == ":0"
    fleet.upstream.now.set()
    assert [one.origin for one in await together(*asked)] == ["miss", "miss"]


async def test_when_the_first_leaves_one_of_the_others_draws(fleet: Fleet) -> None:
    proxies = [await fleet.join() for _ in range(3)]
    first = await fleet.lead(proxies[0])
    others = [await follow(proxy) for proxy in proxies[1:]]
    fleet.upstream.idle.set()
    first.cancel()
    await until(lambda: fleet.upstream.calls == 2)
    assert sorted(waits(proxy) for proxy in proxies) == [False, False, True]
    fleet.upstream.now.set()
    assert sorted(one.origin for one in await together(*others)) == ["joined", "miss"]
    assert (fleet.upstream.calls, fleet.upstream.cancelled) == (2, 1)


async def test_when_the_first_fails_the_others_try(fleet: Fleet) -> None:
    one, two = await fleet.join(), await fleet.join()
    fleet.upstream.outcome = UpstreamUnavailable("gone")
    asked = [await fleet.lead(one), await follow(two)]
    fleet.upstream.now.set()
    assert [type(one) for one in await together(*asked)] == [UpstreamUnavailable] * 2
    assert fleet.upstream.calls == 2


async def test_when_the_first_is_closed_another_draws_at_once(fleet: Fleet) -> None:
    two = await fleet.join()
    async with open_proxy(fleet.redis, fleet.upstream, fleet.cache) as one:
        first = await fleet.lead(one)
        second = await follow(two)
    await until(lambda: fleet.upstream.calls == 2)
    fleet.upstream.now.set()
    assert [type(one).__name__ for one in await together(first, second)] == ["CancelledError", "Rendering"]


@pytest.mark.parametrize("way", ["kill", "freeze"])
async def test_when_redis_goes_everybody_draws(fleet: Fleet, way: str) -> None:
    proxies = [await fleet.join() for _ in range(3)]
    asked = [await fleet.lead(proxies[0]), *[await follow(proxy) for proxy in proxies[1:]]]
    if way == "kill":
        await fleet.redis.kill()
    else:
        fleet.redis.freeze()
    await until(lambda: fleet.upstream.calls == 3)
    fleet.upstream.now.set()
    assert [one.origin for one in await together(*asked)] == ["miss"] * 3
    if way == "freeze":
        fleet.redis.thaw()


async def test_who_waits_too_long_draws_it_himself(fleet: Fleet) -> None:
    one, two = await fleet.join(), await fleet.join(patience=0.3)
    asked = [await fleet.lead(one), asyncio.create_task(two.render(replace(SEEDED)))]
    await until(lambda: fleet.upstream.calls == 2)
    fleet.upstream.now.set()
    assert [one.origin for one in await together(*asked)] == ["miss", "miss"]


async def test_the_clients_own_patience_ends_it(fleet: Fleet) -> None:
    one, two = await fleet.join(), await fleet.join()
    first = await fleet.lead(one)
    assert [type(one) for one in await together(two.render(replace(SEEDED, patience=0.1)))] == [QueueFull]
    await until(lambda: not two._attempts)
    fleet.upstream.now.set()
    assert (await together(first))[0].origin == "miss"
    assert fleet.upstream.calls == 1


async def test_who_leaves_while_he_waits_takes_nothing_from_the_others(fleet: Fleet) -> None:
    one, two = await fleet.join(), await fleet.join()
    first = await fleet.lead(one)
    second = await follow(two)
    second.cancel()
    await until(lambda: not two._attempts)
    fleet.upstream.now.set()
    assert (await together(first))[0].origin == "miss"
    assert (await together(two.render(replace(SEEDED))))[0].origin in ("hit", "joined")
    assert fleet.upstream.calls == 1


async def test_a_full_line_stops_nobody_who_waits(fleet: Fleet) -> None:
    one, two = await fleet.join(), await fleet.join()
    first = await fleet.lead(one)
    second = await follow(two)
    assert (two.gate.inside, two.gate.waiting) == (0, 0)
    two.gate.close()
    fleet.upstream.now.set()
    assert [one.origin for one in await together(first, second)] == ["miss", "joined"]
    assert [type(one) for one in await together(two.render(replace(SEEDED, key="8")))] == [ShuttingDown]


async def test_a_ticket_is_there_while_it_waits(fleet: Fleet) -> None:
    one, two = await fleet.join(), await fleet.join()
    tickets = Tickets(two, 600, time.monotonic)
    first = await fleet.lead(one)
    kept, given_up = [await asyncio.wait_for(tickets.open(replace(SEEDED, display=to)), LONG) for to in (DISPLAY, WIDE)]
    assert waits(two)
    assert [(ticket.state, ticket.outlook().position) for ticket in (kept, given_up)] == [("running", 0)] * 2
    tickets.cancel(given_up)
    fleet.upstream.now.set()
    await asyncio.wait_for(kept.wait(LONG), LONG)
    assert (kept.state, given_up.state) == ("done", "cancelled")
    assert kept.rendering
    assert (kept.rendering.origin, (await together(first))[0].origin) == ("joined", "miss")
    await tickets.end()


async def test_at_the_end_nothing_is_held(redis: RedisServer) -> None:
    async with open_link(redis.url, time.monotonic) as link:
        archive = Archive(MemoryCache(10**7, 3600, time.time), 3600, time.monotonic, Locks(link, NEVER_ENDS))
        async with archive.looking(60):
            assert await archive.alone(SEEDED)
            assert await redis.command("EXISTS", LOCK) == ":1"
        assert await redis.command("EXISTS", LOCK) == ":0"
