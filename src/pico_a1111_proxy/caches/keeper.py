"""Keeper: what the thread of a `DiskCache` does; it opens the shelf anew whenever that helps, and never raises."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from pico_a1111_proxy.caches.ages import Found
from pico_a1111_proxy.caches.folder import Folder
from pico_a1111_proxy.caches.shelf import Shelf, is_full

MOST_OWED = 1000  # keys, before everything is forgotten in their place
MOST_TOLD = 10  # kinds of trouble
LOCKED_IN_A_ROW = 3  # then whoever has the index is taken to be dead

T = TypeVar("T")

log = structlog.get_logger("cache")


class Keeper:
    """Keeps a shelf at `path`. `owe` and `forget_all` may be called from anywhere, the rest from one thread only.

    `later` does a piece of work in that thread when those that wait have had their turn. `held` are the entries and
    their bytes, `trouble` is how often something went wrong, `eras` how often others have forgotten everything.
    """

    def __init__(
        self,
        path: str,
        bounds: tuple[int, float],
        clock: Callable[[], float],
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self.held = (0, 0)
        self.trouble = 0
        self.eras = 0
        self.clears = 0  # that are wanted
        self.owed: dict[str, int] = {}  # keys whose last answer could not be kept, and the number of that call
        self._path = path
        self._bounds = bounds
        self._clock = clock
        self._later = later
        self._changing = threading.Lock()  # around what all threads write; held for a moment only
        self._shelf: Shelf | None = None
        self._cleared = 0  # how many of the clears are done
        self._era: int | None = None
        self._locked = 0  # in a row
        self._told: set[str] = set()

    def owe(self, key: str, call: int) -> None:
        """The answer of this call was not kept: what is on the disk is not the last, and no hit."""
        with self._changing:
            self.owed[key] = max(call, self.owed.get(key, 0))
            too_many = len(self.owed) > MOST_OWED
        if too_many:
            self.forget_all()

    def forget_all(self) -> None:
        """Nothing that was kept before is a hit from now on; the next work in the thread begins with that."""
        with self._changing:
            self.clears += 1
            self.owed.clear()

    def look(self) -> None:
        """See to it that what is wanted is done, and the figures are true."""
        self._work(lambda _: None, None)

    def find(self, key: str) -> Found | None:
        """What lies there."""
        return self._work(lambda shelf: self._find(shelf, key), None)

    def put(self, key: str, found: Found, call: int, clears: int) -> None:
        """Keep what the call with this number brought, after so many clears."""

        def put(shelf: Shelf) -> bool:
            # What was brought before everything was forgotten is not written any more; nor what is not the last, where
            # the last could not be kept.
            if clears == self._cleared and self.owed.get(key, 0) <= call:
                shelf.put(key, found, self._clock())
                self._settle(key, call)
            return True

        if clears == self.clears and not self._work(put, False):
            self.owe(key, call)

    def finish(self) -> None:
        """Write what is only in memory, and let go of the shelf."""
        if self._shelf or self._cleared != self.clears:
            self._work(lambda shelf: shelf.finish(tuple(self.owed)), None)
        self._put_down()

    def _work(self, work: Callable[[Shelf], T], otherwise: T) -> T:
        """What `work` makes of the shelf; `otherwise`, and trouble, where that goes wrong in whatever way."""
        try:
            shelf = self._pick_up()
            result = work(shelf)
        except Exception as error:  # noqa: BLE001 - a cache is never the reason why there is no picture
            self.trouble += 1
            self._tell(error)
            self._recover(error)
            return otherwise
        self._locked = 0
        self._era = shelf.era
        self.held = (shelf.holdings.entries, shelf.holdings.bytes)
        return result

    def _find(self, shelf: Shelf, key: str) -> Found | None:
        found, damaged = shelf.get(key, self._clock())
        if damaged:
            self.trouble += 1
            self._tell(OSError(errno.EIO, "an answer is damaged or missing"))
        return found

    def _settle(self, key: str, call: int) -> None:
        with self._changing:
            if self.owed.get(key, call) < call:
                del self.owed[key]

    def _pick_up(self) -> Shelf:
        """The shelf as it has to be now: in its place, and without what is forgotten. Raises whatever is wrong."""
        if self._shelf and not self._shelf.is_in_place:
            self._put_down()
        shelf = self._shelf = self._shelf or Shelf(self._path, *self._bounds, self._clock())
        shelf.look()
        if self._era is not None and shelf.era != self._era:
            self.eras += 1
        clears = self.clears
        if self._cleared != clears:
            shelf.forget()
            self._cleared = clears
            self._later(self._remove_forgotten)
        self._era = shelf.era
        return shelf

    def _remove_forgotten(self) -> None:
        """Remove a few files at a time, and let others have their turn in between."""
        if self._work(Shelf.remove_forgotten, False):
            self._later(self._remove_forgotten)

    def _recover(self, error: Exception) -> None:
        """Leave everything so that the next work may go well, and what must be forgotten is."""
        is_locked = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
        self._locked = self._locked + 1 if is_locked else 0
        clears = self.clears
        if self._locked >= LOCKED_IN_A_ROW or self._cleared != clears:
            # Files can be removed where the index can't be written, as on a full disk.
            self._put_down()
            with suppress(Exception):
                _wipe(self._path)
                self._cleared = clears
        elif not is_locked and not is_full(error):
            self._put_down()

    def _put_down(self) -> None:
        shelf, self._shelf = self._shelf, None
        self.held = (0, 0)
        if shelf:
            shelf.close()

    def _tell(self, error: Exception) -> None:
        """Say it once: trouble with a disk comes with every call."""
        words = str(error) if isinstance(error, sqlite3.Error) else getattr(error, "strerror", None) or repr(error)
        if not self._told:
            log.warning("cache trouble", folder=self._path, words=words)
        elif words not in self._told and len(self._told) < MOST_TOLD:
            log.info("more cache trouble", folder=self._path, words=words)
        self._told.add(words if len(self._told) < MOST_TOLD else "")


def _wipe(path: str) -> None:
    if os.path.lexists(path):
        folder = Folder(path, make=False)
        try:
            folder.remove_everything()
        finally:
            folder.close()
