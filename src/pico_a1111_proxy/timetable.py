"""Timetable: when clients that were sent away may come again, so that they do not all come together."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable

EARLY_SECONDS = 0.1  # before its time that a promise is already good
LATE_SECONDS = 2.0  # after which nobody is expected any more
MOST_PROMISES = 1000
CAUTION = 0.9  # of the pace is promised: it is a guess, and too late is better than in vain
NOT_EMPTY = 0.4  # of the line may still be taken when somebody comes again
AT_ONE_TIME = 0.1  # seconds; who comes within that before or after comes together


class Timetable:
    """Promises of room in a line of this length, each to one client for one time; `clock` gives seconds.

    Told by the line's length alone, all who are refused together would come again together, and find it full once
    more. So each takes its turn behind all who have a promise already. `pace` is in jobs a second; nobody is told to
    wait for more than `longest` seconds.
    """

    def __init__(self, line: int, clock: Callable[[], float], longest: int) -> None:
        self._line = line
        self._longest = longest
        self._clock = clock
        self._promises: list[tuple[float, str]] = []  # in the order of their times

    def keep(self, who: str) -> bool:
        """Whether `who` was told to come about now; that promise is used up."""
        now = self._clock()
        del self._promises[: bisect_left(self._promises, (now - LATE_SECONDS, ""))]
        for place, (due, whose) in enumerate(self._promises):
            if due > now + EARLY_SECONDS:
                break
            if whose == who:
                del self._promises[place]
                return True
        return False

    def promise(self, who: str, waiting: int, pace: float) -> int:
        """Whole seconds after which there is room for `who` to stand in line."""
        now = self._clock()
        ahead = waiting + len(self._promises) + 1 - NOT_EMPTY * self._line
        seconds = min(max(1, math.ceil(ahead / (CAUTION * pace))), self._longest)
        while seconds < self._longest and self._is_crowded(now + seconds):
            seconds += 1
        if len(self._promises) < MOST_PROMISES and not self._is_crowded(now + seconds):
            insort(self._promises, (now + seconds, who))
        return seconds

    def _is_crowded(self, time: float) -> bool:
        first = bisect_left(self._promises, (time - AT_ONE_TIME, ""))
        last = bisect_right(self._promises, (time + AT_ONE_TIME, ""))
        return last - first >= max(1, self._line * 3 // 4)
