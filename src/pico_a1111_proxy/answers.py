"""Answer: what an upstream said over HTTP, as it came; and which headers travel from end to end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
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


async def at_once(body: bytes) -> AsyncIterator[bytes]:
    """A streamed body of which all is there already."""
    yield body


async def gather(body: AsyncIterator[bytes], most: int) -> bytes | None:
    """The whole of a streamed body, None where it has over `most` bytes. Raises what the body raises."""
    pieces, size = [], 0
    async for piece in body:
        pieces.append(piece)
        size += len(piece)
        if size > most:
            return None
    return b"".join(pieces)


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
