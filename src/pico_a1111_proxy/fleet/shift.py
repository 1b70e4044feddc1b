"""Shift: whether a worker takes jobs, by how its upstream does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from pico_a1111_proxy.errors import UpstreamError, UpstreamRejected
from pico_a1111_proxy.fleet.link import within
from pico_a1111_proxy.proxy import Upstream

CHECK_SECONDS = 10.0  # between two looks at the upstream of an idle worker
PAUSED_CHECK_SECONDS = 2.0
CHECK_PATIENCE = 2.0
FAILURES_IN_A_ROW = 3  # after which a worker rests, lest it fail all that others could draw
REST_SECONDS = 10.0

log = structlog.get_logger("worker")


class Shift:
    """Begins with a pause, until `upstream` was looked at. `pause` and `resume` are called when jobs are to be taken
    no more, and again; `clock` gives seconds. `words` say why there is a pause, and are empty where there is none.
    """

    def __init__(
        self, upstream: Upstream, pause: Callable[[], None], resume: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self.words = "It has not looked at its upstream yet"
        self._upstream = upstream
        self._pause = pause
        self._resume = resume
        self._clock = clock
        self._next_check = 0.0
        self._rests_until = 0.0
        self._failures = 0

    async def look(self) -> None:
        """Look at the upstream, if it is time to."""
        if self._clock() >= self._next_check:
            await self.check()

    async def check(self) -> None:
        """Look at the upstream, and take jobs, or none."""
        try:
            condition = await within(CHECK_PATIENCE, self._upstream.check())
            words = "" if condition.usable else condition.words or "Its upstream can't be used"
        except asyncio.TimeoutError:
            words = "Its upstream does not answer in time"
        if words:
            self.pause(words)
        elif self.words and self._clock() >= self._rests_until:
            log.info("takes_jobs")
            self.words, self._failures = "", 0
            self._resume()
        self._next_check = self._clock() + (PAUSED_CHECK_SECONDS if self.words else CHECK_SECONDS)

    def pause(self, words: str) -> None:
        """Take no jobs for now."""
        if words != self.words:
            log.warning("paused", words=words)
        self.words = words
        self._next_check = self._clock() + PAUSED_CHECK_SECONDS
        self._pause()

    def drawn(self) -> None:
        """A job has gone well."""
        self._failures = 0

    async def failed(self, error: UpstreamError) -> None:
        """One has not: look whether the upstream is to blame."""
        self._failures += not isinstance(error, UpstreamRejected)  # which says nothing of the upstream
        if self._failures >= FAILURES_IN_A_ROW:
            self._rests_until = self._clock() + REST_SECONDS
            self.pause(f"Its last {self._failures} jobs have failed: {error.detail}")
        else:
            await self.check()
