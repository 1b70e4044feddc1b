"""Wiring: the only file that knows concrete classes; it builds the object graph and closes it."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pico_a1111_proxy.archive import Archive, Cache
from pico_a1111_proxy.caches.disk import open_disk_cache
from pico_a1111_proxy.caches.layers import LayeredCache
from pico_a1111_proxy.caches.memory import MemoryCache
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.gate import Gate
from pico_a1111_proxy.metrics import Metrics
from pico_a1111_proxy.newest import Newest
from pico_a1111_proxy.proxy import Proxy, Upstream
from pico_a1111_proxy.settings import Settings
from pico_a1111_proxy.tickets import Tickets
from pico_a1111_proxy.upstreams.a1111 import Credentials, open_a1111
from pico_a1111_proxy.upstreams.pool import Pool
from pico_a1111_proxy.watch import Watch

WATCH_SECONDS = 10.0
CACHE_LOOK_SECONDS = 1.0
CACHE_MEMORY_BYTES = 32_000_000  # of generations, above the disk


@dataclass(frozen=True)
class Service:
    """What the routes work with: all of it in plain values and protocols."""

    proxy: Proxy
    watch: Watch
    newest: Newest
    tickets: Tickets
    displays: dict[str, Display]
    metrics: Metrics


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Build everything that `settings` ask for; all of it is closed at the end of the block."""
    threads = min(settings.max_workers, os.cpu_count() or 1)
    async with open_upstream(settings) as upstream, _open_cache(settings) as cache:
        # Threads that still convert at the end are waited for: a thread can't be cancelled.
        with ThreadPoolExecutor(threads, thread_name_prefix="convert", initializer=_stand_back) as converters:
            # Those before anybody in line have that long each; who waits longer waits for places that stay closed.
            patience = settings.a1111_timeout * max(1, math.ceil(settings.queue_size / settings.max_workers))
            gate = Gate(settings.max_workers, settings.queue_size, time.monotonic, patience)
            watch = Watch(upstream, WATCH_SECONDS)
            known = settings.displays
            newest = Newest(known, converters)
            archive = Archive(cache, settings.cache_ttl, time.monotonic)
            proxy = Proxy(upstream, gate, archive, converters, newest)
            tickets = Tickets(proxy, settings.job_ttl, time.monotonic)
            metrics = Metrics()
            metrics.observe(proxy, tickets, watch)
            async with watch.running(), archive.looking(CACHE_LOOK_SECONDS):
                try:
                    yield Service(proxy, watch, newest, tickets, known, metrics)
                finally:
                    newest.close()
                    await tickets.end()
                    await proxy.close()


def _stand_back() -> None:
    """The event loop goes before the threads that convert: who asks for health must not wait for them."""
    if sys.platform == "linux":  # elsewhere it would slow down the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


@asynccontextmanager
async def _open_cache(settings: Settings) -> AsyncIterator[Cache | None]:
    if not settings.enable_caching:
        yield None
        return
    memory = MemoryCache(CACHE_MEMORY_BYTES, settings.cache_ttl, time.time)
    async with open_disk_cache(settings.cache_dir, int(settings.cache_max_mb * 1e6), settings.cache_ttl) as disk:
        yield LayeredCache([memory, disk])


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
