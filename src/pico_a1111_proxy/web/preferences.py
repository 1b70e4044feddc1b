"""Preferences: what a client's Prefer and Cache-Control headers ask for."""

from __future__ import annotations

import math
import re

from starlette.datastructures import Headers, MutableHeaders

from pico_a1111_proxy.jobs import Caching, Priority

APPLIED = "Preference-Applied"
PRIORITIES: dict[str, Priority] = {"interactive": "interactive", "background": "background"}

# A preference, and all that stands between the quotes of one: RFC 7240 gives it parameters after semicolons.
_PREFERENCE = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')
_PARAMETER = re.compile(r'(?:[^";]|"(?:[^"\\]|\\.)*"?)+')
_WAIT = re.compile(r"wait=\"?(\d{1,9})\"?")


def wants_to_come_back(headers: Headers) -> bool:
    """Whether it would rather come back for its picture than wait for it (RFC 7240, respond-async)."""
    return "respond-async" in _words(headers, "prefer")


def patience_of(headers: Headers) -> float:
    """For how many seconds it is willing to wait (RFC 7240, wait); as long as it takes where it says nothing."""
    waits = [_WAIT.fullmatch(word) for word in _words(headers, "prefer")]
    return min((float(wait[1]) for wait in waits if wait), default=math.inf)


def priority_of(headers: Headers) -> Priority | None:
    """How urgent it says that it is: `respond-async; priority=background`, or `priority=background` by itself.

    What stands at respond-async goes first. None where it says nothing that is known.
    """
    if "prefer" not in headers:
        return None
    said: dict[str, str] = {}  # the first of each name counts, RFC 7240, 2
    for preference in _PREFERENCE.findall(",".join(headers.getlist("prefer"))):
        (name, value), *parameters = [_name_and_value(part) for part in _PARAMETER.findall(preference)] or [("", "")]
        if name == "respond-async" and name not in said:
            said |= {f"{name}; {parameter}": given for parameter, given in reversed(parameters)}
        said.setdefault(name, value)
    return PRIORITIES.get(said.get("respond-async; priority", "")) or PRIORITIES.get(said.get("priority", ""))


def tell_applied(headers: MutableHeaders, preference: str) -> None:
    """Say in `headers` that `preference` was heeded, beside others."""
    headers[APPLIED] = ", ".join(filter(None, [headers.get(APPLIED), preference]))


def caching_of(headers: Headers) -> Caching:
    """What may be done with pictures that were drawn before (RFC 9111, 5.2.1 and 5.4)."""
    words = _words(headers, "cache-control")
    if "no-store" in words:
        return "avoid"
    if "no-cache" in words or "max-age=0" in words or (not words and "no-cache" in _words(headers, "pragma")):
        return "renew"
    return "use"


def _name_and_value(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip().strip('"').lower()


def _words(headers: Headers, name: str) -> list[str]:
    """The comma-separated words of all headers of that name, in lower case, each without what follows a semicolon."""
    return [
        word.partition(";")[0].strip().lower() for word in ",".join(headers.getlist(name)).split(",") if word.strip()
    ]
