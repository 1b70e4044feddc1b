"""Clock: milliseconds since the power came on, real ones and those that were slept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Runs with real time, and can be moved on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._moved = 0.0

    def now(self) -> int:
        """Milliseconds."""
        return int((time.monotonic() - self._began) * 1000 + self._moved)

    def move(self, ms: float) -> None:
        """So many milliseconds pass at once; a time that is over is none."""
        self._moved += max(0, ms)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What is done within takes no time."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._began += time.monotonic() - began
