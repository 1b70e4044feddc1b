"""Flash: the files of a board, in memory; a file that was opened for writing is there once it is closed."""

from __future__ import annotations

import errno
import io
import posixpath
from collections.abc import Iterator
from types import ModuleType
from typing import Any

FOLDER, FILE = 0x4000, 0x8000  # of `stat` and `ilistdir`


class Flash:
    """Paths to contents, without a slash at the front; what else was in `files` stays over a reboot.

    Where the power goes while a file is open for writing, the old file stays, as with littlefs.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.folders: set[str] = {""}

    def put(self, path: str, text: str) -> None:
        """Write a file, and the folders that it needs."""
        path = _plain(path)
        self.files[path] = text.encode()
        while path := posixpath.dirname(path):
            self.folders.add(path)

    def text(self, path: str) -> str | None:
        """A file as text; None where there is none."""
        data = self.files.get(_plain(path))
        return None if data is None else data.decode()

    def is_folder(self, path: str) -> bool:
        """Whether it is one."""
        return _plain(path) in self.folders

    def open(self, path: str, mode: str = "r", **_: Any) -> io.IOBase:
        """As MicroPython's `open`. Raises OSError with an errno alone."""
        path = _plain(path)
        if path in self.folders:
            raise _error(errno.EISDIR)
        if mode[0] == "r" and path not in self.files:
            raise _error(errno.ENOENT)
        if mode[0] == "x" and path in self.files:
            raise _error(errno.EEXIST)
        if posixpath.dirname(path) not in self.folders:
            raise _error(errno.ENOENT)
        before = b"" if mode[0] in "wx" else self.files.get(path, b"")
        opened = io.BytesIO(before) if mode[0] == "r" and "+" not in mode else _Written(self, path, before)
        if mode[0] == "a":
            opened.seek(0, io.SEEK_END)
        return opened if "b" in mode else io.TextIOWrapper(opened, encoding="utf-8", newline="")

    def module(self) -> ModuleType:
        """The module os over these files."""
        os = ModuleType("os")
        for name in ("rename", "remove", "stat", "listdir", "ilistdir", "mkdir", "rmdir", "statvfs"):
            setattr(os, name, getattr(self, f"_{name}"))
        os.unlink = self._remove  # type: ignore[attr-defined]
        os.getcwd = lambda: "/"  # type: ignore[attr-defined]
        os.sync = lambda: None  # type: ignore[attr-defined]
        os.sep = "/"  # type: ignore[attr-defined]
        return os

    def _known(self, path: str) -> str:
        path = _plain(path)
        if path not in self.files and path not in self.folders:
            raise _error(errno.ENOENT)
        return path

    def _rename(self, old: str, new: str) -> None:
        old, new = self._known(old), _plain(new)
        if old in self.folders:
            raise _error(errno.EPERM)  # not done here
        if new in self.folders:
            raise _error(errno.EISDIR)
        self.files[new] = self.files.pop(old)

    def _remove(self, path: str) -> None:
        path = self._known(path)
        if path in self.folders:
            raise _error(errno.EISDIR)
        del self.files[path]

    def _stat(self, path: str) -> tuple[int, ...]:
        path = self._known(path)
        kind, size = (FOLDER, 0) if path in self.folders else (FILE, len(self.files[path]))
        return (kind, 0, 0, 0, 0, 0, size, 0, 0, 0)

    def _inside(self, path: str) -> list[str]:
        path = self._known(path)
        return sorted(name for name in (*self.files, *self.folders) if name and posixpath.dirname(name) == path)

    def _listdir(self, path: str = "") -> list[str]:
        return [posixpath.basename(name) for name in self._inside(path)]

    def _ilistdir(self, path: str = "") -> Iterator[tuple[str, int, int, int]]:
        for name in self._inside(path):
            told = self._stat(name)
            yield posixpath.basename(name), told[0], 0, told[6]

    def _mkdir(self, path: str) -> None:
        path = _plain(path)
        if path in self.files or path in self.folders:
            raise _error(errno.EEXIST)
        self._known(posixpath.dirname(path))
        self.folders.add(path)

    def _rmdir(self, path: str) -> None:
        if self._inside(path):
            raise _error(errno.ENOTEMPTY)
        self.folders.discard(_plain(path))

    def _statvfs(self, _: str) -> tuple[int, ...]:
        """That of a Pico W: 212 blocks of 4096 bytes."""
        free = 212 - sum(-(-len(data) // 4096) for data in self.files.values())
        return (4096, 4096, 212, free, free, 0, 0, 0, 0, 255)


class _Written(io.BytesIO):
    """Goes to the flash when it is flushed or closed, which closing the text around it does as well."""

    def __init__(self, flash: Flash, path: str, before: bytes) -> None:
        super().__init__(before)
        self._flash, self._path = flash, path

    def close(self) -> None:
        if not self.closed:
            self._flash.files[self._path] = self.getvalue()
        super().close()


def _error(number: int) -> OSError:
    """An OSError with a number alone, which is told as MicroPython does."""
    error = OSError(number)
    error.errno, error.strerror = number, errno.errorcode[number]
    return error


def _plain(path: str) -> str:
    """Without a slash at either end; "." is the top."""
    path = posixpath.normpath(f"/{path}")
    return path.strip("/")
