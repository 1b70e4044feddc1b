"""Base URLs: `/original` and `/displays/NAME` before A1111's own paths, for clients that can set nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Path
from starlette.exceptions import HTTPException
from starlette.requests import Request

from pico_a1111_proxy.displays import Display, near_names
from pico_a1111_proxy.fields import show

ORIGINAL = "/original"
# As a prefix of a router, whose routes find the name in the path's parameters.
_BASE_DISPLAY = "name"
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


async def named_display(request: Request, name: Annotated[str, Path(description="a display by name")]) -> Display:
    """The display that a route's own path names. Raises HTTPException (404).

    A dependency, so that /openapi.json has the name; async, since FastAPI would send any other to a thread.
    """
    displays: Mapping[str, Display] = request.state.service.displays
    check_display(name, displays)
    return displays[name]


NamedDisplay = Annotated[Display, Depends(named_display)]


def check_display(name: str | None, displays: Mapping[str, Any]) -> None:
    """Raise HTTPException (404) where a base URL names a display that is not among `displays`."""
    if name is not None and name not in displays:
        raise HTTPException(404, f"No display is called {show(name)}: {where_they_are(name, displays)}")


def where_they_are(name: str, displays: Mapping[str, Any]) -> str:
    """Words for who asked for a display that there isn't: those that `name` may have meant, and where all are."""
    near = near_names(name, displays)
    meant = f"{', '.join(near)} may be meant, " if near else ""
    return f"{meant}GET /displays lists all"
