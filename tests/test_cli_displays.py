"""displays, and --display: what is offered, where it comes from, and what is read for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from fakes.commands import COMMAND, PATIENCE, enter, environment, refused, run
from fakes.pictures import encode, gradient, png
from pico_a1111_proxy.cli import main
from pico_a1111_proxy.displays import describe_display
from pico_a1111_proxy.fields import DisplayFields
from pico_a1111_proxy.panels import DISPLAYS

LCD2 = "waveshare-pico-lcd-2"
OWN = f"""
[hall]
width = 6
height = 4

["{LCD2}"]
width = 2
height = 1
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, monkeypatch)


# --- --display ---


def test_what_may_be_said_of_a_display_are_the_options() -> None:
    options = {option.name for option in main.commands["convert"].params if isinstance(option, click.Option)}
    assert options == DisplayFields.model_fields.keys() | {"display", "linear_light", "sharpen"}


def test_an_unknown_name_is_told_with_its_neighbours() -> None:
    told = "Error: Invalid value for --display: No display is called '{}': {}pico-a1111-proxy displays lists all"

    last = run("convert", "-", "-", "--display", "Waveshare-LCD-2", stdin=png()).stderr.splitlines()[-1]
    meant = (
        last.removeprefix(told.partition("{}p")[0].format("Waveshare-LCD-2"))
        .partition(" may be meant, ")[0]
        .split(", ")
    )
    assert last == told.format("Waveshare-LCD-2", f"{', '.join(meant)} may be meant, ")
    assert LCD2 in meant
    assert len(meant) <= 4
    assert set(meant) <= DISPLAYS.keys()
    refused(run("preview", "-", "-", "--display", "qqq"), 2, told.format("qqq", ""))


@pytest.mark.parametrize(
    ("ours", "env_file"),
    [
        ({"DISPLAYS_FILE": "own.toml"}, ""),
        ({"displays_file": "own.toml"}, ""),
        ({}, "DISPLAYS_FILE=own.toml"),
        ({}, "\ufeff  export displays_file = 'own.toml'"),
        ({}, "TARGET_WIDTH=9\rDISPLAYS_FILE=own.toml"),
    ],
)
def test_own_displays_are_offered_and_replace_known_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ours: dict[str, str], env_file: str
) -> None:
    (folder / "own.toml").write_text(OWN)
    (folder / ".env").write_bytes(env_file.encode())
    for name, value in ours.items():
        monkeypatch.setenv(name, value)

    assert len(run("convert", "-", "-", "--display", "hall", stdin=png()).stdout_bytes) == 6 * 4 * 2
    assert len(run("convert", "-", "-", "--display", LCD2, stdin=png()).stdout_bytes) == 2 * 1 * 2
    assert run("displays").stdout.splitlines()[-1].split()[:2] == ["hall", "6x4"]


@pytest.mark.parametrize("env_file", ["#DISPLAYS_FILE=own.toml", "  # DISPLAYS_FILE=own.toml\nDISPLAYS=", ""])
def test_a_comment_sets_nothing(folder: Path, env_file: str) -> None:
    (folder / ".env").write_text(f"{env_file}\nTARGET_WIDTH=wrong\n")

    assert run("convert", "-", "-", "--display", LCD2, stdin=png()).exit_code == 0


def test_a_wrong_file_of_displays_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAYS_FILE", "missing.toml")

    sentence = "  DISPLAYS_FILE: missing.toml can't be read: No such file or directory"
    refused(run("displays"), 1, sentence)
    refused(run("convert", "-", "-", "--display", LCD2, stdin=png()), 1, sentence)


def test_a_known_display_is_converted_for_without_what_takes_long_to_import(folder: Path) -> None:
    (folder / "a.png").write_bytes(encode(gradient()))
    program = (
        "import sys; from pico_a1111_proxy.cli import main;"
        f"main(['convert', 'a.png', 'a.raw', '--display', '{LCD2}'], standalone_mode=False);"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment(), check=True)

    loaded = set(done.stdout.split())
    assert {"numpy", "PIL", "pico_a1111_proxy.frames"} <= loaded
    assert loaded & {"pydantic", "fastapi", "aiohttp", "starlette", "structlog", "pico_a1111_proxy.settings"} == set()


# --- displays ---


def test_the_table_has_a_line_for_each() -> None:
    head, *lines = run("displays").stdout.splitlines()

    assert head.split() == [
        "name",
        "size",
        "format",
        "bytes",
        "controller",
        "INVON",
        "MADCTL",
        "offset",
        "sure",
        "label",
    ]
    assert [line.split()[0] for line in lines] == ["default", *DISPLAYS]
    found = next(line for line in lines if line.startswith("waveshare-pico-lcd-1.14 "))
    assert " ".join(found.split()) == (
        "waveshare-pico-lcd-1.14 240x135 rgb565-be 64800 ST7789VW yes 0x70 40,53 high Waveshare Pico-LCD-1.14"
    )
    at = head.index("size")
    assert {line[at - 1] for line in lines} == {" "}
    assert {line[at].isdigit() for line in lines} == {True}


def test_the_table_fits_into_a_terminal() -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen([*COMMAND, "displays"], stdout=theirs, env=environment(COLUMNS="200")) as process:
        os.close(theirs)
        told = b""
        while more := read(ours):
            told += more
        os.close(ours)

    assert process.returncode == 0
    lines = told.decode().splitlines()
    assert len(lines) == 2 + len(DISPLAYS)
    assert max(map(len, lines)) <= 120


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def test_the_json_is_that_of_the_service() -> None:
    known = json.loads(run("displays", "--json").stdout)

    assert [display["name"] for display in known] == ["default", *DISPLAYS]
    assert known[1:] == [describe_display(display) for display in DISPLAYS.values()]
    assert json.loads(run("displays", LCD2, "--json").stdout) == describe_display(DISPLAYS[LCD2])


def test_all_facts_of_one() -> None:
    told = run("displays", "waveshare-rp2040-lcd-1.28").stdout.splitlines()

    facts = {words[0]: " ".join(words[1:]) for words in map(str.split, told)}
    panel = DISPLAYS["waveshare-rp2040-lcd-1.28"].panel
    assert panel is not None
    assert facts["bytes"] == "115200"
    assert (facts["controller"], facts["invon"], facts["madctl"]) == ("GC9A01A", "yes", "0x98")
    assert (facts["source"], facts["note"]) == (panel.source, panel.note)
    assert (facts["round"], facts["invert"]) == ("yes", "no")
    refused(
        run("displays", "qqq"),
        2,
        "Error: Invalid value for NAME: No display is called 'qqq': pico-a1111-proxy displays lists all",
    )
