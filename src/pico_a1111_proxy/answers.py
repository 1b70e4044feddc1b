"""Answer: what an upstream said over HTTP, as it came; and which headers travel from end to end."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

Headers = tuple[tuple[str, str], ...]

# RFC 9110, 7.6.1, and its forerunners: they belong to one connection.
_OF_THE_CONNECTION = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


@dataclass(frozen=True)
class Answer:
    """An upstream's status, headers (without the hop-by-hop ones; duplicates kept) and body."""

    status: int
    headers: Headers
    body: bytes


def end_to_end(headers: Iterable[tuple[str, str]]) -> Headers:
    """`headers` without the hop-by-hop ones and without those that `Connection` names; duplicates stay, in order."""
    headers = tuple(headers)
    named = {
        word.strip().lower() for name, value in headers if name.lower() == "connection" for word in value.split(",")
    }
    return without(headers, _OF_THE_CONNECTION | named)


def without(headers: Iterable[tuple[str, str]], names: Collection[str]) -> Headers:
    """`headers` without those of these lower-case names; duplicates stay, in order."""
    return tuple((name, value) for name, value in headers if name.lower() not in names)
