"""Parcels: answers, bodies and errors on their way through Redis; pictures travel as bytes, not as base64."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from typing import Any

import pybase64

from pico_a1111_proxy import errors
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.errors import ProxyError, UpstreamError, UpstreamNonsense

_PIECE = struct.Struct(">BQ")
_TEXT, _BASE64 = 0, 1
_PICTURE = re.compile(rb"[A-Za-z0-9+/]{1000,}={0,2}")  # shorter ones are not worth it

_DAMAGED = "What came from the fleet's Redis is damaged"
_MISREAD = (LookupError, OverflowError, RecursionError, TypeError, ValueError)  # of JSON that is not as we write it


def pack(body: bytes) -> bytes:
    """`body` with each long run of base64 as the bytes that it stands for; `unpack` gives the very same back."""
    return b"".join(part for kind, piece in _split(body) for part in (_PIECE.pack(kind, len(piece)), piece))


def unpack(parcel: bytes) -> bytes:
    """What was packed. Raises UpstreamNonsense for what is no parcel."""
    parts, at = [], 0
    while at < len(parcel):
        try:
            kind, size = _PIECE.unpack_from(parcel, at)
        except struct.error:
            raise UpstreamNonsense(_DAMAGED) from None
        at += _PIECE.size
        piece = parcel[at : at + size]
        if len(piece) != size or kind not in (_TEXT, _BASE64):
            raise UpstreamNonsense(_DAMAGED)
        parts.append(piece if kind == _TEXT else pybase64.b64encode(piece))
        at += size
    return b"".join(parts)


def pack_answer(answer: Answer) -> bytes:
    """An upstream's whole answer."""
    # As ASCII, where what was no UTF-8 in a header survives.
    head = json.dumps([answer.status, answer.headers]).encode("ascii")
    return _PIECE.pack(_TEXT, len(head)) + head + pack(answer.body)


def unpack_answer(parcel: bytes) -> Answer:
    """An answer that was packed. Raises UpstreamNonsense."""
    try:
        _, size = _PIECE.unpack_from(parcel)
        status, headers = json.loads(parcel[_PIECE.size : _PIECE.size + size])
        told = tuple((str(name), str(value)) for name, value in headers)
        return Answer(int(status), told, unpack(parcel[_PIECE.size + size :]))
    except (struct.error, *_MISREAD) as error:
        raise UpstreamNonsense(_DAMAGED) from error


def wrap_error(error: ProxyError) -> tuple[bytes, bytes]:
    """An error as text, and the packed answer of the upstream that it holds; empty where there is none."""
    said = {name: value for name, value in vars(error).items() if name in ("detail", "unsent", "retry_after")}
    answer = error.answer if isinstance(error, UpstreamError) else None
    text = json.dumps({"kind": type(error).__name__, "words": str(error), **said}, default=str).encode("ascii")
    return text, pack_answer(answer) if answer else b""


def read_error(text: bytes, parcel: bytes | None) -> ProxyError:
    """The error that was wrapped, of its own class."""
    try:
        said = json.loads(text)
        error = error_of(str(said["kind"]), str(said["words"]), str(said["detail"]))
    except _MISREAD:
        return UpstreamNonsense(_DAMAGED)
    if isinstance(said.get("retry_after"), int):
        vars(error)["retry_after"] = said["retry_after"]
    if isinstance(error, UpstreamError):
        error.unsent = said.get("unsent") is True
        error.answer = unpack_answer(parcel) if parcel else None
    return error


def error_of(kind: str, words: str, detail: str = "") -> ProxyError:
    """An error of the class of ours that is called `kind`; of the root where there is none."""
    found = getattr(errors, kind, None)
    known = found if isinstance(found, type) and issubclass(found, ProxyError) else ProxyError
    error = known.__new__(known, words)
    ProxyError.__init__(error, words, detail)
    defaults: dict[str, Any] = {"answer": None, "unsent": False} if isinstance(error, UpstreamError) else {}
    if kind in ("QueueFull", "ShuttingDown", "FleetUnavailable"):
        defaults["retry_after"] = errors.RETRY_SECONDS
    vars(error).update(defaults)
    return error


def _split(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for match in _PICTURE.finditer(body):
        text = match[0]
        try:
            picture = pybase64.b64decode(text, validate=True)
        except ValueError:
            continue
        if pybase64.b64encode(picture) != text:  # written by a sloppy hand: it must come back as it was
            continue
        yield _TEXT, body[at : match.start()]
        yield _BASE64, picture
        at = match.end()
    yield _TEXT, body[at:]
