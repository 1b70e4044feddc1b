"""Files, folders and pipes: what is read, what is never lost, and what goes wrong in one sentence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from fakes.commands import COMMAND, PATIENCE, enter, environment, refused, run
from fakes.pictures import BLUE, RED, encode, gradient, png
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert

DEFAULT = default_display(240, 240, invert=True)
FRAME = convert(png(), DEFAULT).data


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, monkeypatch)


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
        "sub: holds nothing to work on",
        "cut.png: Failed to process image: the PNG is damaged or cut off",
        "missing.png: No such file or directory",
    ]
    assert sorted(file.name for file in (folder / "sub").iterdir()) == ["good1.rgb565-be", "good2.rgb565-be"]


def test_a_target_that_can_not_be_written_is_the_one_that_is_told(folder: Path) -> None:
    (folder / "a.png").write_bytes(png())

    refused(run("convert", "a.png", "nowhere/a.rgb565"), 1, "nowhere/a.rgb565: No such file or directory")


# --- folders ---


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_of_a_folder_the_pictures_are_taken_by_what_they_are(folder: Path) -> None:
    for name, data in {
        "b.PNG": png(),
        "a b": png(BLUE),
        "broken.jpg": b"hello",
        "notes.txt": b"hello",
        "old.rgb565-le": b"\xff\xd8\xff" + bytes(97),  # a frame that begins like a JPEG
        ".hidden.png": png(),
        "sub/c.png": png(),
    }.items():
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_bytes(data)

    result = run("convert", "in", "out/")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "in/broken.jpg: Failed to process image: unsupported format"
    assert names_in(folder / "out") == ["a b.rgb565-be", "b.rgb565-be"]
    assert (folder / "out/b.rgb565-be").read_bytes() == FRAME


def test_a_preview_also_takes_the_frames_of_a_folder(folder: Path) -> None:
    (folder / "in").mkdir()
    for name, data in {
        "a.rgb565-be": FRAME,
        "b.bin": FRAME,
        "c.png": png(),
        "d.bin": b"1",
        "e.rgb565-be": b"1",
    }.items():
        (folder / "in" / name).write_bytes(data)

    result = run("preview", "in", "out/")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[1:] == [
        "in/e.rgb565-be: Failed to process image: 1 bytes are no 240x240 rgb565-be frame, which has 115200"
    ]
    assert names_in(folder / "out") == ["a.png", "b.png", "c.png"]


def test_a_folder_needs_a_folder(folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "in/a.png").write_bytes(png())

    refused(run("convert", "in", "out"), 2, "Error: There is no folder out for several files; out/ makes it")
    refused(run("convert", "in", "-"), 2, "Error: Standard output takes one file: name a folder for several")
    assert run("convert", "in", "in").exit_code == 0
    assert names_in(folder / "in") == ["a.png", "a.rgb565-be"]


@pytest.mark.parametrize("name", ["a b", "\u00fc\u2014\u00f6", "new\nline", "-x", "x" * 240])
def test_strange_names(folder: Path, name: str) -> None:
    (folder / "in").mkdir()
    (folder / "in" / f"{name}.png").write_bytes(png())

    assert run("convert", "in", "out/").exit_code == 0
    assert run("convert", "--", f"in/{name}.png", f"{name}.raw").exit_code == 0
    assert (folder / f"out/{name}.rgb565-be").read_bytes() == (folder / f"{name}.raw").read_bytes() == FRAME


def test_a_name_makes_no_second_line(folder: Path) -> None:
    name = "a\nb\x1b[31m.png"
    (folder / name).write_bytes(b"hello")

    result = run("convert", name, "out")
    refused(result, 1, r"'a\nb\x1b[31m.png': Failed to process image: unsupported format")
    assert len(result.stderr.splitlines()) == 1


# --- pipes and signals ---


def test_from_a_pipe_into_a_folder(folder: Path) -> None:
    assert run("convert", "-", "out/", stdin=png()).exit_code == 0
    assert names_in(folder / "out") == ["stdin.rgb565-be"]
    refused(run("convert", "-", "-", "out"), 2, "Error: Standard input can be read only once")


def test_whoever_stops_reading_is_no_fault(folder: Path) -> None:
    (folder / "a.png").write_bytes(png())
    command = [*COMMAND, "convert", "a.png", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, errors) == (1, b"")


@pytest.mark.parametrize(
    ("shell", "sentence"),
    [
        ("convert a.png - >/dev/full", "standard output: No space left on device\n"),
        ("convert a.png - --width 4 --height 4 >/dev/full", "standard output: No space left on device\n"),
        ("convert a.png - >&-", "standard output: Bad file descriptor\n"),
        ("convert - - <&-", "standard input: Bad file descriptor\n"),
    ],
)
def test_what_the_shell_gives_is_told(folder: Path, shell: str, sentence: str) -> None:
    (folder / "a.png").write_bytes(png())
    env = environment(PYTHONUNBUFFERED="")  # a small frame is then still in Python's hands when the write fails
    command = ["sh", "-c", f'"$@" {shell}', "sh", *COMMAND]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, env=env, check=False, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", sentence)


def test_no_frame_goes_to_a_terminal(folder: Path) -> None:
    (folder / "a.png").write_bytes(png())
    ours, theirs = os.openpty()
    try:
        command = [*COMMAND, "convert", "a.png", "-"]
        streams = {"stdout": theirs, "stderr": subprocess.PIPE}
        done = subprocess.run(command, **streams, timeout=PATIENCE, env=environment(), check=False, text=True)
    finally:
        os.close(ours)
        os.close(theirs)

    assert done.returncode == 2
    assert done.stderr.endswith("Standard output is a terminal: name a file, or send it into a pipe\n")
