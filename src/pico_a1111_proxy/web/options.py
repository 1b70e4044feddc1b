"""Options: what a client's query and Accept header say about the answer it wants."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any
from urllib.parse import unquote_plus

from pydantic import ConfigDict, Field, ValidationError, WrapValidator, model_validator
from starlette.datastructures import Headers

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import BadRequest
from pico_a1111_proxy.fields import LONGEST_SHOWN, DisplayFields, OneOf, show
from pico_a1111_proxy.web.bases import where_they_are

LONGEST_WAIT = 60.0  # seconds
ANSWERS = ("frame", "json", "preview", "original")

_IN_FILES = "no query sets it; a profile in DISPLAYS_FILE and the command line do"
MOST_ACCEPTS = 100  # headers that are known again
_MOST_GUESSED = 20  # strange names that are looked at: to compare thousands would hold everybody up
# Parameters that do something in other places only.
_ELSEWHERE = {
    "display": "the path names the display",
    "index": "there is one picture only",
    "wait": "only GET /displays/NAME/frame and GET /jobs/ID/frame wait",
    "publish": "only POST /displays/NAME/frame publishes",
    "linear_light": _IN_FILES,
    "sharpen": _IN_FILES,
    "round": _IN_FILES,
}

# The answer that a media type in Accept asks for.
_NAMED = {"application/octet-stream": "frame", "image/png": "preview", "application/json": "json"}


def _check_wait(text: Any, convert: Callable[[Any], float]) -> float:
    with suppress(ValidationError):
        return convert(text)
    raise ValueError(f"{show(text)} is not a number of seconds from 0 to {LONGEST_WAIT:g}")


Wait = Annotated[float, Field(ge=0, le=LONGEST_WAIT, allow_inf_nan=False), WrapValidator(_check_wait)]


class DisplayOptions(DisplayFields):
    """The query parameters that choose a display, each of whose own they override."""

    display: str | None = Field(None, description="a display by name")

    def apply_to(self, displays: Mapping[str, Display], base: str | None = None) -> Display:
        """The display that is asked for, else that of the base URL, else the first.

        Raises BadRequest for an unknown name.
        """
        name = self.display if self.display is not None else base or next(iter(displays))
        if name not in displays:
            raise BadRequest(f"display: {show(name)} is not one of them: {where_they_are(name, displays)}")
        display = displays[name]
        return self.changed(display) if self.model_fields_set else display


class FrameOptions(DisplayFields):
    """The query parameters of the routes whose path names the display.

    Others are left alone, since people add some to get around caches; but not those that were meant to do something.
    """

    model_config = ConfigDict(extra="allow")

    answer: Annotated[str, OneOf(ANSWERS)] | None = Field(None, description="what comes back")

    def choose_answer(self, headers: Headers) -> str:
        """One of ANSWERS: the query decides, then what Accept names, else it is the raw frame."""
        return self.answer or _named_by(headers) or "frame"

    @model_validator(mode="after")
    def _refuse_what_does_nothing(self) -> FrameOptions:
        good = list(type(self).model_fields)
        for name in _ELSEWHERE.keys() & (self.model_extra or {}).keys():
            raise BadRequest(f"{name}: {_ELSEWHERE[name]}")
        for name in islice(self.model_extra or (), _MOST_GUESSED):
            near = difflib.get_close_matches(name[:LONGEST_SHOWN].lower(), good, 1, 0.7)
            if near:
                raise BadRequest(f"{show(name)}: no such parameter; {near[0]} may be meant")
        return self


class RenderOptions(DisplayOptions):
    """The query parameters of the rendered routes."""

    answer: Annotated[str, OneOf(ANSWERS)] | None = Field(None, description="what comes back")
    index: int | None = Field(None, ge=0, description="which picture, where one comes back")

    def choose_answer(self, headers: Headers, otherwise: str) -> str:
        """One of ANSWERS: the query decides, then what Accept names, then `otherwise`."""
        named = _named_by(headers)
        # Every ordinary A1111 client names JSON: that says nothing.
        return self.answer or (named if named != "json" else None) or otherwise


def without_ours(query: str) -> str:
    """What is left of a raw query when our own options are taken out of it, as it was written."""
    if not query:
        return query
    parts = query.split("&")
    return "&".join(part for part in parts if unquote_plus(part.partition("=")[0]) not in RenderOptions.model_fields)


def media_types(headers: Headers) -> tuple[tuple[str, float], ...]:
    """The media types that Accept names, in lower case and in order, each with its quality."""
    return _media_types(",".join(headers.getlist("accept")))


def opens_a_page(headers: Headers) -> bool:
    """Whether a browser asks for a page: a picture's own request, and every other client's, names no text/html."""
    return any(media_type == "text/html" for media_type, _ in media_types(headers))


@lru_cache(MOST_ACCEPTS)
def _media_types(accept: str) -> tuple[tuple[str, float], ...]:
    entries = [entry.lower().split(";") for entry in accept.split(",")]
    return tuple((kind.strip(), _quality([part.strip() for part in parameters])) for kind, *parameters in entries)


def _named_by(headers: Headers) -> str | None:
    """The answer that Accept names with the highest quality; None for nothing of ours.

    A wildcard names nothing: every ordinary A1111 client sends one.
    """
    best, best_quality = None, 0.0
    page = opens_a_page(headers)
    for media_type, quality in media_types(headers):
        kind = _NAMED.get(media_type)
        if kind == "preview" and page:
            continue  # Firefox names image/png for every page that it opens
        # Beside JSON of the same quality, ours wins: no ordinary client names it by accident.
        if kind and (quality > best_quality or (quality == best_quality > 0 and best == "json")):
            best, best_quality = kind, quality
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
