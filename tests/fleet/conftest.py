"""Fixtures: a Redis for the tests of one file, and a proxy's part of the fleet at it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fakes.redis import RedisServer, open_redis
from fakes.worker import Asking, open_asking


@pytest.fixture(scope="module")
async def _server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    async with open_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def redis(_server: RedisServer) -> RedisServer:
    """With nothing in it."""
    await _server.command("FLUSHALL")
    return _server


@pytest.fixture
async def asking(redis: RedisServer) -> AsyncIterator[Asking]:
    async with open_asking(redis.url) as asking:
        yield asking
