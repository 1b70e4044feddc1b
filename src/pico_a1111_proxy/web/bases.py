"""Base URLs: `/original` and `/displays/NAME` before A1111's own paths, for clients that can set nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

ORIGINAL = "/original"
# As a prefix of a router, whose routes find the name in the path's parameters.
_BASE_DISPLAY = "base_display"
OF_A_DISPLAY = f"/displays/{{{_BASE_DISPLAY}}}"

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
        raise HTTPException(404, f"No display has this name; there are {', '.join(displays)}")
