"""Radio: the Wi-Fi as a script tells it, for the module network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

IDLE, CONNECTING, JOINED = 0, 1, 3
NO_NETWORK, WRONG_PASSWORD = -2, -3


@dataclass
class Radio:
    """A network to join.

    `ssid` and `key` are what it wants; None takes anything. `after` is how often the status is asked before the board
    is connected. In each of `away`, from and to in simulated milliseconds, the network is gone; who was in it has to
    join again. From `deaf` on nothing comes through, though the chip says otherwise, until the board joins again.
    Until the program touches its Wi-Fi, the board is taken to be connected.
    """

    ssid: str | None = None
    key: str | None = None
    after: int = 0
    away: Sequence[tuple[float, float]] = ()
    deaf: float | None = None
    power_saving: int | None = field(default=None, init=False)
    _touched: bool = field(default=False, init=False)
    _status: int = field(default=IDLE, init=False)
    _left: int = field(default=0, init=False)
    _since: float = field(default=0, init=False)

    def start(self) -> None:
        """The board starts again."""
        self._touched, self._status, self.power_saving = False, IDLE, None

    def tell(self, what: str, a: int | str, b: int | str, now: int) -> int:
        """One call of `_wire.wifi` at the time `now` in milliseconds; the status for "status", else 0."""
        if what == "pm":
            self.power_saving = int(a)
            return 0
        self._touched = True
        if what == "status":
            return self._look(now)
        if what == "connect":
            self._status, self._left, self._since = self._answer(str(a), str(b)), self.after, now
        elif what == "disconnect" or not a:
            self._status = IDLE
        return 0

    def reaches(self, now: int) -> bool:
        """Whether anything comes or goes at the time `now`."""
        if not self._touched:
            return not self._is_away(now)
        if self._status == JOINED and self._was_away(now):
            self._status = IDLE
        is_deaf = self.deaf is not None and self._since < self.deaf <= now
        return self._status == JOINED and not is_deaf

    def next_change(self, now: int) -> float | None:
        """When the network comes back by itself, in milliseconds; None where it does not."""
        ends = [end for begin, end in self.away if begin <= now < end]
        return None if self._touched else max(ends, default=None)

    def _answer(self, ssid: str, key: str) -> int:
        if self.ssid not in (None, ssid):
            return NO_NETWORK
        return WRONG_PASSWORD if self.key not in (None, key) else CONNECTING

    def _look(self, now: int) -> int:
        if self._status == CONNECTING:
            if self._is_away(now):
                self._status = NO_NETWORK
            elif self._left > 0:
                self._left -= 1
            else:
                self._status, self._since = JOINED, now
        self.reaches(now)
        return self._status

    def _is_away(self, now: float) -> bool:
        return any(begin <= now < end for begin, end in self.away)

    def _was_away(self, now: float) -> bool:
        """At any moment since it was joined: a long sleep may have gone past all of it."""
        return any(begin <= now and end > self._since for begin, end in self.away)
