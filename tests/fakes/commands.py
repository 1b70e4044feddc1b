"""The command line as a person uses it: in this process, or in one of its own as from a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pico_a1111_proxy.cli import main
from pico_a1111_proxy.settings import Settings

PATIENCE = 120  # seconds; reached only by a command that hangs
COMMAND = [sys.executable, "-W", "error", "-m", "pico_a1111_proxy"]


def environment(**ours: str) -> dict[str, str]:
    """What this process has, without any setting of the service but these; without CACHE_DIR nothing is remembered."""
    others = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    caching = {} if "CACHE_DIR" in ours else {"ENABLE_CACHING": "false"}
    return {**others, **caching, **ours}


def enter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with no .env, and with no setting in the environment."""
    monkeypatch.chdir(folder)
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)
    return folder


def run(*arguments: str, stdin: bytes = b"") -> Result:
    """The command in this process."""
    return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)


def run_alone(*arguments: str, stdin: bytes = b"", **ours: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own, as from a shell."""
    env = environment(**ours)
    return subprocess.run(
        [*COMMAND, *arguments], input=stdin, capture_output=True, timeout=PATIENCE, env=env, check=False
    )


def refused(result: Result, status: int, sentence: str) -> None:
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.splitlines()[-1] == sentence
