"""Watch: looks at the upstream now and then, so that nobody who asks how it is has to wait for it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from pico_a1111_proxy.crowds import Crowd
from pico_a1111_proxy.errors import UpstreamError
from pico_a1111_proxy.jobs import Progress
from pico_a1111_proxy.proxy import Condition, Upstream

PROGRESS_SECONDS = 1.0  # for how long what the upstream says of its progress is remembered
PROGRESS_PATIENCE = 0.5  # seconds that one who asks for it may have to wait

log = structlog.get_logger("watch")


class Watch:
    """Remembers the upstream's last condition; None until it was looked at for the first time.

    `clock` gives seconds.
    """

    def __init__(self, upstream: Upstream, every_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.condition: Condition | None = None
        self._upstream = upstream
        self._every_seconds = every_seconds
        self._clock = clock
        self._progress: Progress | None = None
        self._progress_moment = -math.inf  # when it was asked for
        self._asking: asyncio.Task[None] | None = None
        self._asking_moment = -math.inf
        self._hurries = False
        self._changed = Crowd()

    def look_soon(self) -> None:
        """Have `running` look now: something has changed."""
        self._hurries = True
        self._changed.wake()

    async def look(self) -> None:
        """Look once, and log it when the condition has changed."""
        before, self.condition = self.condition, await self._upstream.check()
        if self.condition != before:
            tell = log.info if self.condition.usable else log.warning
            tell("upstream", **vars(self.condition))

    async def progress(self, within: float = PROGRESS_SECONDS) -> Progress | None:
        """How far the upstream is, asked no longer than `within` seconds ago; None where it does not tell at once.

        It is asked once at a time, and once a second, however many want to know.
        """
        now = self._clock()
        earliest = now - min(within, PROGRESS_SECONDS)
        asking = self._asking
        if asking is None and self._progress_moment < now - PROGRESS_SECONDS:
            asking = self._asking = asyncio.create_task(self._ask())
            self._asking_moment = now
        if asking:
            # Who comes while it hangs does not wait for it all over again.
            await asyncio.wait([asking], timeout=max(self._asking_moment + PROGRESS_PATIENCE - now, 0))
        return self._progress if self._progress_moment >= earliest else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look again and again until the block ends."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            for work in (task, self._asking):
                if work:
                    work.cancel()
                    with suppress(asyncio.CancelledError):
                        await work

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                # A bug must not leave an old condition standing, and nobody looking any more.
                log.exception("surprise")
                self.condition = None
            if not self._hurries:
                await self._changed.wait(self._every_seconds)
            self._hurries = False

    async def _ask(self) -> None:
        self._progress_moment, self._progress = self._clock(), None
        try:
            self._progress = await self._upstream.progress()
        except UpstreamError:
            pass  # which is as good as an upstream that says nothing
        except Exception:
            log.exception("surprise")
        finally:
            self._asking = None
