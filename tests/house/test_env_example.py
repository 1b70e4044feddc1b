""".env.example: with its settings uncommented, exactly the settings there are, each with its default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pico_a1111_proxy.settings import Settings, read_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
SETTING = re.compile(r"#([A-Z][A-Z0-9_]*)=(.*)")  # a remark has a blank after its #

LINES = EXAMPLE.read_text(encoding="utf-8").splitlines()
GIVEN = [match.groups() for match in map(SETTING.fullmatch, LINES) if match]


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_it_names_every_setting_once_and_nothing_else() -> None:
    assert sorted(name for name, _ in GIVEN) == sorted(name.upper() for name in Settings.model_fields)


def test_every_other_line_is_a_remark_or_empty() -> None:
    assert [line for line in LINES if line and not line.startswith("# ") and not SETTING.fullmatch(line)] == []


def test_uncommented_it_is_accepted_and_changes_nothing(tmp_path: Path) -> None:
    uncommented = tmp_path / ".env"
    uncommented.write_text("".join(f"{name}={value}\n" for name, value in GIVEN), encoding="utf-8")
    assert read_settings(str(uncommented)) == read_settings(None)


@pytest.mark.parametrize(("name", "value"), GIVEN)
def test_only_a_setting_without_a_value_is_left_empty(name: str, value: str) -> None:
    assert bool(value) == (Settings.model_fields[name.lower()].default not in (None, ""))
