"""Turns of the event loop, for tests that let others go on without waiting for any time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


async def turns(count: int = 20) -> None:
    """Let everybody who can do something do it."""
    for _ in range(count):
        await asyncio.sleep(0)


@asynccontextmanager
async def no_task_is_left() -> AsyncIterator[None]:
    """At the end of the block there are no more tasks than there were before it."""
    before = asyncio.all_tasks()
    yield
    now = asyncio.get_running_loop().time
    deadline = now() + 30
    # What others leave behind for a moment, such as a look at an upstream, ends by itself.
    while not (left := asyncio.all_tasks()) <= before and now() < deadline:  # noqa: ASYNC110 - tasks have no event
        await asyncio.sleep(0)
    assert left <= before
