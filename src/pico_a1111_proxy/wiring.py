"""Wiring: the only file that knows concrete classes; it builds the object graph and closes it."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from pico_a1111_proxy.archive import Archive
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.gate import Gate
from pico_a1111_proxy.newest import Newest
from pico_a1111_proxy.proxy import Proxy, Upstream
from pico_a1111_proxy.settings import Settings
from pico_a1111_proxy.upstreams.a1111 import Credentials, open_a1111
from pico_a1111_proxy.watch import Watch

WATCH_SECONDS = 10.0


@dataclass(frozen=True)
class Service:
    """What the routes work with: all of it in plain values and protocols."""

    proxy: Proxy
    watch: Watch
    newest: Newest
    displays: dict[str, Display]


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Build everything that `settings` ask for; all of it is closed at the end of the block."""
    threads = min(settings.max_workers, os.cpu_count() or 1)
    async with open_upstream(settings) as upstream:
        # Threads that still convert at the end are waited for: a thread can't be cancelled.
        with ThreadPoolExecutor(threads, thread_name_prefix="convert") as converters:
            gate = Gate(settings.max_workers, settings.queue_size, time.monotonic)
            watch = Watch(upstream, WATCH_SECONDS)
            known = settings.displays
            newest = Newest(known, converters)
            archive = Archive(None, settings.cache_ttl, time.monotonic)
            proxy = Proxy(upstream, gate, archive, converters, newest)
            async with watch.running():
                try:
                    yield Service(proxy, watch, newest, known)
                finally:
                    newest.close()
                    await proxy.close()


def open_upstream(settings: Settings) -> AbstractAsyncContextManager[Upstream]:
    """The upstream that `settings` name."""
    if settings.draws_itself:
        return _open_demo()
    credentials = None
    if settings.a1111_username is not None and settings.a1111_password is not None:
        credentials = Credentials(settings.a1111_username, settings.a1111_password.get_secret_value())
    return open_a1111(settings.a1111_base_url, credentials, settings.a1111_timeout)


@asynccontextmanager
async def _open_demo() -> AsyncIterator[Upstream]:
    # Two dozen files of painting, which nobody with a real upstream should have to load.
    from pico_a1111_proxy.upstreams.demo import DemoPainter  # noqa: PLC0415

    yield DemoPainter()
