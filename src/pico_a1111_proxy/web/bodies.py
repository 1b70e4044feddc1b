"""Bodies: read within the limit, looked at as A1111 does, touched in one place only, written as JSON."""

from __future__ import annotations

import json
from json.decoder import JSONDecoder
from typing import Any

import orjson
from starlette.requests import Request

from pico_a1111_proxy.errors import BadRequest, BodyTooLarge
from pico_a1111_proxy.jobs import read_json

_SPACE = " \t\n\r"
_OFF = frozenset({"false", "off", "no", "n", "f", "0", "none"})


async def read_body(request: Request, limit: int) -> bytes:
    """Read the request's body of at most `limit` bytes. Raises BodyTooLarge, early where it can."""
    too_large = BodyTooLarge(f"The body is over {limit / 1e6:g} MB")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


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
    # Python's parser, and so A1111's, lets encoded surrogates pass.
    text = body.decode(json.detect_encoding(body), "surrogatepass")
    try:
        spans = _values(text, "send_images")
    except RecursionError:
        raise BadRequest("The body is nested too deeply") from None
    for start, end in reversed(spans):
        text = f"{text[:start]}true{text[end:]}"
    return text.encode("utf-8", "surrogatepass")


def write_json(document: Any) -> bytes:
    """Write JSON; what orjson refuses (surrogates, integers over 64 bits) is written too."""
    try:
        return orjson.dumps(document)
    except TypeError:
        return json.dumps(document).encode()


def _values(text: str, key: str) -> list[tuple[int, int]]:
    """Where the values of `key` begin and end in the outermost object of `text`, which is valid JSON."""
    decoder = JSONDecoder()
    spans: list[tuple[int, int]] = []
    at = text.index("{") + 1
    while True:
        at = _skip(text, at, _SPACE + ",")
        if text[at] == "}":
            return spans
        name, at = decoder.raw_decode(text, at)
        start = _skip(text, at, _SPACE + ":")
        _, at = decoder.raw_decode(text, start)
        if name == key:
            spans.append((start, at))


def _skip(text: str, at: int, characters: str) -> int:
    while text[at] in characters:
        at += 1
    return at
