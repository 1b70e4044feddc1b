"""Screen: the panel's picture drawn in the terminal, and the terminal's keys as its buttons."""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TextIO

from PIL import Image

from pico_a1111_proxy.simulator.terminal import draw

_SAID = 3  # lines of what the program printed last
_HELD = 0.3  # seconds for which a key is down: a terminal tells only that it was pressed
_CLEAR, _HOME, _TO_THE_END, _REST = "\x1b[2J", "\x1b[H", "\x1b[J", "\x1b[K"
_KEYS = {"\x1b[A": "UP", "\x1b[B": "DOWN", "\x1b[C": "RIGHT", "\x1b[D": "LEFT", "\r": "PRESS", "\n": "PRESS"}


class Screen:
    """Draws images over each other, as large as there is room for, and the last lines that were said below."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._said: deque[str] = deque(maxlen=_SAID)
        self._begun = False
        self.has_news = False  # lines that are not to be seen yet

    def say(self, line: str) -> None:
        """A line for the next image."""
        self._said.append("".join(letter if letter.isprintable() else "?" for letter in line))
        self.has_news = True

    def show(self, image: Image.Image) -> None:
        """Draw it in place of the last."""
        self.has_news = False
        size = shutil.get_terminal_size()
        rows = max(1, size.lines - _SAID - 1)
        columns = max(1, min(size.columns, 2 * rows * image.width // image.height))
        said = tuple(self._said)  # the board's thread says more meanwhile
        below = "".join(f"\n{line[: size.columns - 1]}{_REST}" for line in said)
        start = _HOME if self._begun else _CLEAR + _HOME
        self._out.write(f"{start}{draw(image, columns)}{below}{_TO_THE_END}\n")
        self._out.flush()
        self._begun = True


class Keyboard:
    """The keys of the terminal as buttons: a, b, x, y, the arrows and Enter, where `buttons` has them.

    `press` is called with a pin and with True, and a little later with False. Does nothing where standard input is no
    terminal. Used in `with`: outside of it the terminal is as it was.
    """

    def __init__(self, buttons: Mapping[str, int], press: Callable[[int, bool], Any]) -> None:
        self._buttons, self._press = buttons, press
        self._down: dict[int, float] = {}  # pin: when it is let go
        self._before: list[Any] | None = None

    def __enter__(self) -> Keyboard:
        if sys.stdin is not None and sys.stdin.isatty():
            import termios  # noqa: PLC0415 - only here is there a terminal for sure
            import tty  # noqa: PLC0415

            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._before is not None:
            import termios  # noqa: PLC0415

            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def wait(self, seconds: float) -> None:
        """Wait so long for a key, and press and let go what is due."""
        if self._before is None:
            time.sleep(seconds)
            return
        if select.select([sys.stdin], [], [], seconds)[0]:
            self._read(os.read(sys.stdin.fileno(), 64).decode("utf-8", "replace"))
        for pin in [pin for pin, until in self._down.items() if time.monotonic() >= until]:
            del self._down[pin]
            self._press(pin, False)

    def _read(self, typed: str) -> None:
        while typed:
            key = typed[:3] if typed[:3] in _KEYS else typed[0]
            typed = typed[len(key) :]
            pin = self._buttons.get(_KEYS.get(key, key.upper()))
            if pin is not None:
                self._down[pin] = time.monotonic() + _HELD
                self._press(pin, True)
