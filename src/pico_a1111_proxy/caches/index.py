"""Index: which file holds the answer to which key, how large it is and when it was used, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pico_a1111_proxy.caches.entries import VERSION
from pico_a1111_proxy.caches.folder import Folder

BUSY_SECONDS = 1.0  # another service, or the command line, may be writing
_APPLICATION = 0x7069636F  # "pico"
_SCHEMA = (
    # `era` counts how often all was forgotten: what is of an earlier one is no answer and only waits to be removed.
    "CREATE TABLE eras (era INTEGER NOT NULL)",
    "INSERT INTO eras VALUES (0)",
    """CREATE TABLE entries (name TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
    stored REAL NOT NULL, used INTEGER NOT NULL, era INTEGER NOT NULL)""",
    "CREATE INDEX by_use ON entries (era, used)",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)


class Row(NamedTuple):
    """An answer's file, its bytes and when it was stored."""

    name: str
    size: int
    stored: float


class Holdings(NamedTuple):
    """How many answers there are, their bytes, and when the oldest was stored."""

    entries: int = 0
    bytes: int = 0
    oldest: float | None = None


class Index:
    """The index of `folder`; for one thread. A good one is made where there is none, unless `make` is false.

    Raises sqlite3.Error or OSError where there is one that is damaged, locked, or not ours.
    """

    def __init__(self, folder: Folder, *, make: bool = True) -> None:
        if make:
            folder.make_index()
        self._folder = folder
        self._identity = folder.identify_index()
        self._db = sqlite3.connect(folder.index_path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            self._set_up(make)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Let go of it."""
        self._db.close()

    @property
    def is_in_place(self) -> bool:
        """Whether it is still the one in its folder: another service may have found it damaged and made a new one."""
        try:
            return self._identity == self._folder.identify_index()
        except OSError:
            return False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody else writes to the index or the folder inside of the block. Raises sqlite3.Error.

        An OSError on the way undoes nothing: the files that were removed before it are gone.
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except OSError:
            self._commit()
            raise
        except BaseException:
            self._roll_back()
            raise
        self._commit()

    @property
    def era(self) -> int:
        """How often everything was forgotten."""
        return self._number("SELECT era FROM eras")

    def begin_era(self) -> None:
        """Forget everything, however much it is, at once."""
        self._db.execute("UPDATE eras SET era = era + 1")

    def find(self, key: str) -> Row | None:
        """Where the answer to `key` is."""
        query = "SELECT name, size, stored FROM entries WHERE key = ? AND era = (SELECT era FROM eras)"
        row = self._db.execute(query, (key,)).fetchone()
        return Row(*row) if row else None

    def add(self, key: str, row: Row) -> None:
        """Put in an answer, as the one that was used last."""
        values = (row.name, key, row.size, row.stored)
        self._db.execute(_ADD, values)

    def remove(self, name: str) -> bool:
        """Take out a file; whether it was in."""
        return self._db.execute("DELETE FROM entries WHERE name = ?", (name,)).rowcount > 0

    def use(self, names: Iterable[str]) -> None:
        """These were used, in this order."""
        self._db.executemany(_USE, ((name,) for name in names))

    def names_of(self, keys: Iterable[str]) -> list[str]:
        """The files of `keys`, forgotten ones too."""
        rows = (self._db.execute("SELECT name FROM entries WHERE key = ?", (key,)).fetchone() for key in keys)
        return [row[0] for row in rows if row]

    def oldest(self, most_bytes: int) -> list[str]:
        """What has to go so that at most `most_bytes` stay: forgotten files, then those used longest ago."""
        excess = self.total() - most_bytes
        names = []
        rows = self._db.execute("SELECT name, size FROM entries ORDER BY era, used")
        while excess > 0 and (row := rows.fetchone()):
            names.append(row[0])
            excess -= row[1]
        rows.close()
        return names

    def total(self) -> int:
        """Bytes of all files, forgotten ones too."""
        return self._number("SELECT COALESCE(SUM(size), 0) FROM entries")

    def forgotten(self, limit: int) -> list[str]:
        """Some files of earlier eras."""
        query = "SELECT name FROM entries WHERE era < (SELECT era FROM eras) LIMIT ?"
        return [row[0] for row in self._db.execute(query, (limit,))]

    def sizes(self, stored_after: float) -> dict[str, int]:
        """All files that are answers, by name, but for those stored before."""
        query = "SELECT name, size FROM entries WHERE era = (SELECT era FROM eras) AND stored > ?"
        return dict(self._db.execute(query, (stored_after,)).fetchall())

    def names(self) -> list[str]:
        """All files it knows, forgotten ones too."""
        return [row[0] for row in self._db.execute("SELECT name FROM entries")]

    def holdings(self) -> Holdings:
        """What of it is answers."""
        query = "SELECT COUNT(*), COALESCE(SUM(size), 0), MIN(stored) FROM entries WHERE era = (SELECT era FROM eras)"
        return Holdings(*self._db.execute(query).fetchone())

    def changes(self) -> int:
        """Another number whenever somebody else has changed it."""
        return self._number("PRAGMA data_version")

    def _number(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])

    def _commit(self) -> None:
        try:
            self._db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # SQLite may have done it
            self._db.execute("ROLLBACK")

    def _set_up(self, make: bool) -> None:
        if make:
            # As with the answers, nothing is synced. A power cut may damage the index, which the check below finds.
            self._db.execute("PRAGMA synchronous = OFF")
            with self.writing():  # also so that a disk that can't be written is found out here
                if self._ids() == (0, 0) and not self._number("SELECT COUNT(*) FROM sqlite_master"):
                    for statement in _SCHEMA:
                        self._db.execute(statement)
        if self._ids() != (_APPLICATION, VERSION):
            raise sqlite3.DatabaseError("it is another program's, or another version's")
        if make:
            # No write-ahead log: its shared memory kills the process when somebody truncates the file under it.
            self._db.execute("PRAGMA journal_mode = TRUNCATE")
        if self._db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("it is damaged")
        self.holdings()

    def _ids(self) -> tuple[int, int]:
        return self._number("PRAGMA application_id"), self._number("PRAGMA user_version")


# A count, no time: clocks are set back.
_NEXT_USE = "(SELECT COALESCE(MAX(used), 0) + 1 FROM entries WHERE era = (SELECT era FROM eras))"
_ADD = f"INSERT INTO entries VALUES (?, ?, ?, ?, {_NEXT_USE}, (SELECT era FROM eras))"  # noqa: S608 - our own words
_USE = f"UPDATE entries SET used = {_NEXT_USE} WHERE name = ?"  # noqa: S608


def open_index(folder: Folder) -> Index:
    """The index of `folder`; one that is damaged, locked or not ours is thrown away. Raises sqlite3.Error, OSError."""
    try:
        return Index(folder)
    except (sqlite3.Error, OSError):
        folder.remove_index()
        return Index(folder)
