"""Base URLs: `/original` and `/displays/NAME` before A1111's own paths, for clients that can set nothing else."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from pico_a1111_proxy.fields import show

ORIGINAL = "/original"
# As a prefix of a router, whose routes find the name in the path's parameters.
_BASE_DISPLAY = "name"
OF_A_DISPLAY = f"/displays/{{{_BASE_DISPLAY}}}"

_MOST_NAMES = 4  # in one sentence
_LONGEST_NAME = 64  # characters that are looked at

_OF_A_DISPLAY = re.compile(r"(/displays/[^/]+)(/.*)", re.DOTALL)


def split_base(path: str) -> tuple[str, str]:
    """The base URL's path, empty where there is none, and A1111's own path after it; both as they are written."""
    if path == ORIGINAL or path.startswith(f"{ORIGINAL}/"):
        return ORIGINAL, path[len(ORIGINAL) :] or "/"
    found = _OF_A_DISPLAY.fullmatch(path)
    return (found[1], found[2]) if found else ("", path)


def display_of(request: Request) -> str | None:
    """The display that a route's base URL names, None where it names none. Raises HTTPException (404)."""
    name: str | None = request.path_params.get(_BASE_DISPLAY)
    check_display(name, request.state.service.displays)
    return name


def check_display(name: str | None, displays: Mapping[str, Any]) -> None:
    """Raise HTTPException (404) where a base URL names a display that is not among `displays`."""
    if name is not None and name not in displays:
        raise HTTPException(404, f"No display is called {show(name)}: {where_they_are(name, displays)}")


def where_they_are(name: str, displays: Mapping[str, Any]) -> str:
    """Words for who asked for a display that there isn't: those that `name` may have meant, and where all are."""
    asked = name[:_LONGEST_NAME].lower()
    near = difflib.get_close_matches(asked, displays, n=_MOST_NAMES)
    near += [known for known in displays if asked and asked in known and known not in near]
    meant = f"{', '.join(near[:_MOST_NAMES])} may be meant, " if near else ""
    return f"{meant}GET /displays lists all"
