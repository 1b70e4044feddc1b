"""The guards themselves: what ruff, mypy and import-linter have to refuse here, they refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from missing import missing

ROOT = Path(__file__).parents[2]
SCRIPTS = [ROOT / ".ci" / "run", *sorted((ROOT / "scripts").iterdir())]

REFUSED_BY_RUFF = [
    ("TID251", "from starlette.middleware.base import BaseHTTPMiddleware\n\nprint_it = BaseHTTPMiddleware\n"),
    ("TID251", "import httpx\n\nclient = httpx\n"),
    ("PLR0913", "def call(a: int, b: int, c: int, d: int, e: int, f: int) -> None:\n    pass\n"),
    ("T201", 'print("a stray print")\n'),
    ("BLE001", "try:\n    pass\nexcept Exception:\n    pass\n"),
    ("D100", "value = 1\n"),
    ("E501", f"value = '{'x' * 120}'\n"),
]


def run(tool: str, *arguments: str, given: str | None = None, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment."""
    command = [str(Path(sysconfig.get_path("scripts")) / tool), *arguments]
    return subprocess.run(
        command, check=False, input=given or "", capture_output=True, text=True, timeout=120, cwd=folder
    )


# --- ruff and mypy ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "snippet"), REFUSED_BY_RUFF)
def test_ruff_refuses(rule: str, snippet: str) -> None:
    name = "src/pico_a1111_proxy/web/snippet.py"
    done = run("ruff", "check", "--output-format=concise", "--stdin-filename", name, "-", given=snippet)
    assert done.returncode == 1
    assert f"{rule} " in done.stdout


def test_ruff_lets_good_code_through() -> None:
    good = '"""A module."""\n\nfrom __future__ import annotations\n'
    assert (
        run("ruff", "check", "--stdin-filename", "src/pico_a1111_proxy/web/snippet.py", "-", given=good).returncode == 0
    )


def test_mypy_is_strict(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text("def untyped(value):\n    return value\n")
    done = run("mypy", "--config-file", "pyproject.toml", "--cache-dir", str(tmp_path), str(snippet))
    assert "no-untyped-def" in done.stdout


# --- import contracts -------------------------------------------------------------------------------------------

# A line to add to a file, and the contract that it breaks.
BREACHES = {
    "pixels.py": ("import pico_a1111_proxy.frames", "Imports point down"),
    "frames.py": ("import asyncio", "The core does no I/O and knows no framework"),
    "doctor.py": ("import pico_a1111_proxy.upstreams.a1111", "Only wiring knows concrete upstreams and caches"),
    "proxy.py": ("import pico_a1111_proxy.settings", "Settings stop at the door"),
    "tickets.py": ("import pico_a1111_proxy.fleet.link", "Only wiring, and what is of the fleet, knows the fleet"),
    "helpers.py": ("", "Imports point down"),
}


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    return run("lint-imports", "--no-cache", "--config", str(ROOT / "pyproject.toml"), folder=folder)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with a copy of the package, which is the one that is found from there."""
    shutil.copytree(ROOT / "src" / "pico_a1111_proxy", tmp_path / "pico_a1111_proxy")
    return tmp_path


def test_the_contracts_are_kept(copied: Path) -> None:
    assert contracts(copied).returncode == 0


@pytest.mark.parametrize("name", BREACHES)
def test_an_import_against_a_contract_is_seen(copied: Path, name: str) -> None:
    line, contract = BREACHES[name]
    with (copied / "pico_a1111_proxy" / name).open("a") as file:
        file.write(f"\n{line}\n")
    done = contracts(copied)
    assert done.returncode == 1
    assert f"{contract} BROKEN" in done.stdout


# --- scripts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        missing("shellcheck is not installed")
    done = subprocess.run(
        [shellcheck, "-x", str(script)], check=False, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.stdout == ""


@pytest.mark.parametrize("script", ["scripts/run", "scripts/test", ".ci/run"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert (ROOT / script).read_text().startswith("#!/usr/bin/env bash\n")
