"""cache info and cache clear with REDIS_URL: they work on the shared cache as well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from caches.family import DAY, MB, answer
from fakes.commands import enter
from fakes.redis import RedisServer, open_redis
from pico_a1111_proxy.caches.redis import RedisCache
from pico_a1111_proxy.cli.cache import cache
from pico_a1111_proxy.fleet.link import CACHE_DATABASE, open_link


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RedisServer]:
    enter(tmp_path, monkeypatch)
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))
    async with open_redis(tmp_path) as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        yield server


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, cache, arguments, catch_exceptions=False)


async def test_what_is_in_redis_is_told_and_removed(server: RedisServer) -> None:
    async with open_link(server.url, time.monotonic, CACHE_DATABASE) as link:
        running = RedisCache(link, 10 * MB, DAY, time.time)
        await running.set("a", answer("a", 500_000))
        await running.set("b", answer("b", 500_000))
        assert not await running.was_forgotten()
        assert (await run("info")).stdout.splitlines()[-1] == "Shared   2 entries in Redis, 1.0 MB"
        assert (await run("clear")).stdout.splitlines()[-1] == "Removed 2 entries, 1.0 MB, from Redis."
        assert await running.get("a") is None
        assert await running.was_forgotten()
        assert (await run("info")).stdout.splitlines()[-1] == "Shared   0 entries in Redis, 0.0 MB"


async def test_a_redis_that_is_away_is_one_sentence(server: RedisServer) -> None:
    await server.kill()
    for command, undone in (("info", ""), ("clear", ", and what is there is not removed")):
        result = await run(command)
        assert result.exit_code == 1
        assert result.stderr == f"Error: The fleet's Redis can't be reached{undone}\n"
