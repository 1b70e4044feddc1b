"""Profiles: the displays that a person describes in a TOML file, every fault of which is told at once."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pico_a1111_proxy.displays import LONGEST_NAME, MAX_SHARPEN, MAX_SIDE, SURE, Display, Panel
from pico_a1111_proxy.fields import DisplayFields, OneOf, show
from pico_a1111_proxy.panels import DISPLAYS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_WORDS = 200  # characters of a text; GET /displays/NAME stays small enough for a Pico
_NAME = re.compile(rf"[a-z0-9_-][a-z0-9._-]{{0,{LONGEST_NAME - 1}}}")  # safe in the path of an address


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds what can't be printed")
    return text


_Words = Annotated[str, Field(max_length=MAX_WORDS), AfterValidator(_check_printable)]
_Offset = Annotated[int, Field(ge=0, lt=MAX_SIDE)]


class ProfilesError(ValueError):
    """The file is wrong: one line a fault."""


@dataclass(frozen=True)
class Profiles:
    """The displays of one file, by name, in the order of the file."""

    file: str
    displays: dict[str, Display] = field(default_factory=dict, repr=False)


class _PanelFields(BaseModel):
    """What may be said of a panel, all of it for the driver's eyes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    controller: _Words | None = None
    bus: _Words | None = None
    invon: bool | None = None
    madctl: Annotated[int, Field(ge=0, le=0xFF)] | None = None
    x_offset: _Offset | None = None
    y_offset: _Offset | None = None
    sure: Annotated[str, OneOf(SURE)] | None = None
    source: _Words | None = None
    note: _Words | None = None


class _Profile(DisplayFields):
    """What may be said of a display in the file: what may be said of any, and what no query may say."""

    model_config = ConfigDict(extra="forbid", strict=True)

    like: str | None = None
    label: _Words | None = None
    round: bool | None = None
    linear_light: bool | None = None
    sharpen: Annotated[int, Field(ge=0, le=MAX_SHARPEN)] | None = None
    panel: _PanelFields | None = None

    def display(self, name: str, start: Display | None) -> Display:
        """The display that is described; `start` is what it is like. Without one, there are a width and a height."""
        if start is None:
            assert self.width is not None
            assert self.height is not None
            start = Display(name, self.width, self.height)
        said = self.model_dump(include={"label", "round", "linear_light", "sharpen"}, exclude_none=True)
        return replace(self.changed(start), name=name, panel=self._panel(start.panel), **said)

    def _panel(self, start: Panel | None) -> Panel | None:
        if self.panel is None:
            return start
        # Of a panel that nobody has described yet nothing is known but what is said here.
        start = start or Panel("", bus="", invon=None, x_offset=None, y_offset=None, sure="low")
        return replace(start, **self.panel.model_dump(exclude_none=True))


# Of what each is one, where the annotations have no words of their own.
_GOOD = {
    "like": "a name in quotes",
    "background": 'a colour in quotes, such as "#000000"',
    "round": "true or false, without quotes",
    "linear_light": "true or false, without quotes",
    "sharpen": f"a whole number from 0 to {MAX_SHARPEN}",
    "panel": "a table of its own",
    "invon": "true or false, without quotes",
    "madctl": "a whole number from 0 to 0xff",
    "x_offset": f"a whole number from 0 to {MAX_SIDE - 1}",
    "y_offset": f"a whole number from 0 to {MAX_SIDE - 1}",
    **dict.fromkeys(
        ("label", "controller", "bus", "source", "note"),
        f"a text in quotes of at most {MAX_WORDS} printable characters",
    ),
}

# What people put in quotes in other places.
_UNQUOTED = frozenset({"width", "height", "rotate", "invert"})


def read_profiles(file: str, default: Display) -> Profiles:
    """Read the TOML `file`, a table a display; `default` is what `like = "default"` means.

    Raises ProfilesError, which tells every fault on a line of its own.
    """
    tables = _parse(file)
    displays: dict[str, Display] = {}
    known: dict[str, Display | None] = {default.name: default, **DISPLAYS}
    faults: list[str] = []
    for name, table in tables.items():
        told = list(_faults_of_name(name, default.name))
        display = None
        if isinstance(table, dict):
            display = _read_table(name, table, known, told)
        else:
            told.append(f"{_key(name)}: is no table; each display is one, such as [hall]")
        if display and not told:
            displays[name] = display
        if name != default.name:
            known[name] = display  # None is: there is one, and its faults are told
        faults += told
    if faults:
        raise ProfilesError("\n".join(faults))
    return Profiles(file, displays)


