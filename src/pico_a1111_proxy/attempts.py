"""Attempts: one generation on its way through line and upstream, shared by all whose job is the same."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Hashable

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.archive import Archive, Lease
from pico_a1111_proxy.errors import RETRY_SECONDS, QueueFull
from pico_a1111_proxy.flights import Flight
from pico_a1111_proxy.gate import Visit
from pico_a1111_proxy.jobs import Generation, Job
from pico_a1111_proxy.outlooks import Stage
from pico_a1111_proxy.renderings import Origin, Rendering


class Attempt:
    """One generation on its way. Made by `Proxy.attempt`, for the `job` of the first who asked.

    `visit` is its way through the gate, None before and for what is in the archive. `settled` is set as soon as it
    is in line, or is known not to be. `number` is that of the generation's arrival, and `moment` the archive's.
    `drawn` is what is worth keeping of it. While it `is_elsewhere`, another proxy is drawing the same.
    """

    def __init__(self, job: Job, moment: int, stage: Callable[[], Stage | None] = lambda: None) -> None:
        self.job = job
        self.moment = moment
        self.visit: Visit | None = None
        self.settled = asyncio.Event()
        self._stage = stage
        self.is_archived = False
        self.is_promised = False
        self.is_elsewhere = False
        self.was_elsewhere = False
        self.drawn: Answer | None = None
        self.number: int | None = None
        self.developed: dict[Hashable, Flight[Rendering]] = {}
        self.flight: Flight[Generation]
        self._lease: Lease | None = None

    def promise(self) -> None:
        """Have it lose its place in line to nobody."""
        self.is_promised = True
        if self.visit:
            self.visit.is_promised = True

    def come(self, visit: Visit) -> Visit:
        """Have `visit` as its way through the gate."""
        self.visit = visit
        visit.is_promised = self.is_promised
        return visit

    async def be_alone(self, archive: Archive, seconds: float) -> None:
        """Have no other proxy draw the same, or wait until it has; after `seconds` it is drawn here anyway."""
        self._lease = await archive.alone(self.job)
        if self._lease:
            return
        self.is_elsewhere = self.was_elsewhere = True
        self.settled.set()
        self._lease = await archive.alone(self.job, seconds)
        self.is_elsewhere = False

    async def let_go(self) -> None:
        """Let other proxies draw it."""
        lease, self._lease = self._lease, None
        if lease:
            await lease.give_up()

    def origin(self, job: Job) -> Origin:
        """Where the rendering of `job` comes from, which has waited for this."""
        if self.is_archived and not self.was_elsewhere:
            return "hit"
        return "miss" if self.job is job and not self.is_archived else "joined"

    @property
    def _is_in_line(self) -> bool:
        stage = self._stage() if self.visit and self.visit.is_inside else None
        return bool((self.visit and self.visit.position) or (stage and stage.position))

    async def wait(self, patience: float) -> Generation:
        """The generation; with the last who leaves it is given up. Raises any ProxyError.

        Raises QueueFull where it is still in line after `patience` seconds, or still drawn elsewhere.
        """
        if patience == math.inf:
            return await self.flight.wait()
        waiting = asyncio.create_task(self.flight.wait())
        try:
            await asyncio.wait([waiting], timeout=patience)
            if not waiting.done():
                await self.settled.wait()  # it may be looked for in the archive still
            if not waiting.done() and (self.is_elsewhere or self._is_in_line):
                raise QueueFull("No place came free in time", RETRY_SECONDS)
            return await waiting
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])
