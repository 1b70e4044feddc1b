"""What frames take of a Pico W's heap, in MicroPython's own VM, and how much of it is left.

Wants node and the packages of tests/clients/npm. `PYTHONPATH=tests python bench/device_heap.py`
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from load import ours
from processes import HEALTH, running, stop_when_told
from tables import print_table, tell_machine

from clients.node import why_not
from device.heap import Figures, draws_within, measure, noise

NAMES = ("waveshare-pico-lcd-1.3", "waveshare-pico-lcd-1.14", "waveshare-pico-lcd-2")
HEAD = (
    "display",
    "band",
    "needed beside",
    "garbage a frame",
    "modules",
    "panel and client",
    "left",
    "five frames leave",
)
STEP = 256  # bytes, of the search for what has to be free


@asynccontextmanager
async def serving(upstream: str) -> AsyncIterator[str]:
    """The service before the upstream at this address; gives its own."""
    with tempfile.TemporaryDirectory() as folder:
        stack = running(ours(int(upstream.rpartition(":")[2]), folder), HEALTH)
        # Its start waits for an answer in a thread, for which the upstream's loop must go on.
        service = await asyncio.to_thread(stack.__enter__)
        try:
            yield f"http://127.0.0.1:{service.port}"
        finally:
            await asyncio.to_thread(stack.__exit__, None, None, None)


async def least(name: str) -> int:
    """The bytes that have to be free beside the band."""
    for room in range(STEP, 8192, STEP):
        if await draws_within(name, room, serving):
            return room
    raise SystemExit(f"{name}: no frame in 8 KB")


def row(figures: Figures, least: int) -> list[str]:
    """The bytes of one display."""
    numbers = (
        figures.band,
        least,
        figures.garbage,
        figures.modules - figures.before,
        figures.ready - figures.modules,
        figures.free,
        figures.held[-1] - figures.held[0],
    )
    display = figures.display
    return [f"{display.name} {display.width}x{display.height}", *(f"{number:,}" for number in numbers)]


async def main() -> None:
    """Measure, and print a table."""
    stop_when_told()
    reason = why_not()
    if reason is not None:
        raise SystemExit(reason)
    pictures = [noise(number) for number in range(6)]
    measured = [await measure(name, pictures, serving) for name in NAMES]
    lowest = [await least(name) for name in NAMES]
    tell_machine()
    print_table("A Pico W's heap, in bytes", HEAD, [row(*pair) for pair in zip(measured, lowest, strict=True)])
    first = measured[0]
    print(f"Of {first.total:,} bytes, {first.before:,} are taken before by modules that a Pico has in its flash.")


if __name__ == "__main__":
    asyncio.run(main())
