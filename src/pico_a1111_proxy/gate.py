"""Gate: who may go upstream, and when; a bounded number works, a bounded line waits, the rest is refused."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pico_a1111_proxy.errors import QueueFull, ShuttingDown

FIRST_GUESS_SECONDS = 5.0  # how long a job is taken to last before one was seen
WEIGHT_OF_NEWEST = 0.2  # of the newest job in the moving average
LONGEST_RETRY_SECONDS = 120


class Gate:
    """At most `places` jobs inside and `line` waiting, in the order they came.

    `clock` gives seconds and is what the average length of a job is measured with.
    """

    def __init__(self, places: int, line: int, clock: Callable[[], float]) -> None:
        self.places = places
        self.line = line
        self.inside = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._clock = clock
        self._job_seconds = FIRST_GUESS_SECONDS
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._waiters)

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Raises QueueFull at once, and ShuttingDown at once or while waiting in line.
        """
        if self._closed:
            raise ShuttingDown("The service is shutting down", self.retry_after())
        if self.inside >= self.places:
            await self._wait()
        else:
            self.inside += 1
        started = self._clock()
        try:
            yield
            self._job_seconds += WEIGHT_OF_NEWEST * (self._clock() - started - self._job_seconds)
        finally:
            self._leave()

    def close(self) -> None:
        """Let nobody in any more: those in line are sent away, those inside finish."""
        self._closed = True
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(ShuttingDown("The service is shutting down", self.retry_after()))

    def retry_after(self) -> int:
        """Whole seconds after which a newcomer would probably find room."""
        seconds = (self.waiting + 1) / self.places * self._job_seconds
        return min(max(1, math.ceil(seconds)), LONGEST_RETRY_SECONDS)

    async def _wait(self) -> None:
        if len(self._waiters) >= self.line:
            raise QueueFull("The queue is full", self.retry_after())
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._leave()  # the place was handed over just as its waiter left
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def _leave(self) -> None:
        """Hand the place to the first who still waits, or free it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.inside -= 1
