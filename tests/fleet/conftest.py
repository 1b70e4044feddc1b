"""Fixtures: a Redis of each test's own, and what proxies have at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.newest import Proxy, open_proxy
from fakes.places import Place, open_place
from fakes.redis import RedisServer, open_redis
from fakes.worker import Asking, open_asking
from pico_a1111_proxy.fleet.line import Line
from pico_a1111_proxy.fleet.link import Link, open_link


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """Which the test may kill; what it knows is in `tmp_path`."""
    async with open_redis(tmp_path) as server:
        yield server


@pytest.fixture
async def asking(redis: RedisServer) -> AsyncIterator[Asking]:
    async with open_asking(redis.url) as asking:
        yield asking


@pytest.fixture
async def link(redis: RedisServer) -> AsyncIterator[Link]:
    async with open_link(redis.url, lambda: 0.0) as link:
        yield link


@pytest.fixture
def line(link: Link) -> Line:
    return Line(link)


@pytest.fixture
async def here(redis: RedisServer) -> AsyncIterator[Place]:
    async with open_place(redis) as place:
        yield place


@pytest.fixture
async def there(redis: RedisServer) -> AsyncIterator[Place]:
    async with open_place(redis) as place:
        yield place


@pytest.fixture
async def near(redis: RedisServer) -> AsyncIterator[Proxy]:
    """The first of two that share their newest pictures."""
    async with open_proxy(redis) as proxy:
        yield proxy


@pytest.fixture
async def far(redis: RedisServer) -> AsyncIterator[Proxy]:
    """The second of them."""
    async with open_proxy(redis) as proxy:
        yield proxy
