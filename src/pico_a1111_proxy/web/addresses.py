"""Addresses: where a picture belongs A1111 would fetch one, from inside its network, so such a body is refused."""

from __future__ import annotations

import json
import re
from itertools import repeat
from typing import Any

from pico_a1111_proxy.errors import BadRequest
from pico_a1111_proxy.jobs import read_json

# Also of a file: ControlNet opens those, and one on another Windows computer shows it the password's hash. Base64 holds
# neither colon, dot nor backslash, and no picture's begins with two slashes.
_ADDRESS = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*://|//|\\\\|[a-z]:[\\/]|\.{0,2}/[^\s.]{0,400}\.)", re.IGNORECASE)
_FOR_PICTURES = ("image", "mask")  # in the name of a field: init_images, latent_mask, input_image, imageList
_MOST_PARTS = 100_000  # objects and lists in a body; a real one has hundreds
_HOW_TO_ALLOW = "ALLOW_IMAGE_URLS=true leaves such addresses to the upstream"


def refuse_addresses(body: bytes) -> None:
    """Raise BadRequest where a field for a picture holds an address, and for a body that may hide one.

    What no parser takes, and what holds nothing of an address, is let pass: the upstream refuses it in its own words.
    """
    document = read_json(body)
    if document is None and _may_hide_one(body):
        raise _not_clear("it is broken, nested too deeply, or a number in it is too long")
    if isinstance(document, (dict, list)):
        refuse_addresses_in(document)


def _may_hide_one(body: bytes) -> bool:
    """Whether another parser might find an address in what ours did not take."""
    if any(sign in body for sign in (b"//", b"\\", b"\0")):
        return True
    try:
        # Python refuses integers of more than 4300 digits; what reads none of them refuses none.
        document = json.loads(body, parse_int=str)
    except RecursionError:
        return True
    except ValueError:
        return False
    return document is not None


def refuse_addresses_in(document: dict[str, Any] | list[Any]) -> None:
    """The same for a body that has been parsed. Raises BadRequest."""
    waiting: list[tuple[str, Any]] = [("", document)]
    parts = 0
    while waiting:
        field, part = waiting.pop()
        parts += 1
        if parts > _MOST_PARTS:
            raise _not_clear("it has too many parts")
        for name, value in part.items() if isinstance(part, dict) else zip(repeat(""), part):
            inside = field or (name if name and any(word in name.lower() for word in _FOR_PICTURES) else "")
            if value and isinstance(value, (dict, list)):
                waiting.append((inside, value))
            elif inside and isinstance(value, str) and _ADDRESS.match(value):
                words = f"{inside}: holds an address, which is not fetched; send the picture itself, as base64"
                raise BadRequest(words, _HOW_TO_ALLOW)


def _not_clear(why: str) -> BadRequest:
    return BadRequest(f"The body can't be looked through for addresses: {why}", _HOW_TO_ALLOW)
