"""Waiting, with a deadline, for what tells nobody when it comes."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

import pytest

LONG = 30.0  # seconds, after which something hangs


async def until(condition: Callable[[], object], words: str = "It never was so", seconds: float = LONG) -> None:
    """Poll until the condition holds, which may have to be awaited."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await asyncio.wait_for(found, seconds)
        if found:
            return
        if time.monotonic() > deadline:
            pytest.fail(words)
        await asyncio.sleep(0.005)


async def together(*tasks: Any) -> list[Any]:
    """What came of all of them, errors too."""
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), LONG)
