"""Bodies: read within the limit, looked at as A1111 does, changed in single values only, written as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from json.decoder import JSONDecoder
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request

from pico_a1111_proxy.errors import BadRequest, BodyTooLarge
from pico_a1111_proxy.jobs import read_json

if TYPE_CHECKING:
    from pico_a1111_proxy.web.uploads import Hold

_BETWEEN = re.compile(r"[ \t\n\r,]*")
_COLON = re.compile(r"[ \t\n\r:]*")
_OFF = frozenset({"false", "off", "no", "n", "f", "0", "none"})


def promised_length(request: Request) -> int:
    """What the request's Content-Length says, in bytes; 0 where it says nothing."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdigit() else 0


def check_length(request: Request, limit: int) -> None:
    """Raise BodyTooLarge for a body that says it is over `limit` bytes; how long a chunked one is, nobody knows yet."""
    if promised_length(request) > limit:
        raise _too_large(limit)


async def pieces(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The request's body as it arrives. Raises BodyTooLarge over `limit` bytes, and ClientDisconnect."""
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        if piece:
            yield piece


async def read_body(request: Request, limit: int) -> bytes:
    """The request's body of at most `limit` bytes, whole. Raises BodyTooLarge and what `hold_whole` raises."""
    check_length(request, limit)
    return await hold_whole(request, limit, pieces(request, limit))


async def hold_whole(request: Request, limit: int, arriving: AsyncIterator[bytes]) -> bytes:
    """The request's body, which is `arriving`, whole, in the room that there is for bodies; see `uploads`.

    Raises QueueFull where there is none, ClientDisconnect, and whatever `arriving` raises.
    """
    hold: Hold | None = request.scope["state"].get("hold")
    parts, size = [], 0
    if hold:
        # Before the first byte is read: uvicorn reads no further then, which holds the client back.
        await hold.promise(promised_length(request))
    async for piece in arriving:
        parts.append(piece)
        size += len(piece)
        if hold:
            await hold.grow(size, limit)
    if hold:
        hold.settle()
    return b"".join(parts)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is over {limit / 1e6:g} MB")


def read_object(body: bytes, content_type: str) -> dict[str, Any]:
    """Parse a body as A1111 does: JSON also without a Content-Type. Raises BadRequest."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise BadRequest(f"The body must be sent as Content-Type: application/json, not {kind}")
    if not body.strip():
        raise BadRequest("The body is empty; a JSON object such as {} is expected")
    document = read_json(body)
    if not isinstance(document, dict):
        raise BadRequest("The body is not a JSON object")
    return document


def images_are_off(document: dict[str, Any]) -> bool:
    """Whether the client switched `send_images` off, in any of the ways that A1111 understands."""
    return str(document.get("send_images", True)).lower() in _OFF


def ask_for_images(body: bytes, document: dict[str, Any]) -> bytes:
    """Give `body` with `send_images` true where the client switched it off; otherwise as it is.

    Only that one value is changed: parsing and writing the whole would change large seeds and floats.
    """
    if not images_are_off(document):
        return body
    try:
        return replace_values(body, lambda name, _: "true" if name == "send_images" else None)
    except RecursionError:
        raise BadRequest("The body is nested too deeply") from None


def replace_values(body: bytes, choose: Callable[[str, Any], str | None]) -> bytes:
    """Give the JSON object `body` with other values in its outermost level, and not a byte changed between them.

    `choose` gets each name with its value, and gives the new value as JSON, or None to leave it. Raises
    RecursionError for one that is nested too deeply.
    """
    # Python's parser, and so A1111's, lets encoded surrogates pass.
    text = body.decode(json.detect_encoding(body), "surrogatepass")
    parts, kept = [], 0
    for name, value, start, end in _members(text):
        new = choose(name, value)
        if new is not None:
            parts += [text[kept:start], new]
            kept = end
    return "".join([*parts, text[kept:]]).encode("utf-8", "surrogatepass")


def write_json(document: Any) -> bytes:
    """Write JSON; what orjson refuses (surrogates, integers over 64 bits) is written too."""
    try:
        return orjson.dumps(document)
    except TypeError:
        return json.dumps(document).encode()


def _members(text: str) -> Iterator[tuple[str, Any, int, int]]:
    """Name and value, and where the value begins and ends, of the outermost object of `text`, which is valid JSON."""
    decoder = JSONDecoder()
    at = text.index("{") + 1
    while True:
        at = _end(_BETWEEN, text, at)
        if text[at] == "}":
            return
        name, at = decoder.raw_decode(text, at)
        start = _end(_COLON, text, at)
        value, at = decoder.raw_decode(text, start)
        yield name, value, start, at


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found  # also where there is nothing between
    return found.end()
