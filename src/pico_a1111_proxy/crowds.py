"""Crowds: many who wait for one thing, woken a few at a time."""

from __future__ import annotations

import asyncio

SHARED = 16  # who are woken in one go: others get their turn in between, however many wait


class _Group:
    """Up to SHARED, who share a future: that costs less than one for each."""

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.size = 0


class Crowd:
    """Who waits for one thing."""

    def __init__(self) -> None:
        self._groups: list[_Group] = []

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until woken, no longer than that; all that each has of its own is a timer."""
        if not self._groups or self._groups[-1].size == SHARED:
            self._groups.append(_Group())
        group = self._groups[-1]
        group.size += 1
        try:
            await asyncio.wait([group.future], timeout=seconds)  # which leaves it to the others, cancelled or late
        finally:
            group.size -= 1
            if not group.size and group in self._groups:
                self._groups.remove(group)

    def wake(self) -> None:
        """Let all go on, each once, one group in each turn of the loop."""
        if self._groups:
            self._groups.pop(0).future.set_result(None)
            asyncio.get_running_loop().call_soon(self.wake)
