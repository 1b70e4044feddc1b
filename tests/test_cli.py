"""The command line: files, folders and pipes, and what goes wrong in one sentence."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from fakes.pictures import BLUE, RED, encode, gradient, png
from pico_a1111_proxy.cli import main
from pico_a1111_proxy.displays import DISPLAYS, default_display
from pico_a1111_proxy.frames import convert, preview
from pico_a1111_proxy.settings import Settings

GOLDEN = Path(__file__).parent / "golden"
DEFAULT = default_display(240, 240, invert=True)
LCD13 = DISPLAYS["waveshare-pico-lcd-1.3"]
PATIENCE = 20  # seconds; reached only by a command that hangs
COMMAND = [sys.executable, "-W", "error", "-m", "pico_a1111_proxy"]


def environment(**ours: str) -> dict[str, str]:
    """What this process has, without any setting of the service but these."""
    others = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    return {**others, **ours}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with no .env, and no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)
    return tmp_path


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


def test_many_files_go_into_a_folder_with_a_bar(folder: Path) -> None:
    names = ["a.png", "b.jpg", "c.webp", "d.gif", "e.bmp"]
    for name, form in zip(names, ("PNG", "JPEG", "WEBP", "GIF", "BMP"), strict=True):
        (folder / name).write_bytes(encode(Image.new("RGB", (4, 4), RED), form))
    (folder / "out").mkdir()

    result = run("convert", *names, "out")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("Converting")
    assert sorted(file.name for file in (folder / "out").iterdir()) == [f"{stem}.rgb565-be" for stem in "abcde"]
    assert (folder / "out/a.rgb565-be").read_bytes() == convert((folder / "a.png").read_bytes(), DEFAULT).data


def test_a_frame_that_starts_like_a_jpeg_is_written_again(folder: Path) -> None:
    (folder / "white.png").write_bytes(png((255, 251, 197)))
    again = ("convert", "white.png", "white.rgb565", "--no-invert")

    assert [run(*again).exit_code, run(*again).exit_code] == [0, 0]
    assert (folder / "white.rgb565").read_bytes()[:3] == b"\xff\xd8\xff"


def test_a_folder_that_ends_in_a_slash_is_made(folder: Path) -> None:
    (folder / "photo.png").write_bytes(png())

    assert run("convert", "photo.png", "new/frames/").exit_code == 0
    assert (folder / "new/frames/photo.rgb565-be").stat().st_size == 115200
    refused(run("convert", "photo.png", "photo.png/"), 2, "Error: The folder photo.png/ can't be made: File exists")


@pytest.mark.parametrize("target", [".", "./"])
def test_one_file_into_a_folder_gets_its_name(folder: Path, target: str) -> None:
    (folder / "photo.png").write_bytes(png())

    assert run("convert", "photo.png", target, "--format", "bgr565-le").exit_code == 0
    assert (folder / "photo.bgr565-le").stat().st_size == 115200


def test_what_is_broken_does_not_stop_the_others(folder: Path) -> None:
    (folder / "good1.png").write_bytes(png())
    (folder / "cut.png").write_bytes(encode(gradient())[:60])
    (folder / "good2.png").write_bytes(png(BLUE))
    (folder / "sub").mkdir()

    result = run("convert", "good1.png", "cut.png", "missing.png", "sub", "good2.png", "sub/")

    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if not line.startswith("Converting")]
    assert told == [
        "cut.png: Failed to process image: the PNG is damaged or cut off",
        "missing.png: No such file or directory",
        "sub: Is a directory",
    ]
    assert sorted(file.name for file in (folder / "sub").iterdir()) == ["good1.rgb565-be", "good2.rgb565-be"]


def test_a_target_that_can_not_be_written_is_the_one_that_is_told(folder: Path) -> None:
    (folder / "a.png").write_bytes(png())

    refused(run("convert", "a.png", "nowhere/a.rgb565"), 1, "nowhere/a.rgb565: No such file or directory")


def test_nothing_is_written_over_by_accident(folder: Path) -> None:
    (folder / "sub").mkdir()
    for name in ("a.png", "a.jpg", "sub/a.png"):
        (folder / name).write_bytes(png())
    same_name = "Error: Two of the files would get the same name"
    itself = "Error: A file would be written over itself"

    refused(run("convert", "a.png", "sub/a.png", "sub"), 2, same_name)
    refused(run("convert", "a.png", "a.jpg", "."), 2, same_name)
    refused(run("preview", "a.png", "."), 2, itself)
    refused(run("convert", "a.png", "sub/../a.png"), 2, itself)
    refused(run("convert", "a.png", "a.jpg"), 2, "Error: a.jpg is a picture, and a frame would be written over it")
    assert {(folder / name).read_bytes() for name in ("a.png", "a.jpg", "sub/a.png")} == {png()}
    assert len(list(folder.rglob("*"))) == 4


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


def test_the_preview_is_that_of_the_service() -> None:
    frame = convert(encode(gradient()), DEFAULT)

    assert run("preview", "-", "-", stdin=frame.data).stdout_bytes == preview(frame, DEFAULT)


def test_bytes_that_are_no_frame_are_told() -> None:
    sentence = "-: Failed to process image: 5 bytes are no 240x240 rgb565-be frame, which has 115200"

    refused(run("preview", "-", "-", stdin=b"12345"), 1, sentence)


# --- usage ---


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("frobnicate", "Error: No such command 'frobnicate'."),
        ("convert a.png", "Error: Missing argument 'SOURCES...'."),
        ("convert a.png b.png missing", "Error: There is no folder missing for what is to be written"),
        ("convert a.png b.png -", "Error: There is no folder - for what is to be written"),
        ("convert - - --rotate 45", "Error: Invalid value for '--rotate': '45' is not one of '0', '90', '180', '270'."),
        ("convert - - --width 0", "Error: Invalid value for '--width': 0 is not in the range 1<=x<=1024."),
        (
            "convert - - --background red",
            "Error: Invalid value for --background: 'red' is not a colour such as #000000",
        ),
        ("serve --port 70000", "Error: Invalid value for '--port': 70000 is not in the range 0<=x<=65535."),
        ("doctor now", "Error: Got unexpected extra argument (now)"),
    ],
)
def test_wrong_usage_is_told_with_status_2(arguments: str, sentence: str) -> None:
    refused(run(*arguments.split()), 2, sentence)


@pytest.mark.parametrize("command", ["", "serve", "demo", "convert", "preview", "doctor", "check-config"])
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


# --- processes ---


def test_the_module_is_the_command() -> None:
    result = run_alone("--version")

    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode().strip().endswith(f" {version('pico-a1111-proxy')}")


def test_a_pipe_carries_nothing_but_the_frame() -> None:
    picture = encode(gradient())
    result = run_alone("convert", "-", "-", stdin=picture)

    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == convert(picture, DEFAULT).data