def _parse(file: str) -> dict[str, Any]:
    try:
        path = Path(file).expanduser()
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe would be waited for
            raise ProfilesError(f"{file} can't be read: it is no file")
        # A byte order mark is no fault: editors leave one.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ProfilesError(f"{file} is no TOML: {error}") from error
    except RecursionError as error:
        raise ProfilesError(f"{file} is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ProfilesError(f"{file} can't be read: it is not UTF-8 text") from error
    except ProfilesError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # also a ~ without a home, and a name that can't be one
        why = error.strerror if isinstance(error, OSError) else "no file can be called so"
        raise ProfilesError(f"{file} can't be read: {why}") from error


def _faults_of_name(name: str, default: str) -> Iterator[str]:
    if name == default:
        yield f"{name}: is the display of the settings: TARGET_WIDTH, TARGET_HEIGHT and LUMINANCE_INVERT change it"
    elif not _NAME.fullmatch(name):
        yield (
            f"{_key(name)}: a name has lower-case letters, digits, dots, dashes and underscores, "
            f"at most {LONGEST_NAME}, and no dot in front"
        )


def _read_table(
    name: str, table: dict[str, Any], known: Mapping[str, Display | None], told: list[str]
) -> Display | None:
    """The display of a table, None where that can't be said; its faults are added to `told`."""
    faults = len(told)
    try:
        profile = _Profile.model_validate(table)
    except ValidationError as error:
        told += [_describe(name, fault) for fault in error.errors()]
    like, panel = table.get("like"), table.get("panel")
    start = known.get(like) if isinstance(like, str) else None
    if isinstance(like, str) and like not in known:
        near = _near(like, known)
        told.append(f"{_key(name)}.like: {show(like)} is no known display, and none above it in the file{near}")
    if like is None and not _was_cut(table):
        told += [
            f"{_key(name)}.{side}: is missing: a display has width and height, or like"
            for side in ("width", "height")
            if side not in table
        ]
    if isinstance(panel, dict) and "controller" not in panel and (like is None or (start and start.panel is None)):
        told.append(f"{_key(name)}.panel.controller: is missing")
    if len(told) > faults or (like is not None and start is None):
        return None
    return profile.display(name, start)


def _was_cut(table: dict[str, Any]) -> bool:
    """Whether it is the front half of a name: TOML takes the dot of [lcd-1.3] for a table 3 in a table lcd-1."""
    return bool(table) and "panel" not in table and all(isinstance(value, dict) for value in table.values())


def _describe(name: str, fault: ErrorDetails) -> str:
    key = str(fault["loc"][-1])
    where = ".".join([_key(name), *map(_key, map(str, fault["loc"]))])
    given = fault["input"]
    if fault["type"] == "extra_forbidden":
        of_panel = len(fault["loc"]) > 1
        fields = (_PanelFields if of_panel else _Profile).model_fields
        near = _near(key, fields)
        if isinstance(given, dict) and not of_panel and not near:
            whole = repr(f"{name}.{key}"[:LONGEST_NAME])
            return f"{where}: no such table; a name with a dot is written in quotes, as in [{whole}]"
        return f"{where}: no such key{near or '; there are ' + ', '.join(fields)}"
    if key in _GOOD:
        return f"{where}: {show(given)} is not {_GOOD[key]}"
    quoted = ", without quotes" * (isinstance(given, str) and key in _UNQUOTED)
    return f"{where}: {fault['msg'].removeprefix('Value error, ')}{quoted}"


def _near(word: str, good: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(word[:MAX_WORDS], good, n=1)
    return f"; {close[0]} may be meant" if close else ""


def _key(word: str) -> str:
    """A table's or a key's name as the file writes it, short enough for a message."""
    return word if len(word) <= LONGEST_NAME and re.fullmatch("[A-Za-z0-9_-]+", word) else show(word)
