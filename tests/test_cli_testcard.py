"""testcard: the frame of a display's test card, and the PNG of what the panel has to show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes.commands import enter, refused, run
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert, preview
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.testcards import draw_testcard

LCD2 = DISPLAYS["waveshare-pico-lcd-2"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, monkeypatch)


def test_it_is_the_frame_of_the_card() -> None:
    display = default_display(240, 240, invert=True)

    result = run("testcard")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes == convert(draw_testcard(display), display).data


def test_options_change_the_card(folder: Path) -> None:
    display = replace(LCD2, rotate=90, format="rgb332")

    assert run("testcard", "card", "--display", LCD2.name, "--rotate", "90", "--format", "rgb332").exit_code == 0
    assert (folder / "card").read_bytes() == convert(draw_testcard(display), display).data


def test_what_the_panel_has_to_show(folder: Path) -> None:
    assert run("testcard", "card.png", "--preview", "--display", LCD2.name).exit_code == 0
    assert (folder / "card.png").read_bytes() == preview(convert(draw_testcard(LCD2), LCD2), LCD2)


def test_in_a_folder_it_has_its_name(folder: Path) -> None:
    (folder / "out").mkdir()

    assert run("testcard", "out").exit_code == 0
    assert run("testcard", "out", "--preview").exit_code == 0
    assert sorted(file.name for file in (folder / "out").iterdir()) == ["testcard.png", "testcard.rgb565-be"]


def test_what_goes_wrong_is_one_sentence() -> None:
    name = "Error: card.png is a picture's name, and this is a frame: a preview is a PNG"

    refused(run("testcard", "card.png"), 2, name)
    refused(run("testcard", "nowhere/card"), 1, "Error: nowhere/card: No such file or directory")
