"""Deadlines: how long a client may take to send, told by a clock that is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Patience:
    """What may be taken for one thing: so many seconds, or more as long as `rate` bytes a second come on average.

    However fast they came before: after `silence` seconds without a byte it is over.
    """

    seconds: float
    silence: float = inf
    rate: float = inf


class ReceiveClock:
    """Tells when a client that sends is late. It stands still while it is us who do not read."""

    def __init__(self) -> None:
        self.patience: Patience | None = None
        self._started = self._last = 0.0
        self._count = 0
        self._stopped: float | None = None

    def begin(self, patience: Patience | None, now: float) -> None:
        """From `now` on the client owes something else, or nothing."""
        self.patience = patience
        self._started = self._last = now
        self._count = 0
        if self._stopped is not None:
            self._stopped = now

    def took(self, count: int, now: float) -> None:
        """So many bytes came."""
        self._count += count
        self._last = now

    def stop(self, now: float) -> None:
        """We do not read any more."""
        if self._stopped is None:
            self._stopped = now

    def go(self, now: float) -> None:
        """We read again."""
        if self._stopped is not None:
            self._started += now - self._stopped
            self._last = now
            self._stopped = None

    def due(self) -> float | None:
        """When the client will be late if nothing more comes; None while it owes nothing, or cannot send."""
        wanted = self.patience
        if wanted is None or self._stopped is not None:
            return None
        return min(self._last + wanted.silence, self._started + max(wanted.seconds, self._count / wanted.rate))
