"""Folder: a place on disk that is nobody else's; no link in it is followed, and only files of ours are touched."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

INDEX = "pico-index.sqlite"
_INDEX_FILES = (INDEX, f"{INDEX}-journal", f"{INDEX}-wal", f"{INDEX}-shm")  # SQLite's own names
_NAME = re.compile(r"pico-[0-9a-f]{32}\.(answer|part)")
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Folder:
    """The folder at `path`, which is made where there is none, unless `make` is false.

    Raises OSError, with a sentence in plain words where somebody else could have a hand in it: by default it is in
    /tmp, where everybody may have made it before us.
    """

    def __init__(self, path: str, *, make: bool = True) -> None:
        # Without a slash at its end, with which a link would be followed.
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow it too
        if make:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self.path.mkdir(0o700)
        if self.path.is_symlink():
            raise PermissionError(errno.ELOOP, "it is a symbolic link")
        self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._refuse_anothers()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of it; twice is once."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @property
    def is_in_place(self) -> bool:
        """Whether the path still leads here: somebody may have cleaned up, or taken the disk away."""
        try:
            there, here = os.lstat(self.path), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def new_name(self) -> str:
        """A name for an answer that no file has had before."""
        return f"pico-{secrets.token_hex(16)}.answer"

    def files(self) -> dict[str, int]:
        """The answers that lie here, begun ones too, and their sizes in bytes."""
        with os.scandir(self._fd) as found:
            return {
                entry.name: entry.stat(follow_symlinks=False).st_size
                for entry in found
                if _NAME.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False)
            }

    def read(self, name: str, size: int) -> bytes | None:
        """The whole file; None where there is none, or where it is something else than a file of that size."""
        if not _NAME.fullmatch(name):
            return None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a named pipe must not make us wait
        try:
            fd = os.open(name, flags, dir_fd=self._fd)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                return None
            raise
        with os.fdopen(fd, "rb", buffering=0) as file:
            status = os.fstat(fd)
            return file.readall() if stat.S_ISREG(status.st_mode) and status.st_size == size else None

    def write(self, name: str, pieces: Sequence[bytes]) -> None:
        """Write a file that has its name only when it is whole. Raises OSError, and leaves nothing then.

        Nothing is synced to the disk. After a power cut the file may be empty or full of zeros under its name: then its
        checksum is wrong, and it is a miss. To sync would cost an SD card's slow second, and its life, for each answer.
        """
        part = name.replace(".answer", ".part")
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._fd)
        try:
            with os.fdopen(fd, "wb", buffering=0) as file:
                for piece in pieces:
                    left = memoryview(piece)
                    while left:  # of a nearly full disk only a part may be taken
                        left = left[file.write(left) :]
            os.replace(part, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except BaseException:
            with suppress(OSError):
                self.remove(part)
            raise

    def remove(self, name: str) -> None:
        """Remove an answer, begun or whole; one that has gone already is as good."""
        if _NAME.fullmatch(name):
            self._unlink(name)

    def remove_everything(self) -> None:
        """Remove all that is ours, the index first: without it nothing else is an answer."""
        self.remove_index()
        for name in self.files():
            self.remove(name)

    @property
    def index_path(self) -> Path:
        """Where SQLite finds the index, and keeps its own files beside it."""
        return self.path / INDEX

    def make_index(self) -> None:
        """Have a file for the index that only we can read: SQLite would make one for all to read.

        One that is there is not opened: to close it would take the locks of this process away from SQLite.
        """
        with suppress(FileExistsError):
            os.close(os.open(INDEX, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=self._fd))
        self.identify_index()

    def identify_index(self) -> tuple[int, int]:
        """What tells it from one that is made in its place. Raises OSError where it is no file, or missing."""
        status = os.stat(INDEX, dir_fd=self._fd, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "the index is no file")
        return status.st_dev, status.st_ino

    def measure_index(self) -> int:
        """Bytes of the index and of SQLite's files beside it."""
        total = 0
        for name in _INDEX_FILES:
            with suppress(FileNotFoundError):
                total += os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_size
        return total

    def remove_index(self) -> None:
        """Remove the index and SQLite's files beside it."""
        for name in _INDEX_FILES:
            self._unlink(name)

    def _unlink(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def _refuse_anothers(self) -> None:
        status = os.fstat(self._fd)
        if status.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it belongs to another user")
        if status.st_mode & _OTHERS_MAY_WRITE:
            raise PermissionError(errno.EPERM, "others than its owner may write there")
