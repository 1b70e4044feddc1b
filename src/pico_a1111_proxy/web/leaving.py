"""Leaving: notices that a client has hung up, which uvicorn tells only those who ask."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

T = TypeVar("T")


async def unless_left(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the client leaves; the request's body must have been read.

    Raises ClientDisconnect, and whatever `work` raises.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait({working, leaving})
    # What was done at the very moment of leaving is as good as lost, but a failure of it is still told.
    if not working.cancelled():
        return working.result()
    leaving.result()
    raise ClientDisconnect


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
