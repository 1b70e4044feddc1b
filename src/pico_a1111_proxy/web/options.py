"""Options: what a client's query and Accept header say about the answer it wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import unquote_plus

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    WrapValidator,
)
from pydantic_core import CoreSchema, core_schema
from starlette.datastructures import Headers

from pico_a1111_proxy.displays import DITHERS, FITS, MAX_SIDE, ROTATIONS, Display, is_colour
from pico_a1111_proxy.errors import BadRequest
from pico_a1111_proxy.pixels import FORMATS

ANSWERS = ("frame", "json", "preview", "original")
LONGEST_SHOWN = 40  # characters of a bad value

# The answer that a media type in Accept asks for. `json` is what a client gets that names none of ours.
_NAMED = {"application/octet-stream": "frame", "image/png": "preview", "application/json": "json"}


@dataclass(frozen=True)
class OneOf:
    """A pydantic annotation: the value is one of `good`, and whoever sends another is told which are."""

    good: tuple[Any, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check around what makes it the right type, whose own words would not tell the good ones."""
        return core_schema.no_info_wrap_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """List the good values in /openapi.json."""
        return {**handler(schema), "enum": list(self.good)}

    def _check(self, text: Any, convert: Callable[[Any], Any]) -> Any:
        with suppress(ValidationError):
            value = convert(text)
            if value in self.good:
                return value
        raise ValueError(f"{_show(text)} is not one of {', '.join(str(good).lower() for good in self.good)}")


def _show(value: object) -> str:
    """A client's value, short enough to leave room for the good ones."""
    return repr(str(value)[:LONGEST_SHOWN])


def _check_colour(text: str) -> str:
    if not is_colour(text):
        raise ValueError(f"{_show(text)} is not a colour such as #000000, written %23000000 in an address")
    return text


def _check_side(text: Any, convert: Callable[[Any], Any]) -> Any:
    with suppress(ValidationError):
        return convert(text)
    raise ValueError(f"{_show(text)} is not a whole number from 1 to {MAX_SIDE}")


Side = Annotated[int, Field(ge=1, le=MAX_SIDE), WrapValidator(_check_side)]


class DisplayOptions(BaseModel):
    """The query parameters of every route that yields a frame; each overrides the display's own."""

    display: str | None = Field(None, description="a display by name")
    width: Side | None = Field(None, description="pixels of a row")
    height: Side | None = Field(None, description="rows")
    format: Annotated[str, OneOf(tuple(FORMATS))] | None = Field(None, description="how a pixel is written")
    fit: Annotated[str, OneOf(FITS)] | None = Field(None, description="how the picture fills the display")
    rotate: Annotated[int, OneOf(ROTATIONS)] | None = Field(None, description="degrees clockwise")
    invert: Annotated[bool, OneOf((True, False))] | None = Field(None, description="send a colour negative")
    dither: Annotated[str, OneOf(DITHERS)] | None = Field(None, description="how missing levels are hidden")
    background: Annotated[str, AfterValidator(_check_colour)] | None = Field(
        None, description="#rrggbb (with %23 for the #), shown where the picture is not"
    )

    def apply_to(self, displays: Mapping[str, Display], base: str | None = None) -> Display:
        """The display that is asked for, else that of the base URL, else the first.

        Raises BadRequest for an unknown name.
        """
        name = self.display if self.display is not None else base or next(iter(displays))
        if name not in displays:
            raise BadRequest(f"display: {_show(name)} is not one of {', '.join(displays)}")
        overrides = self.model_dump(include=set(DisplayOptions.model_fields) - {"display"}, exclude_none=True)
        return replace(displays[name], **overrides)


class RenderOptions(DisplayOptions):
    """The query parameters of the rendered routes."""

    answer: Annotated[str, OneOf(ANSWERS)] | None = Field(None, description="what comes back")
    index: int | None = Field(None, ge=0, description="which picture, where one comes back")

    def choose_answer(self, headers: Headers, otherwise: str) -> str:
        """One of ANSWERS: the query decides, then what Accept names, then `otherwise`."""
        return self.answer or _named_by(",".join(headers.getlist("accept"))) or otherwise


def without_ours(query: str) -> str:
    """What is left of a raw query when our own options are taken out of it, as it was written."""
    parts = query.split("&")
    return "&".join(part for part in parts if unquote_plus(part.partition("=")[0]) not in RenderOptions.model_fields)


def _named_by(accept: str) -> str | None:
    """The answer that the header names with the highest quality; None for JSON or nothing of ours.

    A wildcard names nothing: every ordinary A1111 client sends one.
    """
    best, best_quality = None, 0.0
    entries = [[part.strip().lower() for part in entry.split(";")] for entry in accept.split(",")]
    # Firefox names image/png for every page that it opens. A picture's own request names no text/html.
    opens_a_page = any(media_type == "text/html" for media_type, *_ in entries)
    for media_type, *parameters in entries:
        kind = _NAMED.get(media_type)
        quality = _quality(parameters)
        if kind == "preview" and opens_a_page:
            continue
        # Beside JSON of the same quality, ours wins: no ordinary client names it by accident.
        if kind and (quality > best_quality or (quality == best_quality > 0 and best == "json")):
            best, best_quality = kind, quality
    return None if best == "json" else best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
