"""Addresses: where a picture belongs A1111 would fetch one, from inside its network, so such a body is refused."""

from __future__ import annotations

import json
import re
from typing import Any

from pico_a1111_proxy.errors import BadRequest
from pico_a1111_proxy.jobs import read_json

_ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_FOR_PICTURES = ("image", "mask")  # in the name of a field: init_images, latent_mask, input_image, imageList
_HOW_TO_ALLOW = "ALLOW_IMAGE_URLS=true leaves such addresses to the upstream"


def refuse_addresses(body: bytes) -> None:
    """Raise BadRequest where a field for a picture holds an address, and for JSON that hides what it holds.

    What no parser would take is let pass: the upstream refuses it in its own words.
    """
    document = read_json(body)
    if document is None and _may_be_json(body):
        raise BadRequest(
            "The body is nested too deeply, or a number in it is too long, to be looked through", _HOW_TO_ALLOW
        )
    _look_through(document)


def _may_be_json(body: bytes) -> bool:
    """Whether another parser might take what ours did not."""
    try:
        # Python refuses integers of more than 4300 digits; what reads none of them refuses none.
        document = json.loads(body, parse_int=str)
    except RecursionError:
        return True
    except ValueError:
        return False
    return document is not None


def _look_through(document: Any) -> None:
    waiting = [("", document)]
    while waiting:
        field, value = waiting.pop()
        if isinstance(value, dict):
            for name, item in value.items():
                waiting.append((field or (name if any(word in name.lower() for word in _FOR_PICTURES) else ""), item))
        elif isinstance(value, list):
            waiting.extend((field, item) for item in value)
        elif field and isinstance(value, str) and _ADDRESS.match(value):
            words = f"{field}: holds an address, which is not fetched; send the picture itself, as base64"
            raise BadRequest(words, _HOW_TO_ALLOW)
