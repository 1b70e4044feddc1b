"""Documents can't lie: all there is is in them, and what they show and link to exists."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import click
import numpy as np
import pytest
from pydantic import BaseModel

from pico_a1111_proxy.cli import main
from pico_a1111_proxy.displays import Display, default_display, describe_display
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.pixels import FORMATS
from pico_a1111_proxy.profiles import _PanelFields, _Profile, read_profiles
from pico_a1111_proxy.settings import Settings, read_settings
from pico_a1111_proxy.web.app import create_app
from pico_a1111_proxy.web.frames import NewestOptions, PushOptions
from pico_a1111_proxy.web.options import ANSWERS, RenderOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("*.md"), ROOT / "device" / "README.md", *(ROOT / "docs").rglob("*.md")])
TEXTS = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in FILES}
README = TEXTS["README.md"]
EVERYWHERE = "\n".join([README, *(text for name, text in TEXTS.items() if name.startswith("docs/"))])
ARCHITECTURE = TEXTS["ARCHITECTURE.md"]

FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?:\.venv/bin/)?pico-a1111-proxy [a-z]|scripts/")


def paths(router: Any, base: str = "") -> Iterator[str]:
    """Every path, with the name of a parameter in capitals; what is the same below another base comes once."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), base + route.path)
        elif route.include_context.include_in_schema:
            yield from paths(included, base + route.include_context.prefix)


OPTIONS = (RenderOptions, NewestOptions, PushOptions)
BASES = {"/original", "/displays/NAME"}  # addresses before A1111's own paths
ROUTES = set(paths(create_app(read_settings(None)))) - {"/docs/oauth2-redirect"}


def rows(text: str) -> list[list[str]]:
    """The cells of all tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def spans(text: str) -> list[str]:
    """What stands between backticks in the prose."""
    return re.findall(r"`([^`\n]+)`", FENCED.sub("", text))


SETTING_ROWS = [row for row in rows(README) if re.fullmatch(r"`[A-Z][A-Z0-9_]+`.*", row[0])]


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command of ours, in blocks of code and between backticks."""
    lines = "\n".join(FENCED.findall(text)).replace("\\\n", " ").splitlines() + spans(text)
    yield from (shlex.split(line, comments=True) for line in lines if COMMAND.match(line))


SHOWN = [(name, words) for name, text in TEXTS.items() for words in commands(text)]
OURS = [(name, words) for name, words in SHOWN if words[0].endswith("pico-a1111-proxy")]
SCRIPTS = [(name, words[0]) for name, words in SHOWN if words[0].startswith("scripts/")]


# --- What there is, is told -------------------------------------------------------------------------------------


def test_the_settings_table_names_every_setting_once_and_nothing_else() -> None:
    told = [name for row in SETTING_ROWS for name in spans(row[0])]
    assert sorted(told) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.parametrize("row", SETTING_ROWS, ids=lambda row: row[0])
def test_the_settings_table_tells_defaults(row: list[str]) -> None:
    names = [name.lower() for name in spans(row[0])]
    defaults = [Settings.model_fields[name].default for name in names]
    words = [
        "" if value is None else str(value).lower() if value in (True, False) else str(value) for value in defaults
    ]
    assert row[1].replace("`", "") == ", ".join(words).strip(", ")


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_every_route_is_told(route: str) -> None:
    assert re.search(rf"(?:GET |POST |`){re.escape(route)}[`?]", EVERYWHERE)


@pytest.mark.parametrize("name", [*DISPLAYS, *FORMATS, *ANSWERS])
def test_every_display_format_and_answer_is_told(name: str) -> None:
    assert f"`{name}`" in EVERYWHERE


def wire_row(display: Display) -> list[str]:
    size = f"{display.width}x{display.height}" + ", round" * display.round
    length = len(FORMATS[display.format].pack(np.zeros((display.height, display.width, 3), np.uint8)))
    return [f"`{display.name}`", display.label, size, f"`{display.format}`", f"{length:,}"]


def driver_row(display: Display) -> list[str]:
    panel = display.panel
    assert panel
    invon = {True: "yes", False: "no", None: "depends"}[panel.invon]
    madctl = "" if panel.madctl is None else f"0x{panel.madctl:02X}"
    begins = "" if panel.x_offset is None else f"{panel.x_offset}, {panel.y_offset}"
    facts = [panel.controller, panel.bus, invon, madctl, begins, panel.sure, panel.source, panel.note]
    return [f"`{display.name}`", *facts]


def test_the_tables_of_displays_are_those_of_the_code() -> None:
    told = [row for row in rows(TEXTS["docs/displays.md"]) if row[0].strip("`") in DISPLAYS]
    assert [row for row in told if len(row) == 5] == [wire_row(display) for display in DISPLAYS.values()]
    assert [row for row in told if len(row) != 5] == [driver_row(display) for display in DISPLAYS.values()]


