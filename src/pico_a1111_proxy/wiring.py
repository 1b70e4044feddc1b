"""Wiring: the only file that knows concrete classes; it builds the object graph and closes it."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pico_a1111_proxy.archive import Archive, Cache, Locks
from pico_a1111_proxy.caches.disk import open_disk_cache
from pico_a1111_proxy.caches.layers import LayeredCache
from pico_a1111_proxy.caches.memory import MemoryCache
from pico_a1111_proxy.crews import CrewFigures
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.gate import Gate
from pico_a1111_proxy.metrics import Metrics
from pico_a1111_proxy.newest import Newest
from pico_a1111_proxy.proxy import Finding, Proxy, Upstream
from pico_a1111_proxy.rates import Rates, Windows, read_rates
from pico_a1111_proxy.settings import Settings
from pico_a1111_proxy.tickets import Tickets
from pico_a1111_proxy.upstreams.a1111 import Credentials, open_a1111
from pico_a1111_proxy.upstreams.pool import Pool
from pico_a1111_proxy.watch import Watch

if TYPE_CHECKING:
    from pico_a1111_proxy.fleet.hub import Hub
    from pico_a1111_proxy.fleet.link import Link
    from pico_a1111_proxy.fleet.roll import Roll
    from pico_a1111_proxy.fleet.tickets import SharedTickets

WATCH_SECONDS = 10.0
CACHE_LOOK_SECONDS = 1.0
CACHE_MEMORY_BYTES = 32_000_000  # of generations, above the disk


@dataclass(frozen=True)
class Service:
    """What the routes work with: all of it in plain values and protocols.

    `crew` tells who draws, where that is a fleet, and `redis_is_up` whether Redis can be reached, where there is one.
    """

    proxy: Proxy
    watch: Watch
    newest: Newest
    tickets: Tickets
    displays: dict[str, Display]
    metrics: Metrics
    rates: Rates | None = None
    crew: Callable[[], CrewFigures] | None = None
    redis_is_up: Callable[[], bool] | None = None


@dataclass(frozen=True)
class _Redis:
    """The ways to Redis: `link` to what the proxies share, `cache` to the database of the cache."""

    url: str
    link: Link
    cache: Link
    hub: Hub
    roll: Roll


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Build everything that `settings` ask for; all of it is closed at the end of the block."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(_open_redis(settings)) if settings.redis_url else None
        upstream = await stack.enter_async_context(_open_fleet(settings, redis) if redis else open_upstream(settings))
        cache = await stack.enter_async_context(_open_cache(settings, redis))
        # Threads that still convert at the end are waited for: a thread can't be cancelled.
        threads = min(settings.max_workers, os.cpu_count() or 1)
        converters = ThreadPoolExecutor(threads, thread_name_prefix="convert", initializer=_stand_back)
        stack.enter_context(converters)
        crew = redis.roll.figures if redis and settings.fleet == "celery" else None
        gate = _make_gate(settings, crew)
        watch = Watch(upstream, WATCH_SECONDS)
        known = settings.displays
        newest = Newest(known, converters)
        archive = Archive(cache, settings.cache_ttl, time.monotonic, _make_locks(redis))
        proxy = Proxy(upstream, gate, archive, converters, newest)
        board = _make_board(redis, known) if redis else None
        tickets = Tickets(proxy, settings.job_ttl, time.monotonic, board=board)
        metrics = Metrics()
        is_up = (lambda: redis.hub.is_up) if redis else None
        service = Service(proxy, watch, newest, tickets, known, metrics, _make_rates(settings, redis), crew, is_up)
        metrics.observe(proxy, tickets, watch)
        if is_up:
            metrics.observe_fleet(is_up, crew)
        if redis:
            await _join(stack, redis, service)
        if board:
            await stack.enter_async_context(board.running())
        await stack.enter_async_context(watch.running())
        await stack.enter_async_context(archive.looking(CACHE_LOOK_SECONDS))
        try:
            yield service
        finally:
            newest.close()
            await tickets.end()
            await proxy.close()


def _make_gate(settings: Settings, crew: Callable[[], CrewFigures] | None) -> Gate:
    patience = _line_patience(settings)
    if crew is None:
        return Gate(settings.max_workers, settings.queue_size, time.monotonic, patience)
    # The line is the fleet's: who is let in here stands there, with those of the other proxies.
    return Gate(settings.max_workers + settings.queue_size, 0, time.monotonic, patience, crew)


def _line_patience(settings: Settings) -> float:
    # Those before anybody in line have that long each; who waits longer waits for places that stay closed.
    return settings.a1111_timeout * max(1, math.ceil(settings.queue_size / settings.max_workers))


def _make_rates(settings: Settings, redis: _Redis | None) -> Rates | None:
    if not settings.rate_limit:
        return None
    rates = read_rates(settings.rate_limit)
    if redis is None:
        return Rates(rates, Windows(time.monotonic), time.monotonic)
    from pico_a1111_proxy.fleet.windows import SharedWindows  # noqa: PLC0415 - of an extra

    return Rates(rates, SharedWindows(redis.link, Windows(time.time)), time.time)


def _make_locks(redis: _Redis | None) -> Locks | None:
    if redis is None:
        return None
    from pico_a1111_proxy.fleet.locks import Locks as RedisLocks  # noqa: PLC0415 - of an extra

    return RedisLocks(redis.link)


def _make_board(redis: _Redis, displays: dict[str, Display]) -> SharedTickets:
    from pico_a1111_proxy.fleet.tickets import SharedTickets  # noqa: PLC0415 - of an extra

    return SharedTickets(redis.hub, redis.link, displays)


async def _join(stack: AsyncExitStack, redis: _Redis, service: Service) -> None:
    """Have the service take part in what goes on in Redis, until `stack` ends."""
    from pico_a1111_proxy.fleet.newest import SharedNewest  # noqa: PLC0415 - of an extra

    shared = SharedNewest(redis.hub, redis.link, service.newest)
    redis.hub.changed.append(service.watch.look_soon)
    if service.crew:
        redis.roll.changed.append(service.watch.look_soon)
        await stack.enter_async_context(redis.roll.running())
    await stack.enter_async_context(redis.hub.running())
    await stack.enter_async_context(shared.running())


def _stand_back() -> None:
    """The event loop goes before the threads that convert: who asks for health must not wait for them."""
    if sys.platform == "linux":  # elsewhere it would slow down the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


@asynccontextmanager
async def _open_redis(settings: Settings) -> AsyncIterator[_Redis]:
    from pico_a1111_proxy.fleet.hub import Hub  # noqa: PLC0415 - of an extra
    from pico_a1111_proxy.fleet.link import CACHE_DATABASE, LEFT_TO_THE_HUB_SECONDS, Health, open_link  # noqa: PLC0415
    from pico_a1111_proxy.fleet.roll import Roll  # noqa: PLC0415

    assert settings.redis_url
    url = settings.redis_url.get_secret_value()
    clock, health = time.monotonic, Health(time.monotonic, LEFT_TO_THE_HUB_SECONDS)
    async with open_link(url, clock, 0, health) as link, open_link(url, clock, CACHE_DATABASE, health) as cache:
        yield _Redis(url, link, cache, Hub(link), Roll(link))


@asynccontextmanager
async def _open_cache(settings: Settings, redis: _Redis | None) -> AsyncIterator[Cache | None]:
    if not settings.enable_caching:
        yield None
        return
    most = int(settings.cache_max_mb * 1e6)
    memory = MemoryCache(CACHE_MEMORY_BYTES, settings.cache_ttl, time.time)
    async with open_disk_cache(settings.cache_dir, most, settings.cache_ttl) as disk:
        if redis is None:
            yield LayeredCache([memory, disk])
            return
        from pico_a1111_proxy.caches.redis import RedisCache  # noqa: PLC0415 - of an extra

        yield LayeredCache([memory, disk, RedisCache(redis.cache, most, settings.cache_ttl, time.time)])


@asynccontextmanager
async def _open_fleet(settings: Settings, redis: _Redis) -> AsyncIterator[Upstream]:
    """The workers behind `redis`, and for the relay the web UIs that `settings` name; those alone without FLEET."""
    if settings.fleet == "off":
        async with open_upstream(settings) as alone:
            yield alone
        return
    from pico_a1111_proxy.fleet.broker import open_broker  # noqa: PLC0415 - of an extra
    from pico_a1111_proxy.upstreams.fleet import Fleet, open_fleet  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        beside = None if settings.draws_itself else await stack.enter_async_context(open_upstream(settings))
        broker = await stack.enter_async_context(open_broker(redis.url))
        limits = (_line_patience(settings), settings.a1111_timeout)
        fleet = Fleet(redis.hub, broker, redis.roll.figures, limits, beside)
        yield await stack.enter_async_context(open_fleet(fleet))


@asynccontextmanager
async def open_drawing(settings: Settings) -> AsyncIterator[Upstream]:
    """What draws by `settings`, a fleet or an upstream, with nothing around it."""
    if settings.fleet == "off":
        async with open_upstream(settings) as upstream:
            yield upstream
        return
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(_open_redis(settings))
        fleet = await stack.enter_async_context(_open_fleet(settings, redis))
        await stack.enter_async_context(redis.roll.running())
        await stack.enter_async_context(redis.hub.running())
        yield fleet


async def examine_redis(settings: Settings) -> Finding | None:
    """Whether the Redis answers that proxies share; None where there is none, or a fleet, which looks itself."""
    if settings.redis_url is None or settings.fleet != "off":
        return None
    async with _open_redis(settings) as redis:
        try:
            await redis.link.ask(lambda client: client.ping())
        except FleetUnavailable as error:
            return Finding("redis", False, f"{error.detail}: is it running, and is REDIS_URL right?")
        return Finding("redis", True, "it answers")


def open_upstream(settings: Settings) -> AbstractAsyncContextManager[Upstream]:
    """The upstream that `settings` name."""
    if settings.draws_itself:
        return _open_demo()
    credentials = None
    if settings.a1111_username is not None and settings.a1111_password is not None:
        credentials = Credentials(settings.a1111_username, settings.a1111_password.get_secret_value())
    urls = settings.base_urls
    if len(urls) > 1:
        return _open_pool(urls, credentials, settings.a1111_timeout)
    return open_a1111(urls[0], credentials, settings.a1111_timeout)


@asynccontextmanager
async def _open_pool(urls: tuple[str, ...], credentials: Credentials | None, seconds: float) -> AsyncIterator[Upstream]:
    async with AsyncExitStack() as stack:
        members = [await stack.enter_async_context(open_a1111(url, credentials, seconds)) for url in urls]
        yield Pool(members, time.monotonic)


@asynccontextmanager
async def _open_demo() -> AsyncIterator[Upstream]:
    # Two dozen files of painting, which nobody with a real upstream should have to load.
    from pico_a1111_proxy.upstreams.demo import DemoPainter  # noqa: PLC0415

    yield DemoPainter()
