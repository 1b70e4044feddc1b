"""The service in a process of its own, in front of an upstream of the test's, for what only a process can show."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fakes.a1111 import ScriptedA1111
from fakes.commands import COMMAND, environment
from service import Said, Service, open_client

PATIENCE = 30  # seconds; reached only by a service that hangs


@dataclass
class Alone:
    """A service in a process of its own."""

    process: asyncio.subprocess.Process
    service: Service

    async def send(self, number: signal.Signals) -> None:
        """Send the signal, and be sure that it has been heard: a new connection is told so."""
        self.process.send_signal(number)
        await until_ready(self.service, 503)
        got = await ready(self.service)
        assert got.json()["error"] == "The service is shutting down"
        assert int(got.headers["Retry-After"]) >= 1

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), PATIENCE)


async def ready(service: Service) -> Said:
    return await service.ask("GET", "/ready", connection="close")


async def until_ready(service: Service, status: int) -> None:
    """Until /ready has this status."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while (got := await ready(service)).status != status:
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(got)


@asynccontextmanager
async def alone(folder: Path, upstream: ScriptedA1111, **ours: str) -> AsyncIterator[Alone]:
    """The command `serve` in front of `upstream`, once it is ready."""
    ours = {"A1111_BASE_URL": upstream.url, "LOG_FORMAT": "json", **ours}
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "serve", "--host", "127.0.0.1", "--port", "0"),
        cwd=folder,
        env=environment(**ours),
        stdout=subprocess.PIPE,
        stderr=None,
    )
    try:
        assert process.stdout
        while not (found := re.search(rb"Listening on http://127.0.0.1:(\d+)", await process.stdout.readline())):
            assert process.returncode is None
        async with open_client(int(found[1])) as service:
            await until_ready(service, 200)
            yield Alone(process, service)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
