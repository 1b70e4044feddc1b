"""Served: what the core tells of what happened on a job's way, to whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from pico_a1111_proxy.errors import ProxyError
from pico_a1111_proxy.jobs import Job

Step = Literal["rendering", "line", "generation", "conversion"]

BEGUN = "begun"
DONE = "done"
CANCELLED = "cancelled"  # nobody wanted it any more
SURPRISE = "surprise"  # an error that is none of ours
NO_FRAME = "none"  # in place of a pixel format


@dataclass(frozen=True)
class Served:
    """One step of a job's way, and how it ended.

    `outcome` is DONE, for a rendering its origin instead, and where it failed CANCELLED, SURPRISE or the name of our
    error's class; a generation is told of when it has BEGUN, too. `seconds` is how long it took. `job` is None for a
    picture that was pushed.
    """

    step: Step
    outcome: str
    seconds: float = 0.0
    job: Job | None = None

    @property
    def format(self) -> str:
        """The pixel format of its frames, NO_FRAME where the job wants none."""
        return self.job.display.format if self.job and self.job.wanted != "none" else NO_FRAME


Listener = Callable[[Served], None]


def nobody(_: Served) -> None:
    """Listen to nothing."""


class Telling:
    """A block whose end is told; `outcome` is what it ends with where nothing goes wrong. `clock` gives seconds."""

    def __init__(self, tell: Listener, clock: Callable[[], float], step: Step, job: Job | None = None) -> None:
        self.outcome = DONE
        self._tell = tell
        self._clock = clock
        self._step = step
        self._job = job
        self._began = clock()

    def __enter__(self) -> Telling:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        outcome = self.outcome if error is None else _name(error)
        self._tell(Served(self._step, outcome, self._clock() - self._began, self._job))


def _name(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return CANCELLED
    return type(error).__name__ if isinstance(error, ProxyError) else SURPRISE
