"""Hiding: what an upstream's headers tell of where it is, taken out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pico_a1111_proxy.answers import Headers

# They name a page of the upstream's, a server on the way, or another way to it.
_TELL_ALWAYS = frozenset(
    {"content-location", "refresh", "via", "alt-svc", "x-served-by", "x-forwarded-host", "x-forwarded-server"}
)
_DOMAIN = re.compile(r";\s*domain=[^;]*", re.IGNORECASE)
_MOST_CODINGS = 3  # times that an address may be behind percent signs


def without_address(headers: Headers, base_url: str) -> Headers:
    """`headers` of an upstream at `base_url` with nothing in them that names its host.

    A Location loses host and sub-path; one that leads elsewhere, and any other header that names the host, is left
    out. A host of one word, such as `nas`, is only known by what stands around it: `//nas`, `nas:7860`.
    """
    base = urlsplit(base_url)
    return tuple(_kept(headers, base, _pattern(base)))


def _kept(headers: Headers, base: SplitResult, host: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        low = name.lower()
        if low == "location":
            location = _lead_back(value, base)
            if location is not None and not _finds(host, location):
                yield name, location
        elif low == "set-cookie":
            yield name, _DOMAIN.sub("", value)
        elif low not in _TELL_ALWAYS and not _finds(host, value):
            yield name, value


def _lead_back(value: str, base: SplitResult) -> str | None:
    """A Location without host and sub-path; None where it leads elsewhere."""
    if "\\" in value:  # which browsers read as a slash
        return None
    try:
        location = urlsplit(value)
        elsewhere = location.netloc and location.hostname != base.hostname
    except ValueError:
        return None
    if elsewhere or (location.scheme and not location.netloc):
        return None
    path = location.path or ("/" if location.netloc else "")
    if path.startswith("/"):
        if not f"{path}/".startswith(f"{base.path}/"):
            return None
        path = path[len(base.path) :] or "/"
    led = urlunsplit(("", "", path, location.query, location.fragment))
    # A browser would take what comes after two slashes for a host.
    return None if led.startswith("//") else led


def _pattern(base: SplitResult) -> re.Pattern[str]:
    host = re.escape(base.hostname or "")
    if "." in host or ":" in host:
        return re.compile(rf"(?<![\w.-]){host}(?![\w-]|\.\w)", re.IGNORECASE)
    return re.compile(rf"//{host}(?![\w.-])|(?<![\w.-]){host}:\d", re.IGNORECASE)


def _finds(host: re.Pattern[str], value: str) -> bool:
    for _ in range(_MOST_CODINGS):
        if host.search(value):
            return True
        value = unquote(value)
    return False
