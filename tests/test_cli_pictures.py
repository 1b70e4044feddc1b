"""convert and preview: pictures become frames, frames become what the panel shows, with every option."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fakes.commands import enter, refused, run, run_alone
from fakes.pictures import encode, gradient, png
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert, preview
from pico_a1111_proxy.panels import DISPLAYS

GOLDEN = Path(__file__).parent / "golden"
DEFAULT = default_display(240, 240, invert=True)
LCD13 = DISPLAYS["waveshare-pico-lcd-1.3"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, monkeypatch)


# --- convert ---


def test_a_picture_becomes_the_golden_frame() -> None:
    result = run("convert", str(GOLDEN / "square.png"), "out.rgb565")

    assert (result.exit_code, result.output) == (0, "")
    assert Path("out.rgb565").read_bytes() == (GOLDEN / "square.rgb565-be").read_bytes()


def test_the_settings_shape_the_default_display(folder: Path) -> None:
    (folder / ".env").write_text("TARGET_WIDTH=16\nTARGET_HEIGHT=8\nLUMINANCE_INVERT=no\n")

    assert run("convert", "-", "-", stdin=png()).stdout_bytes == bytes.fromhex("f800") * 16 * 8


def test_a_named_display_needs_no_settings(folder: Path) -> None:
    (folder / ".env").write_text("TARGET_WIDTH=wrong\n")
    picture = encode(gradient())

    result = run("convert", "-", "-", "--display", LCD13.name, stdin=picture)
    assert result.stdout_bytes == convert(picture, LCD13).data
    refused(run("convert", "-", "-", stdin=picture), 1, "  TARGET_WIDTH: is a whole number")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--format rgb565-le --no-invert", "00f8"),
        ("--format bgr565-be --no-invert", "001f"),
        ("--format bgr565-le --no-invert", "1f00"),
        ("--invert", "07ff"),
        ("--display waveshare-pico-lcd-1.3", "f800"),
        ("--display waveshare-pico-lcd-1.3 --invert", "07ff"),
    ],
)
def test_options_as_in_a_query(options: str, words: str) -> None:
    result = run("convert", "-", "-", *options.split(), "--width", "3", "--height", "2", stdin=png())

    assert result.stdout_bytes.hex() == words * 6


def test_fit_turn_and_background() -> None:
    options = "--display waveshare-pico-lcd-1.3 --width 2 --height 4 --fit contain --background #0000FF --rotate 90"

    # Upright it is four wide and two high, red between two blue columns; turned, the columns are rows.
    result = run("convert", "-", "-", *options.split(), stdin=png(size=(2, 2)))
    assert result.stdout_bytes.hex() == "001f" * 2 + "f800" * 4 + "001f" * 2


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ("--linear-light", {"linear_light": True}),
        ("--no-linear-light --sharpen 0", {"linear_light": False, "sharpen": 0}),
        ("--sharpen 150 --dither none", {"sharpen": 150, "dither": "none"}),
        ("--format rgb332 --dither ordered", {"format": "rgb332", "dither": "ordered"}),
        (
            "--format mono-hlsb --dither blue-noise --fit contain",
            {"format": "mono-hlsb", "dither": "blue-noise", "fit": "contain"},
        ),
    ],
)
def test_every_option_of_a_profile(options: str, changes: dict[str, Any]) -> None:
    picture = encode(gradient((300, 200)))

    result = run("convert", "-", "-", "--display", LCD13.name, *options.split(), stdin=picture)
    assert result.stdout_bytes == convert(picture, replace(LCD13, **changes)).data


def test_a_pipe_carries_nothing_but_the_frame() -> None:
    picture = encode(gradient())
    result = run_alone("convert", "-", "-", stdin=picture)

    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == convert(picture, DEFAULT).data


# --- preview ---


@pytest.mark.parametrize("rotate", ["0", "90"])
def test_a_frame_and_its_picture_have_the_same_preview(rotate: str) -> None:
    options = ["--display", "waveshare-pico-lcd-1.14", "--rotate", rotate]
    picture = encode(gradient())

    frame = run("convert", "-", "-", *options, stdin=picture).stdout_bytes
    seen = run("preview", "-", "-", *options, stdin=frame).stdout_bytes

    assert seen == run("preview", "-", "-", *options, stdin=picture).stdout_bytes
    assert Image.open(io.BytesIO(seen)).size == ((240, 135) if rotate == "0" else (135, 240))


def test_a_frame_that_begins_like_a_picture_is_a_frame() -> None:
    data = b"\xff\xd8\xff\xe0" + bytes(115200 - 4)

    seen = Image.open(io.BytesIO(run("preview", "-", "-", stdin=data).stdout_bytes))
    assert seen.getpixel((239, 239)) == (255, 255, 255)


def test_a_picture_as_long_as_a_frame_is_a_picture() -> None:
    picture = encode(gradient())
    picture += bytes(-len(picture) % 512)  # readers stop where the PNG ends
    shape = ["--format", "gs8", "--width", "512", "--height", str(len(picture) // 512)]

    seen = run("preview", "-", "-", *shape, stdin=picture).stdout_bytes
    assert seen == run("preview", "-", "-", *shape, stdin=encode(gradient())).stdout_bytes


def test_the_preview_is_that_of_the_service() -> None:
    frame = convert(encode(gradient()), DEFAULT)

    assert run("preview", "-", "-", stdin=frame.data).stdout_bytes == preview(frame, DEFAULT)


def test_bytes_that_are_no_frame_are_told() -> None:
    sentence = "standard input: Failed to process image: 5 bytes are no 240x240 rgb565-be frame, which has 115200"

    refused(run("preview", "-", "-", stdin=b"12345"), 1, sentence)
