"""Fleets of programs: a Redis, proxies and workers, each in a process of its own on loopback, ended by its own id."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import load  # noqa: F401 - first: it says where the fakes are
from processes import HERE

from fakes.redis import RedisServer, open_redis
from service import Service

PATIENCE = 60.0  # seconds that a program may take to start or to end
ANSWERS_WITHIN = 300.0  # seconds; reached only by a service that hangs
OURS = (sys.executable, "-m", "pico_a1111_proxy")


class Member:
    """A proxy or a worker, which can be killed and started again."""

    def __init__(self, name: str, command: Sequence[str], **environment: str) -> None:
        self.name = name
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        self._command = command
        self._environment = {**kept, **environment}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    async def start(self) -> None:
        quiet = asyncio.subprocess.DEVNULL
        # From a folder without .env, so that nobody's own settings are measured.
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=HERE, env=self._environment, stdin=quiet, stdout=quiet, stderr=quiet
        )

    async def kill(self) -> None:
        """As kill -9 does."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """As systemd does."""
        if self._process and self._process.returncode is None:
            self._process.terminate()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._process.wait(), 10)
        await self.kill()

    def memory(self, what: str) -> float:
        """VmRSS or VmHWM in megabytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024 / 1e6
        raise LookupError(what)


@dataclass(frozen=True)
class Fleet:
    """What runs. `services` are the ways to the proxies."""

    redis: RedisServer
    workers: list[Member]
    proxies: list[Member]
    services: list[Service]

    async def taking(self, count: int) -> None:
        """Until every proxy sees that so many workers take jobs."""
        for service in self.services:
            deadline = time.monotonic() + PATIENCE
            while (await service.health())["fleet"]["taking"] != count:
                if time.monotonic() > deadline:
                    sys.exit(f"There never were {count} workers that take jobs")
                await asyncio.sleep(0.1)


@asynccontextmanager
async def open_fleet(
    folder: Path, upstreams: Sequence[str], proxies: int = 2, ours: Sequence[str] = OURS, **settings: object
) -> AsyncIterator[Fleet]:
    """A worker for each of the upstreams, and so many proxies, none with a cache; `ours` is how a program starts.

    `settings` are the proxies', by name, such as max_workers=4.
    """
    given = {name.upper(): str(value) for name, value in settings.items()}
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(folder))
        workers = []
        for nth, upstream in enumerate(upstreams, 1):
            words = (*ours, "worker", "--upstream", upstream, "--name", f"w{nth}")
            workers.append(Member(f"w{nth}", words, REDIS_URL=redis.url))
            stack.push_async_callback(workers[-1].stop)
            await workers[-1].start()
        members, services = [], []
        for nth in range(1, proxies + 1):
            shared = {"REDIS_URL": redis.url, "FLEET": "celery", "ENABLE_CACHING": "false", **given}
            member, service = await stack.enter_async_context(open_proxy(f"p{nth}", **shared))
            members.append(member)
            services.append(service)
        fleet = Fleet(redis, workers, members, services)
        await fleet.taking(len(workers))
        yield fleet


@asynccontextmanager
async def open_proxy(name: str, **environment: str) -> AsyncIterator[tuple[Member, Service]]:
    """A proxy with these settings, once it answers, and the way to it."""
    port = free_port()
    member = Member(name, (*OURS, "serve", "--host", "127.0.0.1", "--port", str(port)), **environment)
    limits = aiohttp.ClientTimeout(total=ANSWERS_WITHIN)
    # Let go of a connection before the service does, lest a request meet its closing.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
    await member.start()
    try:
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False, timeout=limits) as session:
            service = Service(port, session)
            deadline = time.monotonic() + PATIENCE
            while not await _answers(service):
                if time.monotonic() > deadline:
                    sys.exit(f"{name} never answered")
                await asyncio.sleep(0.05)
            yield member, service
    finally:
        await member.stop()


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for it; False where it does not come true within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        if condition():
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)


async def _answers(service: Service) -> bool:
    with suppress(aiohttp.ClientError):
        return (await service.ask("GET", "/health")).status == 200
    return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
