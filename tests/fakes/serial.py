"""A board on a serial line, for mpremote: real MicroPython (WebAssembly, in node) behind a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clients.node import FOLDER

PATIENCE = 120  # seconds; reached only by what hangs


class SerialBoard:
    """The board at `port`; what is on it stays there from one command to the next."""

    def __init__(self, port: str) -> None:
        self.port = port

    def mpremote(self, *words: str, folder: Path | None = None) -> str:
        """Run mpremote with these words in `folder`, and give what it said. Fails if it fails."""
        # "resume": this board can't be reset, which mpremote else does first.
        command = [sys.executable, "-m", "mpremote", "connect", self.port, "resume", *words]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=PATIENCE, cwd=folder, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, program: str) -> str:
        """What `program` prints on the board. Fails if it raises."""
        return self.mpremote("exec", program)

    def files(self, folder: str = "") -> set[str]:
        """The paths of all files below `folder`, without those of the build itself."""
        walk = (
            "import os\n"
            "def walk(path):\n"
            "    for name, kind, *_ in os.ilistdir(path or '/'):\n"
            "        here = path + '/' + name\n"
            "        if here not in ('/dev', '/proc', '/tmp', '/home'):\n"
            "            walk(here) if kind == 0x4000 else print(here)\n"
            f"walk({folder!r})\n"
        )
        return set(self.run(walk).split())


@contextmanager
def open_serial_board(node: str) -> Iterator[SerialBoard]:
    """A new board with nothing on it, run by the program `node`."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)  # which stays open, lest the line go dead between two commands
    command = [node, str(FOLDER / "board.mjs")]
    with subprocess.Popen(command, stdin=ours, stdout=ours, stderr=subprocess.PIPE) as board:
        try:
            assert board.stderr
            assert board.stderr.readline() == b"ready\n"
            yield SerialBoard(os.ttyname(theirs))
        finally:
            board.kill()
            os.close(ours)
            os.close(theirs)
