"""Controls: A1111's routes that steer the server rather than draw, by the last segment of their path.

SD.Next's are among them.
"""

from __future__ import annotations

import re

READS = frozenset({"GET", "HEAD", "OPTIONS"})  # methods that change nothing
ENDS_THE_DRAWING = frozenset({"interrupt", "skip", "stop-generating"})
ENDS_THE_SERVER = frozenset({"server-kill", "server-restart", "server-stop", "restart", "shutdown"})

# Another checkpoint, other options: the same words give other pictures then.
_CHANGES_THE_PICTURES = re.compile(r"options|checkpoint|(refresh|reload|unload|load|lock|unlock|set|switch|merge)-.*")


def changes_the_pictures(segment: str) -> bool:
    """Whether the same words may give other pictures after it."""
    return bool(_CHANGES_THE_PICTURES.fullmatch(segment)) or segment in ENDS_THE_SERVER


def is_for_all(segment: str) -> bool:
    """Whether every upstream has to hear it, so that they stay alike."""
    return segment in ENDS_THE_DRAWING or changes_the_pictures(segment)
