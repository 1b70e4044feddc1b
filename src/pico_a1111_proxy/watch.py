"""Watch: looks at the upstream now and then, so that nobody who asks how it is has to wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from pico_a1111_proxy.proxy import Condition, Upstream

log = structlog.get_logger("watch")


class Watch:
    """Remembers the upstream's last condition; None until it was looked at for the first time."""

    def __init__(self, upstream: Upstream, every_seconds: float) -> None:
        self.condition: Condition | None = None
        self._upstream = upstream
        self._every_seconds = every_seconds

    async def look(self) -> None:
        """Look once, and log it when the condition has changed."""
        before, self.condition = self.condition, await self._upstream.check()
        if self.condition != before:
            tell = log.info if self.condition.usable else log.warning
            tell("upstream", **vars(self.condition))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look again and again until the block ends."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                # A bug must not leave an old condition standing, and nobody looking any more.
                log.exception("surprise")
                self.condition = None
            await asyncio.sleep(self._every_seconds)
