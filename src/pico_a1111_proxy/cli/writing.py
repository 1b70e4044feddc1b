"""Writing: a file is whole or not there, and a pipe that nobody reads any more is no fault."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path

PIPE = "-"


def write(target: str, data: bytes) -> None:
    """Write all of `data` to a file, to a device, or for PIPE to standard output.

    Raises OSError. Where the reader of standard output has gone, the program ends with
    status 1 and without a word, as `head` expects it.
    """
    try:
        if target == PIPE:
            _write_out(data)
        elif Path(target).exists() and not Path(target).is_file():
            Path(target).write_bytes(data)  # a display's own device, a named pipe: to be written to, not replaced
        else:
            _replace(Path(os.path.realpath(target)), data)
    except BrokenPipeError:
        sys.exit(1)


def _write_out(data: bytes) -> None:
    if sys.stdout is None:  # the shell's >&-
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        left = memoryview(data)
        while left:  # with PYTHONUNBUFFERED a write may take a part only
            left = left[sys.stdout.buffer.write(left) :]
        sys.stdout.buffer.flush()
    except OSError:
        # Python would try once more at its end, and complain of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _replace(file: Path, data: bytes) -> None:
    """Write beside it and rename, so that a full disk or Ctrl-C leaves no half of a file, and keeps the old one."""
    there = file.exists()
    if there and not os.access(file, os.W_OK):
        file.open("ab").close()  # raises what is wrong: a rename would not mind
    part = file.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as opened:
            opened.write(data)
        if there:
            shutil.copymode(file, part)
        part.replace(file)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
