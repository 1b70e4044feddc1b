"""Rates: how often a client may come, and when it may come again."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from limits import RateLimitItem, parse_many
from limits.aio.storage import MovingWindowSupport

MOST_REQUESTS = 100_000  # that one rate may allow; each is remembered

_GOOD_FORM = f"is a number of requests, up to {MOST_REQUESTS}, and a time, as in 30/minute or 10/second;500/hour"


def read_rates(text: str) -> tuple[RateLimitItem, ...]:
    """The setting RATE_LIMIT. Raises ValueError, whose words follow the setting's name."""
    try:
        rates = parse_many(text)
    except ValueError:
        raise ValueError(_GOOD_FORM) from None
    if not all(1 <= rate.amount <= MOST_REQUESTS for rate in rates):
        raise ValueError(_GOOD_FORM)
    return tuple(rates)


def check_rates(text: str | None) -> str | None:
    """Give `text` back if it can be read. Raises ValueError."""
    if text is not None:
        read_rates(text)
    return text


@dataclass(frozen=True)
class TooOften:
    """A client may come again after `seconds`, which are whole; `words` say which rate it is over."""

    words: str
    seconds: int


class Rates:
    """Counts each client's requests in moving windows: over none of them is `rates` ever exceeded.

    `memory` may be shared: any storage of the library limits that has moving windows. `clock` is the memory's own.
    """

    def __init__(self, rates: Sequence[RateLimitItem], memory: MovingWindowSupport, clock: Callable[[], float]) -> None:
        self._rates = rates
        self._memory = memory
        self._clock = clock

    async def come(self, client: str) -> TooOften | None:
        """Count a request of `client`, or refuse it; one that is refused counts for no rate."""
        too_often = await self._look(client)
        if too_often:
            return too_often
        for rate in self._rates:
            if not await self._memory.acquire_entry(rate.key_for(client), rate.amount, rate.get_expiry()):
                # In a shared memory another process was quicker.
                return await self._look(client) or TooOften(_describe(rate), 1)
        return None

    async def _look(self, client: str) -> TooOften | None:
        """The rate that is used up and keeps `client` out longest."""
        found = None
        for rate in self._rates:
            since, count = await self._memory.get_moving_window(rate.key_for(client), rate.amount, rate.get_expiry())
            if count >= rate.amount:
                seconds = max(1, math.ceil(since + rate.get_expiry() - self._clock()))
                if found is None or seconds > found.seconds:
                    found = TooOften(_describe(rate), seconds)
        return found


class Windows(MovingWindowSupport):
    """Remembers in memory when each client came: at most `keys` of them and `times` in all.

    Beyond that who came longest ago is forgotten. The library's own memory has no bound, and after every request looks
    through all that it holds, each key in another thread.
    """

    def __init__(self, clock: Callable[[], float], keys: int = 20_000, times: int = 500_000) -> None:
        self._clock = clock
        self._most_keys = keys
        self._most_times = times
        self._windows: OrderedDict[str, array[float]] = OrderedDict()
        self._count = 0

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` for `key` unless that makes more than `limit` in the last `expiry` seconds."""
        window = self._recent(key, expiry)
        if len(window) + amount > limit:
            return False
        window.extend([self._clock()] * amount)
        self._windows[key] = window
        self._windows.move_to_end(key)
        self._count += amount
        self._forget()
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest of the last `expiry` seconds came, and how many did."""
        window = self._recent(key, expiry)
        return (window[0], len(window)) if window else (self._clock(), 0)

    def _recent(self, key: str, expiry: int) -> array[float]:
        """What is remembered of `key`, without what is too old to count."""
        window = self._windows.get(key)
        if window is None:
            return array("d")
        old = bisect_right(window, self._clock() - expiry)
        del window[:old]
        self._count -= old
        if not window:
            del self._windows[key]
        return window

    def _forget(self) -> None:
        while len(self._windows) > max(self._most_keys, 1) or (
            self._count > self._most_times and len(self._windows) > 1
        ):
            self._count -= len(self._windows.popitem(last=False)[1])


def _describe(rate: RateLimitItem) -> str:
    time = rate.GRANULARITY.name
    return f"{rate.amount} per {time}" if rate.multiples == 1 else f"{rate.amount} per {rate.multiples} {time}s"
