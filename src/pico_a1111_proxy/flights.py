"""Flights: one piece of work on its way, and all who wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from pico_a1111_proxy.crowds import Crowd
from pico_a1111_proxy.errors import ProxyError

T = TypeVar("T")


class Flight(Generic[T]):
    """Work that begins at once, in a task of its own; `wanted` is how many wait for it.

    Who is cancelled takes nothing from the others; with the last one the work is cancelled. `landed` is called when
    it is over, well or not.
    """

    def __init__(self, work: Coroutine[Any, Any, T], landed: Callable[[], None] | None = None) -> None:
        self._landed = landed
        self.wanted = 0
        self._given_up = False
        self._task = asyncio.create_task(work)
        self._crowd = Crowd()
        self._task.add_done_callback(self._land)

    @property
    def has_landed(self) -> bool:
        """Whether it is over, well or not."""
        return self._task.done()

    @property
    def is_good(self) -> bool:
        """Whether there is a result."""
        return self._task.done() and not self._task.cancelled() and self._task.exception() is None

    @property
    def is_of_use(self) -> bool:
        """Whether a newcomer may wait for it: there is a result, or there will be one."""
        return self.is_good if self._task.done() else not self._given_up

    def result(self) -> T:
        """What came of it, where it has landed; raises what the work raised."""
        return self._task.result()

    async def wait(self) -> T:
        """The result, once it is there. Raises what the work raises."""
        self.wanted += 1
        try:
            if not self._task.done():
                await self._crowd.wait()
        finally:
            self.wanted -= 1
            if not self.wanted and not self._task.done():
                self._given_up = self._task.cancel()
        return self._task.result()

    async def end(self) -> None:
        """Cancel the work, whoever waits for it, and return when it is over."""
        self._given_up = self._task.cancel() or self._given_up
        await asyncio.wait([self._task])

    def _land(self, task: asyncio.Task[T]) -> None:
        self._crowd.wake()
        if self._landed:
            self._landed()
        error = None if task.cancelled() else task.exception()
        # One of our errors is only for a client, and there is none any more; anything else is a bug.
        if error and not self.wanted and not isinstance(error, ProxyError):
            context = {"message": "Work failed after all who wanted it had left", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)