def test_the_display_that_is_shown_as_json_is_one() -> None:
    (shown,) = re.findall(r"^```json\n(.*?)^```$", TEXTS["docs/displays.md"], re.DOTALL | re.MULTILINE)
    assert json.loads(shown) == describe_display(DISPLAYS[json.loads(shown)["name"]])


def test_the_file_of_displays_that_is_shown_can_be_read(tmp_path: Path) -> None:
    (shown,) = re.findall(r"^```toml\n(.*?)^```$", TEXTS["docs/displays.md"], re.DOTALL | re.MULTILINE)
    file = tmp_path / "displays.toml"
    file.write_text(shown, encoding="utf-8")
    displays = read_profiles(str(file), default_display(240, 240, invert=True)).displays
    assert (displays["hall"].rotate, displays["hall"].panel) == (90, DISPLAYS["waveshare-pico-lcd-1.3"].panel)
    # The table of "desk" shows every key there is.
    keys = tomllib.loads(shown)["desk"]
    assert keys.keys() | {"like"} == _Profile.model_fields.keys()
    assert keys["panel"].keys() == _PanelFields.model_fields.keys()
    assert displays["desk-2"] == replace(
        displays["desk"], name="desk-2", panel=replace(displays["desk"].panel, invon=True)
    )


@pytest.mark.parametrize(
    "name", {**RenderOptions.model_fields, **NewestOptions.model_fields, **PushOptions.model_fields}
)
def test_every_parameter_is_told(name: str) -> None:
    assert f"`{name}`" in EVERYWHERE or f"`?{name}=" in EVERYWHERE


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_is_told(name: str) -> None:
    assert re.search(rf"`{name}`|pico-a1111-proxy {name}\b", EVERYWHERE)


def test_every_room_is_in_the_architecture() -> None:
    package = ROOT / "src" / "pico_a1111_proxy"
    told = [name for row in rows(ARCHITECTURE) for name in spans(row[0])]
    there = [str(file.relative_to(package)) for file in package.rglob("*.py") if file.name != "__init__.py"]
    assert [name for name in there if not name.startswith(tuple(told))] == []
    assert [name for name in told if name.endswith((".py", "/")) and not (package / name).exists()] == []


# --- What is told, is there -------------------------------------------------------------------------------------


def test_there_is_something_to_check() -> None:
    assert {words[1] for _, words in OURS} >= {"convert", "preview", "doctor"}
    assert {script for _, script in SCRIPTS} >= {"scripts/run", "scripts/test"}
    assert len(SETTING_ROWS) > 10
    assert {"/", "/docs", "/health", "/sdapi/v1/txt2img"} <= ROUTES


@pytest.mark.parametrize(("file", "words"), OURS, ids=lambda value: value if isinstance(value, str) else value[1])
def test_a_command_that_is_shown_is_understood(file: str, words: list[str]) -> None:
    name, *arguments = words[1:]
    assert name in main.commands, f"{file} shows {words}"
    try:
        main.commands[name].make_context(name, arguments)
    except click.ClickException as error:
        pytest.fail(f"{file} shows {words}: {error.format_message()}")


@pytest.mark.parametrize(("file", "script"), SCRIPTS)
def test_a_script_that_is_shown_can_be_run(file: str, script: str) -> None:
    assert os.access(ROOT / script, os.X_OK), f"{file} shows {script}"


def check_parameters(query: dict[str, str], *models: type[BaseModel]) -> None:
    """One of the models has all of them, and takes their values."""
    assert query.keys() <= set().union(*(model.model_fields for model in models))
    next(model for model in models if query.keys() <= model.model_fields.keys()).model_validate(query)


@pytest.mark.parametrize("address", re.findall(r"https?://[^\s\"'`)]+:8080(/[^\s\"'`)]*)", README))
def test_an_address_that_is_shown_is_a_route_with_good_parameters(address: str) -> None:
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    assert {query.get("display"), *re.findall("^/displays/([^/]+)/", parts.path)} <= {None, "default", *DISPLAYS}
    assert re.sub("^/displays/[^/]+/", "/displays/NAME/", parts.path) in ROUTES | BASES
    check_parameters(query, NewestOptions if parts.path.startswith("/displays/") else RenderOptions)


@pytest.mark.parametrize("query", sorted({span for span in spans(README) if re.fullmatch(r"\?\w+=\S+", span)}))
def test_a_parameter_that_is_shown_is_good(query: str) -> None:
    check_parameters(dict(parse_qsl(query[1:])), *OPTIONS)


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", TEXTS[name])
    files = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in files if not ((ROOT / name).parent / link).exists()] == []
