"""Attempts: one generation on its way through line and upstream, shared by all whose job is the same."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Hashable

from pico_a1111_proxy.errors import RETRY_SECONDS, QueueFull
from pico_a1111_proxy.flights import Flight
from pico_a1111_proxy.gate import Visit
from pico_a1111_proxy.jobs import Generation, Job
from pico_a1111_proxy.renderings import Rendering


class Attempt:
    """One generation on its way. Made by `Proxy.attempt`, for the `job` of the first who asked.

    `visit` is its way through the gate, None before and for what is in the archive. `settled` is set as soon as it
    is in line, or is known never to be. `number` is that of the generation's arrival, and `moment` the archive's.
    """

    def __init__(self, job: Job, moment: int) -> None:
        self.job = job
        self.moment = moment
        self.visit: Visit | None = None
        self.settled = asyncio.Event()
        self.is_archived = False
        self.is_promised = False
        self.is_worth_keeping = False
        self.number: int | None = None
        self.developed: dict[Hashable, Flight[Rendering]] = {}
        self.flight: Flight[Generation]

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

    async def wait(self, patience: float) -> Generation:
        """The generation; with the last who leaves it is given up. Raises any ProxyError.

        Raises QueueFull where it is still in line after `patience` seconds.
        """
        if patience == math.inf:
            return await self.flight.wait()
        waiting = asyncio.create_task(self.flight.wait())
        try:
            await asyncio.wait([waiting], timeout=patience)
            if not waiting.done():
                await self.settled.wait()  # it may be looked for in the archive still
            if not waiting.done() and self.visit and self.visit.position:
                raise QueueFull("No place came free in time", RETRY_SECONDS)
            return await waiting
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])
