"""A fleet of a test's own: worker processes, as a person starts and a test ends them, and proxies that ask them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import pytest

from fakes.waiting import until
from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.broker import open_broker
from pico_a1111_proxy.fleet.hub import Hub
from pico_a1111_proxy.fleet.link import Link, open_link
from pico_a1111_proxy.fleet.roll import Roll
from pico_a1111_proxy.proxy import Upstream
from pico_a1111_proxy.upstreams.fleet import Fleet, open_fleet

LEASE_SECONDS = 3.0  # instead of ten, as tests wait for it; no less, as machines may stand still for a moment
ENDING_SECONDS = 30
PATIENCE = 30  # seconds; reached only by what hangs

_RUN = """
import sys
from pico_a1111_proxy.logs import set_up_logs
from pico_a1111_proxy.settings import read_settings
from pico_a1111_proxy.worker import run
redis, upstream, name, lease, seconds = sys.argv[1:]
set_up_logs("json", debug=False)
settings = read_settings(env_file=None, redis_url=redis, a1111_base_url=upstream, a1111_timeout=float(seconds))
sys.exit(run(settings, name, float(lease)))
"""


class WorkerProcess:
    """A worker of the fleet at a Redis, which draws with an upstream."""

    def __init__(self, redis: str, upstream: str, name: str, lease: float, seconds: float) -> None:
        self.name = name
        self._arguments = (redis, upstream, name, str(lease), str(seconds))
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process
        return self._process

    async def start(self) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("A1111_", "REDIS_"))}
        arguments = (sys.executable, "-W", "error::ResourceWarning", "-c", _RUN, *self._arguments)
        self._process = await asyncio.create_subprocess_exec(*arguments, env=environment)

    async def kill(self) -> None:
        """As kill -9 does."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """As systemd does; its exit status."""
        if self.process.returncode is None:
            self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), ENDING_SECONDS)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@asynccontextmanager
async def open_workers(
    redis: str, *upstreams: str, lease: float = LEASE_SECONDS, seconds: float = 60.0
) -> AsyncIterator[list[WorkerProcess]]:
    """A worker for each upstream, called w1, w2 and so on; ended with the block."""
    async with AsyncExitStack() as stack:
        workers = [WorkerProcess(redis, each, f"w{nth}", lease, seconds) for nth, each in enumerate(upstreams, 1)]
        for worker in workers:
            await worker.start()
            stack.push_async_callback(worker.kill)
        yield workers


@dataclass
class Asking:
    """What one proxy has of a fleet."""

    fleet: Fleet
    link: Link
    hub: Hub
    roll: Roll

    def states(self) -> dict[str, str]:
        return {worker.name: worker.state for worker in self.roll.figures().workers}

    async def until_taking(self, *names: str) -> None:
        """Until just these workers take jobs, as it is seen from here."""

        def taking() -> bool:
            return {name for name, state in self.states().items() if state in ("idle", "busy")} == set(names)

        await self.sees(taking, f"They never were all that take jobs: {names}")

    async def sees(self, condition: Callable[[], object], words: str) -> None:
        """Until the condition holds, with the roll read anew each time."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(FleetUnavailable):
                await self.roll.look()
            if condition():
                return
            if time.monotonic() > deadline:
                pytest.fail(f"{words}: {self.roll.figures()}")
            await asyncio.sleep(0.02)


@asynccontextmanager
async def open_asking(
    url: str, patience: float = PATIENCE, seconds: float = PATIENCE, beside: Upstream | None = None
) -> AsyncIterator[Asking]:
    """A proxy's part of the fleet at the Redis at `url`, once it hears."""
    async with AsyncExitStack() as stack:
        link = await stack.enter_async_context(open_link(url, time.monotonic))
        hub, roll = Hub(link), Roll(link)
        broker = await stack.enter_async_context(open_broker(url))
        fleet = Fleet(hub, broker, roll.figures, (patience, seconds), beside)
        await stack.enter_async_context(open_fleet(fleet))
        await stack.enter_async_context(roll.running())
        await stack.enter_async_context(hub.running())
        await until(lambda: hub.is_up, "The hub never was up")
        yield Asking(fleet, link, hub, roll)
