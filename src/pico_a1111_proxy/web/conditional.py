"""Conditional requests: who names the ETag that is still right gets a 304 instead of the bytes."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from pico_a1111_proxy.web.representations import Representation

# As a named tag: whatever there is.
ANY: Final = "*"

# Between the quotes is everything but quotes, blanks and control characters; a comma is allowed.
_TAG = re.compile(r'"[!#-~\x80-\xff]*"')

# A copy may be kept, but whoever keeps it has to ask each time whether it is still right.
_STANDING = {"Cache-Control": "no-cache", "Vary": "Accept"}


def conditional(request: Request, representation: Representation, further: dict[str, str] | None = None) -> Response:
    """`representation` with `further` headers, for GET and HEAD, or a 304 where If-None-Match names it."""
    if names(named_tags(request), representation):
        return not_modified(representation)
    return whole(representation, further)


def named_tags(request: Request) -> frozenset[str]:
    """The tags that If-None-Match names, each with its quotes, or ANY alone.

    `W/` is left out, since GET and HEAD compare weakly. Of what is no tag nothing is taken: the client then gets
    bytes that it may have, and never misses some.
    """
    value = ",".join(request.headers.getlist("if-none-match")).strip(", \t")
    return frozenset({ANY}) if value == ANY else frozenset(_TAG.findall(value))


def names(tags: Set[str], representation: Representation) -> bool:
    """Whether `tags`, as of `named_tags`, hold that of `representation`."""
    return ANY in tags or representation.etag in tags


def whole(representation: Representation, further: dict[str, str] | None = None) -> Response:
    """A 200 with all of it, and `further` headers."""
    return representation.response({**_STANDING, **(further or {})})


def not_modified(representation: Representation) -> Response:
    """A 304, which has no body and tells no length."""
    return Response(status_code=304, headers={"ETag": representation.etag, **_STANDING})
