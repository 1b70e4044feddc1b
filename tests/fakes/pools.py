"""Pools of real A1111s over loopback, with a clock that passes when the test says so, and a member that is dead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fakes.a1111 import ScriptedA1111
from fakes.visitors import Clock
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.upstreams.a1111 import open_a1111
from pico_a1111_proxy.upstreams.pool import Pool

LIMIT = 60  # seconds after which a test gives up


@dataclass
class Dead:
    """Listens and speaks no TLS: with https:// before its address, a connection that fails and can be counted."""

    url: str = ""
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.transport.abort()


@asynccontextmanager
async def open_dead() -> AsyncIterator[Dead]:
    dead = Dead()
    server = await asyncio.start_server(dead.serve, "127.0.0.1", 0)
    dead.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield dead
    finally:
        server.close()


@dataclass
class Setup:
    pool: Pool
    clock: Clock = field(default_factory=Clock)

    def states(self) -> list[str]:
        return [member.state for member in self.pool.members()]

    def in_flight(self) -> list[int]:
        return [member.in_flight for member in self.pool.members()]


@asynccontextmanager
async def pool_of(*urls: str, seconds: float = LIMIT) -> AsyncIterator[Setup]:
    clock = Clock()
    async with AsyncExitStack() as stack:
        members = [await stack.enter_async_context(open_a1111(url, None, seconds)) for url in urls]
        yield Setup(Pool(members, clock), clock)


def job(**fields: Any) -> Job:
    return Job("txt2img", json.dumps({"prompt": "a", **fields}).encode(), default_display(240, 240, invert=True))


def counts(*upstreams: ScriptedA1111) -> list[int]:
    return [len(upstream.generations) for upstream in upstreams]
