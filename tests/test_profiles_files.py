"""The file of one's own displays: found, read, and part of the settings with all that is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.profiles import ProfilesError, read_profiles
from pico_a1111_proxy.settings import SettingsError, read_settings

DEFAULT = default_display(240, 240, invert=True)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DISPLAYS_FILE", "TARGET_WIDTH", "TARGET_HEIGHT", "LUMINANCE_INVERT", "MAX_WORKERS"):
        monkeypatch.delenv(name, raising=False)


def fault_of(file: str) -> str:
    """What this file is refused with."""
    with pytest.raises(ProfilesError) as caught:
        read_profiles(file, DEFAULT)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[a]\nwidth = \n", 2),
        ("[a\n", 1),
        ("[a]\nwidth = 1\nwidth = 2\n", 3),
        ("[a]\n[a]\n", 2),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int) -> None:
    Path("own.toml").write_text(text)
    told = fault_of("own.toml")
    assert told.startswith("own.toml is no TOML: ")
    assert f"(at line {line}, column " in told
    assert len(told.splitlines()) == 1


def test_what_is_nested_without_end_is_told_as_well() -> None:
    Path("own.toml").write_text("a = " + "[" * 100_000)
    assert fault_of("own.toml").startswith(("own.toml is nested too deeply", "own.toml is no TOML: "))


def test_a_file_that_can_not_be_read() -> None:
    Path("latin.toml").write_bytes(b'[a]\nlabel = "h\xf6chstens"\n')
    assert fault_of("missing.toml") == "missing.toml can't be read: No such file or directory"
    assert fault_of(".") == ". can't be read: Is a directory"
    assert fault_of("latin.toml/x.toml") == "latin.toml/x.toml can't be read: Not a directory"
    os.mkfifo("pipe.toml")
    assert fault_of("pipe.toml") == "pipe.toml can't be read: it is no file"
    assert fault_of("latin.toml") == "latin.toml can't be read: it is not UTF-8 text"
    assert fault_of("a\0b").endswith("can't be read: no file can be called so")
    assert fault_of("~nobody-of-this-name/x.toml").endswith("can't be read: no file can be called so")


def test_a_relative_path_begins_in_the_working_directory_and_a_tilde_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("own.toml").write_text("[a]\nwidth = 1\nheight = 1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for file in ("own.toml", "./own.toml", "~/own.toml", str(tmp_path / "own.toml")):
        profiles = read_profiles(file, DEFAULT)
        assert (profiles.file, list(profiles.displays)) == (file, ["a"])


def test_in_the_settings_they_come_after_the_known_ones_and_may_replace_them() -> None:
    Path("own.toml").write_text(
        '[hall]\nlike = "default"\n["waveshare-pico-lcd-2"]\nlike = "hall"\nwidth = 7\n', encoding="utf-8"
    )
    settings = read_settings(None, displays_file="own.toml", target_width=64, luminance_invert=False)
    assert list(settings.displays) == ["default", *DISPLAYS, "hall"]
    assert next(iter(settings.displays.values())) == settings.default_display
    assert (settings.displays["hall"].width, settings.displays["hall"].invert) == (64, False)
    assert settings.displays["waveshare-pico-lcd-2"].width == 7
    settings.model_dump_json()


def test_without_a_file_there_are_the_default_and_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(read_settings(None).displays) == ["default", *DISPLAYS]
    monkeypatch.setenv("DISPLAYS_FILE", "")
    assert list(read_settings(None).displays) == ["default", *DISPLAYS]


def test_the_environment_and_dotenv_name_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("own.toml").write_text("[a]\nwidth = 1\nheight = 1\n")
    Path(".env").write_text("DISPLAYS_FILE=own.toml\n")
    assert "a" in read_settings().displays
    monkeypatch.setenv("DISPLAYS_FILE", "./own.toml")
    assert "a" in read_settings(None).displays


def test_its_faults_join_those_of_all_other_settings() -> None:
    Path("own.toml").write_text('[hall]\nlike = "default"\n[a]\nwidth = 0\n')
    with pytest.raises(SettingsError) as caught:
        read_settings(None, displays_file="own.toml", target_width=0, max_workers=0)
    assert str(caught.value).split("\n  ") == [
        "4 wrong settings:",
        "TARGET_WIDTH: is at least 1",
        "DISPLAYS_FILE: a.width: '0' is not a whole number from 1 to 1024",
        "DISPLAYS_FILE: a.height: is missing: a display has width and height, or like",
        "MAX_WORKERS: is at least 1",
    ]
    with pytest.raises(SettingsError, match=r"DISPLAYS_FILE: none\.toml can't be read: No such file or directory$"):
        read_settings(None, displays_file="none.toml")
