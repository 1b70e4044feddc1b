"""The command line: what every command has, and what wrong usage is told."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from fakes.commands import enter, refused, run, run_alone


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("frobnicate", "Error: No such command 'frobnicate'."),
        ("convert a.png", "Error: Missing argument 'SOURCES...'."),
        ("convert a.png b.png missing", "Error: There is no folder missing for several files; missing/ makes it"),
        ("convert a.png b.png -", "Error: Standard output takes one file: name a folder for several"),
        ("convert - - --rotate 45", "Error: Invalid value for '--rotate': '45' is not one of '0', '90', '180', '270'."),
        ("convert - - --width 0", "Error: Invalid value for '--width': 0 is not in the range 1<=x<=1024."),
        (
            "convert - - --background red",
            "Error: Invalid value for --background: 'red' is not a colour such as #000000",
        ),
        ("convert - - --sharpen 201", "Error: Invalid value for '--sharpen': 201 is not in the range 0<=x<=200."),
        ("serve --port 70000", "Error: Invalid value for '--port': 70000 is not in the range 0<=x<=65535."),
        ("doctor now", "Error: Got unexpected extra argument (now)"),
    ],
)
def test_wrong_usage_is_told_with_status_2(arguments: str, sentence: str) -> None:
    refused(run(*arguments.split()), 2, sentence)


@pytest.mark.parametrize(
    "command", ["", "serve", "demo", "convert", "preview", "testcard", "displays", "doctor", "check-config"]
)
def test_every_command_has_its_help(command: str) -> None:
    result = run(*command.split(), "--help")

    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: main {command}".rstrip())


def test_check_config() -> None:
    assert run("check-config").stdout == "The settings are good. Pictures come from the demo painter.\n"


def test_check_config_names_every_fault(folder: Path) -> None:
    (folder / ".env").write_text("MAX_WORKERS=0\nA1111_BASE_URL=gpu:7860\nA1111_PASSWORD=hunter2\nA B\n")

    result = run_alone("check-config")

    assert (result.returncode, result.stdout) == (1, b"")
    assert sorted(result.stderr.decode().splitlines()) == [
        "  .env, line 4: is not NAME=value",
        "  A1111_BASE_URL: starts with http:// or https://, as in http://gpu:7860",
        "  A1111_PASSWORD: goes together with A1111_USERNAME",
        "  MAX_WORKERS: is at least 1",
        "Error: 4 wrong settings:",
    ]


def test_the_module_is_the_command() -> None:
    result = run_alone("--version")

    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode().strip().endswith(f" {version('pico-a1111-proxy')}")
