"""Circuit: whether an upstream is worth a try, judged by how the last ones went."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from pico_a1111_proxy.errors import UpstreamError, UpstreamRejected, UpstreamUnauthorized

FAILURES_IN_A_ROW = 3  # of generations that were sent, until it is left alone
COOL_DOWN_SECONDS = 10.0
LONGEST_COOL_DOWN_SECONDS = 60.0

State = Literal["closed", "open", "half-open"]


class Circuit:
    """One upstream's: `closed` lets all in; `open` none, for a cool-down; `half-open` one at a time, the probe.

    A connection that fails opens it at once; so do three generations in a row that were sent and ended in a 5xx, in
    nonsense, cut off or too late. A request that is refused (4xx) and a client that leaves say nothing of the upstream.
    A probe that succeeds closes it, one that fails doubles the cool-down. `clock` gives seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.words = ""  # what opened it
        self.failed_at = -math.inf
        self._clock = clock
        self._opened_at: float | None = None
        self._cool_down = COOL_DOWN_SECONDS
        self._times_opened = 0
        self._in_a_row = 0
        self._unreachable = False
        self._probing = False

    @property
    def state(self) -> State:
        """How it is now."""
        if self._opened_at is None:
            return "closed"
        return "open" if self._clock() < self._opened_at + self._cool_down else "half-open"

    @property
    def lets_in(self) -> bool:
        """Whether one more may be tried: none that is open, one that is half-open if nobody probes it already."""
        return self.state == "closed" or (self.state == "half-open" and not self._probing)

    @contextmanager
    def attempt(self, *, draws: bool = False) -> Iterator[None]:
        """One try, judged by how the block ends; `draws` is whether it is a generation, or only shows that it answers.

        What was begun before the circuit opened says nothing of what has been since.
        """
        probes = self.lets_in and self.state == "half-open"
        if probes:
            self._probing = True
        times_opened = self._times_opened
        try:
            yield
        except UpstreamError as error:
            if times_opened == self._times_opened:
                self._judge(error, draws)
            raise
        else:
            if times_opened == self._times_opened:
                self._answered(drew=draws)
        finally:
            if probes:
                self._probing = False

    def _judge(self, error: UpstreamError, draws: bool) -> None:
        if error.unsent:
            self._open(error, unreachable=True)
        elif isinstance(error, (UpstreamRejected, UpstreamUnauthorized)):
            self._answered(drew=False)
        elif draws:
            self._in_a_row += 1
            if self._opened_at is not None or self._in_a_row >= FAILURES_IN_A_ROW:
                self._open(error, unreachable=False)

    def _open(self, error: UpstreamError, *, unreachable: bool) -> None:
        state, self.failed_at = self.state, self._clock()
        if state == "open":
            return  # tried as the last one left: it is no probe, and prolongs nothing
        if state == "half-open":
            self._cool_down = min(2 * self._cool_down, LONGEST_COOL_DOWN_SECONDS)
        self.words, self._unreachable = error.detail, unreachable
        self._opened_at = self.failed_at
        self._times_opened += 1

    def _answered(self, *, drew: bool) -> None:
        # One that could draw no picture has to show that it can: that it answers is not enough.
        if drew or (self._opened_at is not None and self._unreachable):
            self._opened_at = None
            self._cool_down = COOL_DOWN_SECONDS
            self._in_a_row = 0
            self.words = ""
