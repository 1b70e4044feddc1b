"""Fields: what people may say of a display, in a query or in a file, and the words for a bad value."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

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

from pico_a1111_proxy.displays import DITHERS, FITS, MAX_SIDE, ROTATIONS, Display, is_colour
from pico_a1111_proxy.pixels import FORMATS

LONGEST_SHOWN = 40  # characters of a bad value


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
        raise ValueError(f"{show(text)} is not one of {', '.join(str(good).lower() for good in self.good)}")


def show(value: object) -> str:
    """A person's value, short enough to leave room for the good ones."""
    return repr(str(value)[:LONGEST_SHOWN])


def _check_colour(text: str) -> str:
    if not is_colour(text):
        raise ValueError(f"{show(text)} is not a colour such as #000000, written %23000000 in an address")
    return text


def _check_side(text: Any, convert: Callable[[Any], Any]) -> Any:
    with suppress(ValidationError):
        return convert(text)
    raise ValueError(f"{show(text)} is not a whole number from 1 to {MAX_SIDE}")


# What `is_colour` takes, for /openapi.json.
_COLOUR = Field(json_schema_extra={"pattern": "^#[0-9a-fA-F]{6}$"})
Side = Annotated[int, Field(ge=1, le=MAX_SIDE), WrapValidator(_check_side)]


class DisplayFields(BaseModel):
    """What may be said of any display; what is None leaves the display's own."""

    width: Side | None = Field(None, description="pixels of a row")
    height: Side | None = Field(None, description="rows")
    format: Annotated[str, OneOf(tuple(FORMATS))] | None = Field(None, description="how a pixel is written")
    fit: Annotated[str, OneOf(FITS)] | None = Field(None, description="how the picture fills the display")
    rotate: Annotated[int, OneOf(ROTATIONS)] | None = Field(None, description="degrees clockwise")
    invert: Annotated[bool, OneOf((True, False))] | None = Field(None, description="send a colour negative")
    dither: Annotated[str, OneOf(DITHERS)] | None = Field(None, description="how missing levels are hidden")
    background: Annotated[str, AfterValidator(_check_colour), _COLOUR] | None = Field(
        None, description="#rrggbb (with %23 for the #), shown where the picture is not"
    )

    def changed(self, display: Display) -> Display:
        """`display` with what was said of it."""
        said = self.model_dump(include=set(DisplayFields.model_fields), exclude_none=True)
        return replace(display, **said)
