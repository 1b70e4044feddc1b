"""displays, the table of them, and the options with which other commands choose and change one."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import click

from pico_a1111_proxy.cli.settings import load_settings, may_have_own_displays
from pico_a1111_proxy.displays import (
    DEFAULT,
    DITHERS,
    FITS,
    MAX_SHARPEN,
    MAX_SIDE,
    ROTATIONS,
    Display,
    Panel,
    describe_display,
    is_colour,
    near_names,
)
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.pixels import FORMATS

F = TypeVar("F", bound=Callable[..., Any])

_WIDEST = 120  # columns of a table for a person
_GAP = "  "
_HEADS = ("name", "size", "format", "bytes", "controller", "INVON", "MADCTL", "offset", "sure", "label")
_UNSAID = "-"
_YES_NO = {True: "yes", False: "no", None: "?"}
_LONGEST_FACT = 12
_LONGEST_CELL = 10  # characters; on a terminal


def display_options(command: F) -> F:
    """Give a command the options of `choose_display`.

    They are not made from DisplayFields: pydantic takes as long to load as all that a conversion needs.
    """
    for option in reversed(
        (
            click.option("--display", metavar="NAME", default=DEFAULT, show_default=True, help="A display by name."),
            click.option("--width", type=click.IntRange(1, MAX_SIDE), help="Pixels of a row."),
            click.option("--height", type=click.IntRange(1, MAX_SIDE), help="Rows."),
            click.option("--format", type=click.Choice(list(FORMATS)), help="How a pixel is written."),
            click.option("--fit", type=click.Choice(FITS), help="How the picture fills the display."),
            click.option("--rotate", type=click.Choice([str(r) for r in ROTATIONS]), help="Degrees clockwise."),
            click.option("--invert/--no-invert", default=None, help="Send a colour negative."),
            click.option("--dither", type=click.Choice(DITHERS), help="How missing levels are hidden."),
            click.option("--background", metavar="#RRGGBB", help="Shown where the picture is not."),
            click.option("--linear-light/--no-linear-light", default=None, help="Resize light, not the values for it."),
            click.option(
                "--sharpen", metavar="PERCENT", type=click.IntRange(0, MAX_SHARPEN), help="How much to sharpen."
            ),
        )
    ):
        command = option(command)
    return command


def choose_display(options: dict[str, Any]) -> Display:
    """The display that the options name, changed as they say. Raises UsageError, or ClickException for the settings."""
    given = {name: value for name, value in options.items() if value is not None and name != "display"}
    if "rotate" in given:
        given["rotate"] = int(given["rotate"])
    if "background" in given and not is_colour(given["background"]):
        raise click.BadParameter(f"{given['background']!r} is not a colour such as #000000", param_hint="--background")
    return replace(_find(options["display"], "--display"), **given)


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="The JSON of GET /displays, or of GET /displays/NAME.")
def displays(name: str | None, as_json: bool) -> None:
    """List the displays known by name, or tell all of one.

    INVON says whether the driver has to send it, MADCTL what it sends; "sure" is how sure these facts are.
    """
    if name is not None:
        facts = describe_display(_find(name, "NAME"))
        click.echo(json.dumps(facts, indent=2) if as_json else "\n".join(_facts(facts)))
        return
    known = load_settings().displays.values()
    if as_json:
        click.echo(json.dumps([describe_display(display) for display in known], indent=2))
    else:
        click.echo("\n".join(_table([_HEADS, *map(_row, known)])))


def _find(name: str, said_in: str) -> Display:
    if name in DISPLAYS and not may_have_own_displays():
        return DISPLAYS[name]
    known = load_settings().displays
    if name in known:
        return known[name]
    near = near_names(name, known)
    meant = f"{', '.join(near)} may be meant, " if near else ""
    raise click.BadParameter(
        f"No display is called {name!r}: {meant}pico-a1111-proxy displays lists all", param_hint=said_in
    )


def _row(display: Display) -> tuple[str, ...]:
    """The cells of one display."""
    return (
        display.name,
        f"{display.width}x{display.height}",
        display.format,
        str(display.frame_bytes),
        *_cells(display.panel),
        display.label,
    )


def _cells(panel: Panel | None) -> tuple[str, ...]:
    """Controller, INVON, MADCTL, offsets and how sure."""
    if panel is None:
        return (_UNSAID,) * 5
    return (
        panel.controller,
        _YES_NO[panel.invon],
        panel.madctl_in_hex or _UNSAID,
        "{},{}".format(*panel.offsets) if panel.offsets else _UNSAID,
        panel.sure,
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Aligned lines; on a terminal long cells are cut, and the last where its line would be too long."""
    on_terminal = sys.stdout.isatty()
    if on_terminal:
        rows = [(row[0], *(_cut(cell, _LONGEST_CELL) for cell in row[1:-1]), row[-1]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if not on_terminal:
        return lines
    facts = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    columns = min(_WIDEST, shutil.get_terminal_size().columns)
    return [_cut(line, max(columns, facts)).rstrip() for line in lines]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 2]}.."


def _facts(facts: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """A line for each fact; those of the panel are indented, and what nobody has said is left out."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}"
            yield from _facts(value, indent + _GAP)
        elif name == "invon" or value not in (None, ""):
            yield f"{indent + name:<{_LONGEST_FACT}}{_GAP}{_in_words(name, value)}"


def _in_words(fact: str, value: Any) -> str:
    if value is None or isinstance(value, bool):
        return _YES_NO[value]
    return f"0x{value:02X}" if fact == "madctl" else str(value)
