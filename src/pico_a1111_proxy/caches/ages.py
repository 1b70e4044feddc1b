"""Ages: how long an answer is good, the same for every cache."""

from __future__ import annotations

from typing import NamedTuple

from pico_a1111_proxy.answers import Answer


class Found(NamedTuple):
    """An answer, and the time at which it was stored first, in seconds of the cache's clock."""

    answer: Answer
    stored: float


def is_good(stored: float, now: float, ttl_seconds: float) -> bool:
    """Whether what was stored then may still be used.

    Not when it comes from the future: the clock was set back, and nobody knows how old it is.
    """
    return 0 <= now - stored < ttl_seconds


def is_too_old(stored: float, now: float, ttl_seconds: float) -> bool:
    """Whether it will never be good again: one from the future may be, when the clock is right once more."""
    return now - stored >= ttl_seconds
