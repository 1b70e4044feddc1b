"""Shelf: answers in a folder with their index, bounded in bytes; what `DiskCache` does in its thread."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterable
from contextlib import suppress

from pico_a1111_proxy.caches.ages import Found, is_good, is_too_old
from pico_a1111_proxy.caches.entries import pack_entry, unpack_entry
from pico_a1111_proxy.caches.folder import Folder
from pico_a1111_proxy.caches.index import Holdings, Index, Row, open_index

SPARE_BYTES = 65_536  # that the index and its journal may grow by while an answer is written
SWEEP_EVERY = 200  # answers written: another service that shares the folder may have left something
REMOVED_AT_ONCE = 32  # files, before others have their turn
UNTOLD_USES = 500  # are told to the index together: a hit writes nothing


class Shelf:
    """What lies in the folder at `path`: at most `most_bytes` on disk, each answer for `ttl_seconds`; for one thread.

    The bound counts the index and what a crash left, too. Raises OSError and sqlite3.Error, from every method.
    """

    def __init__(self, path: str, most_bytes: int, ttl_seconds: float, now: float) -> None:
        self._most_bytes = most_bytes
        self._ttl_seconds = ttl_seconds
        self._used: dict[str, None] = {}  # files since the index was told, the last used last
        self._written = 0
        self._folder = Folder(path)
        try:
            self._index = open_index(self._folder)
            try:
                self._read_figures()
                self.sweep(now)
            except BaseException:
                self._index.close()
                raise
        except BaseException:
            self._folder.close()
            raise

    def finish(self, old: Iterable[str]) -> None:
        """Write what is only in memory: what was used, and that the answers to `old` are not the last ones."""
        with self._index.writing():
            self._tell_uses()
            self._discard(self._index.names_of(old))

    def close(self) -> None:
        """Let go of folder and index; writes nothing, as either may be in trouble. Never raises."""
        with suppress(sqlite3.Error):
            self._index.close()
        with suppress(OSError):
            self._folder.close()

    @property
    def is_in_place(self) -> bool:
        """Whether folder and index are still those that the path leads to."""
        return self._folder.is_in_place and self._index.is_in_place

    def look(self) -> None:
        """Read the figures again, if another process has changed something."""
        if self._index.changes() != self._changes:
            self._read_figures()

    def get(self, key: str, now: float) -> tuple[Found | None, bool]:
        """The answer and its age, and whether one was found damaged; that one is gone then."""
        row = self._index.find(key)
        if row is None:
            return None, False
        if not is_good(row.stored, now, self._ttl_seconds):
            if is_too_old(row.stored, now, self._ttl_seconds):
                self._remove([row.name])
            return None, False
        data = self._folder.read(row.name, row.size)
        found = None if data is None else unpack_entry(data, row.name, key)
        if found is None or found.stored != row.stored:
            # Where the index knows it no more, another process has removed it just now, and all is well.
            return None, self._remove([row.name]) > 0
        self._used.pop(row.name, None)
        self._used[row.name] = None
        if len(self._used) >= UNTOLD_USES:
            with self._index.writing():
                self._tell_uses()
        return found, False

    def put(self, key: str, found: Found, now: float) -> None:
        """Keep an answer if there is room for it; what was there before is gone in any case."""
        try:
            self._put(key, found)
        except (OSError, sqlite3.Error) as error:
            # A disk that is smaller than the bound, or has become it: then the bound is what it holds.
            is_too_long = isinstance(error, OSError) and error.errno == errno.EFBIG  # more room is no help then
            if is_too_long or not is_full(error) or not self._make_room(len(found.answer.body) + SPARE_BYTES):
                raise
            self._put(key, found)
        self._written += 1
        if self._written % SWEEP_EVERY == 0:
            self.sweep(now)
        self._read_figures()

    def forget(self) -> Holdings:
        """Forget everything at once, and say what that was; `remove_forgotten` removes the files."""
        with self._index.writing():
            before = self._index.holdings()
            self._index.begin_era()
        self._used.clear()
        self._read_figures()
        return before

    def remove_forgotten(self) -> bool:
        """Remove some of the files that are forgotten; whether there may be more."""
        with self._index.writing():
            names = self._index.forgotten(REMOVED_AT_ONCE)
            self._discard(names)
        return bool(names)

    def sweep(self, now: float) -> None:
        """Make the folder and the index agree: what is in one of them only goes, and what is too old."""
        with self._index.writing():
            answers = self._index.sizes(now - self._ttl_seconds)
            files = self._folder.files()
            # A file that is longer or shorter than it was written is damaged.
            wrong = {name for name, size in files.items() if answers.get(name) != size}
            missing = {name for name in self._index.names() if name not in files}
            self._discard(wrong | missing)
            self._discard(self._index.oldest(self._room()))  # CACHE_MAX_MB may have been more the last time
        self._read_figures()

    def _room(self) -> int:
        return self._most_bytes - self._folder.measure_index() - SPARE_BYTES

    def _put(self, key: str, found: Found) -> None:
        name = self._folder.new_name()
        pieces = pack_entry(name, key, found)
        size = sum(map(len, pieces))
        try:
            # The whole of it in one transaction: what lies in the folder while nobody writes and is not in the index is
            # left over from a crash, and nobody has to guess by its age.
            with self._index.writing():
                self._tell_uses()
                self._discard(self._index.names_of([key]))
                room = self._room()
                if size <= room:
                    self._discard(self._index.oldest(room - size))
                    self._folder.write(name, pieces)
                    self._index.add(key, Row(name, size, found.stored))
        except BaseException:
            with suppress(OSError):
                self._folder.remove(name)
            raise

    def _make_room(self, size: int) -> bool:
        """Remove what was used longest ago, so much of it; whether there was so much at all."""
        total = self._index.total()
        if total < size:
            return False
        with self._index.writing():
            self._discard(self._index.oldest(total - size))
        return True

    def _remove(self, names: Iterable[str]) -> int:
        with self._index.writing():
            removed = self._discard(names)
        self._read_figures()
        return removed

    def _discard(self, names: Iterable[str]) -> int:
        """Remove files and what the index says of them; how many it knew."""
        known = 0
        for name in names:
            self._folder.remove(name)
            self._used.pop(name, None)
            known += self._index.remove(name)
        return known

    def _tell_uses(self) -> None:
        self._index.use(self._used)
        self._used.clear()

    def _read_figures(self) -> None:
        self._changes = self._index.changes()
        self.era = self._index.era
        self.holdings = self._index.holdings()


def remove_all_of(folder: Folder, index: Index) -> tuple[int, int]:
    """Remove all files, in the index or not; how many, and their bytes. Raises OSError, sqlite3.Error."""
    with index.writing():  # nobody is in the middle of one, so whatever is there now is of an earlier era
        files = folder.files()
        index.begin_era()
    names = list(files)
    for at in range(0, len(names), REMOVED_AT_ONCE):
        with index.writing():
            for name in names[at : at + REMOVED_AT_ONCE]:
                folder.remove(name)
                index.remove(name)
    return len(files), sum(files.values())


def is_full(error: Exception) -> bool:
    """Whether only room is missing: all that is there can still be read."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return isinstance(error, sqlite3.OperationalError) and "full" in str(error)
