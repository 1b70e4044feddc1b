"""Base URLs: `/original` and `/displays/NAME` before A1111's own paths, for clients that can set nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.types import Scope

ORIGINAL = "/original"
# As a prefix of a router; `split_base` reads the name out of the path as it was written.
OF_A_DISPLAY = "/displays/{base_display}"

_OF_A_DISPLAY = re.compile(r"(/displays/([^/]+))(/.*)", re.DOTALL)


def split_base(scope: Scope) -> tuple[str, str]:
    """The base URL's path, empty where there is none, and A1111's own path after it; both as the client wrote them."""
    path: str = scope["raw_path"].decode("latin-1")
    if path == ORIGINAL or path.startswith(f"{ORIGINAL}/"):
        return ORIGINAL, path[len(ORIGINAL) :] or "/"
    found = _OF_A_DISPLAY.fullmatch(path)
    return (found[1], found[3]) if found else ("", path)


def display_of(base: str, displays: Mapping[str, Any]) -> str | None:
    """The display that `base` names, None where it names none. Raises HTTPException (404) for an unknown one."""
    if not base.startswith("/displays/"):
        return None
    name = unquote(base.removeprefix("/displays/"))
    if name not in displays:
        raise HTTPException(404, f"No display has this name; there are {', '.join(displays)}")
    return name
