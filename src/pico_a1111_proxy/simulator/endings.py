"""Endings: how a board ends a program that did not end by itself."""

from __future__ import annotations


class Ended(BaseException):
    """The board ended the program: no `except Exception` of it comes between."""


class PowerCut(Ended):
    """The power was cut."""


class BoardReset(Ended):
    """The program called machine.reset()."""


class WatchdogReset(BoardReset):
    """The watchdog was not fed in time."""


class Hangs(Ended):
    """The program waits for what never comes, without a time limit and without a watchdog."""
