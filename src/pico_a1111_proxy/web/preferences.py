"""Preferences: what a client's Prefer and Cache-Control headers ask for."""

from __future__ import annotations

import math
import re

from starlette.datastructures import Headers

from pico_a1111_proxy.jobs import Caching

_WAIT = re.compile(r"wait=\"?(\d{1,9})\"?")


def wants_to_come_back(headers: Headers) -> bool:
    """Whether it would rather come back for its picture than wait for it (RFC 7240, respond-async)."""
    return "respond-async" in _words(headers, "prefer")


def patience_of(headers: Headers) -> float:
    """For how many seconds it is willing to wait (RFC 7240, wait); as long as it takes where it says nothing."""
    waits = [_WAIT.fullmatch(word) for word in _words(headers, "prefer")]
    return min((float(wait[1]) for wait in waits if wait), default=math.inf)


def caching_of(headers: Headers) -> Caching:
    """What may be done with pictures that were drawn before (RFC 9111, 5.2.1 and 5.4)."""
    words = _words(headers, "cache-control")
    if "no-store" in words:
        return "avoid"
    if "no-cache" in words or "max-age=0" in words or (not words and "no-cache" in _words(headers, "pragma")):
        return "renew"
    return "use"


def _words(headers: Headers, name: str) -> list[str]:
    """The comma-separated words of all headers of that name, in lower case, each without what follows a semicolon."""
    return [
        word.partition(";")[0].strip().lower() for word in ",".join(headers.getlist(name)).split(",") if word.strip()
    ]
