"""As much of a proxy as shares its newest pictures with others through Redis."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fakes.redis import RedisServer
from fakes.waiting import until
from pico_a1111_proxy.displays import Display, default_display
from pico_a1111_proxy.fleet.hub import Hub
from pico_a1111_proxy.fleet.link import key, open_link
from pico_a1111_proxy.fleet.newest import SharedNewest
from pico_a1111_proxy.newest import Newest, Published
from pico_a1111_proxy.panels import DISPLAYS

LCD = "waveshare-pico-lcd-1.3"
KEY = key("newest", "default")
SHOWN = {LCD: DISPLAYS[LCD], "default": default_display(240, 240, invert=True)}


@dataclass
class Proxy:
    """As much of one as shares; `heard` is what became the newest at it, in order."""

    newest: Newest
    hub: Hub
    shared: SharedNewest
    heard: list[bytes]

    def publish(self, picture: bytes, name: str = "default") -> None:
        self.newest.publish(name, Published(picture))

    def has(self, picture: bytes, name: str = "default") -> bool:
        published = self.newest.get(name)
        return published is not None and published.picture == picture

    @property
    def is_settled(self) -> bool:
        return self.hub.is_up and not self.shared._offers and not self.shared._unread


@asynccontextmanager
async def open_proxy(
    redis: RedisServer, shown: dict[str, Display] = SHOWN, budget: int = 10**9, waits: bool = True
) -> AsyncIterator[Proxy]:
    with ThreadPoolExecutor(1) as threads:
        async with open_link(redis.url, time.monotonic) as link:
            newest, hub = Newest(shown, threads, budget), Hub(link)
            proxy = Proxy(newest, hub, SharedNewest(hub, link, newest), [])
            share = newest.heard
            assert share

            def hear(name: str, published: Published) -> None:
                proxy.heard.append(published.picture)
                share(name, published)

            newest.heard = hear
            async with hub.running(), proxy.shared.running():
                if waits:
                    await until(lambda: proxy.is_settled)
                yield proxy
                newest.close()


async def agree(picture: bytes, *proxies: Proxy) -> None:
    """All of them have it, and no more comes of it."""
    await until(lambda: all(proxy.has(picture) and proxy.is_settled for proxy in proxies))


async def calls(redis: RedisServer, command: str) -> int:
    async with open_link(redis.url, time.monotonic) as link:
        stats = await link.redis.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])
