"""A real redis-server of a test's own, which can be killed, stopped for a while, and started again."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from missing import missing

PROGRAM = "redis-server"
STARTING_SECONDS = 20


class RedisServer:
    """On a free port of loopback; what it knows is in `folder`, written with every change."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self, *options: str) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", *options),
            stdout=asyncio.subprocess.DEVNULL,
        )
        await asyncio.wait_for(self._answers(), STARTING_SECONDS)

    async def kill(self) -> None:
        """As kill -9 does."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def freeze(self) -> None:
        """It is there, and says nothing any more."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    async def command(self, *words: str) -> str:
        """What it answers to one command, as it comes over the wire."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            sent = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            writer.write(f"*{len(words)}\r\n{sent}".encode())
            return (await asyncio.wait_for(reader.readline(), STARTING_SECONDS)).decode().strip()
        finally:
            writer.close()

    async def _answers(self) -> None:
        while True:
            with suppress(OSError):
                if await self.command("PING") in ("+PONG", "-NOAUTH Authentication required."):
                    return
            assert self._process
            assert self._process.returncode is None, "redis-server does not start"
            await asyncio.sleep(0.01)


@asynccontextmanager
async def open_redis(folder: Path, *options: str) -> AsyncIterator[RedisServer]:
    """A running redis-server; without the program the test is skipped, or fails in CI."""
    if shutil.which(PROGRAM) is None:
        missing(f"{PROGRAM} is not installed")
    server = RedisServer(folder)
    await server.start(*options)
    try:
        yield server
    finally:
        await server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
