"""Writing: nothing is lost by accident, and a file is whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.commands import COMMAND, PATIENCE, enter, environment, refused, run, run_alone
from fakes.pictures import png
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert

FRAME = convert(png(), default_display(240, 240, invert=True)).data


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, monkeypatch)


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_nothing_is_written_over_by_accident(folder: Path) -> None:
    (folder / "sub").mkdir()
    for name in ("a.png", "a.jpg", "sub/a.png", "b.png"):
        (folder / name).write_bytes(png())
    same_name = "Error: Two of the files would get the same name, a.rgb565-be"
    itself = "Error: a.png would be written over itself"
    no_frame = "is a picture's name, and this is a frame: a preview is a PNG"

    refused(run("convert", "a.png", "sub/a.png", "sub"), 2, same_name)
    refused(run("convert", "a.png", "a.jpg", "."), 2, same_name)
    refused(run("preview", "a.png", "."), 2, itself)
    refused(run("preview", "a.png", "sub/../a.png"), 2, itself)
    refused(run("convert", "a.png", "a.jpg"), 2, f"Error: a.jpg {no_frame}")
    refused(run("convert", "a.png", "new.png"), 2, f"Error: new.png {no_frame}")
    refused(run("preview", "a.png", "a.jpg"), 2, "Error: a.jpg is no name for a PNG")
    refused(run("preview", "a.png", "a.rgb565-be"), 2, "Error: a.rgb565-be is no name for a PNG")
    another = "Error: b.png is a picture of another size: delete it first if it may go"
    refused(run("preview", "a.png", "b.png"), 2, another)
    assert {file.read_bytes() for file in folder.rglob("*.*")} == {png()}
    assert len(list(folder.rglob("*"))) == 5


def test_a_preview_is_made_again(folder: Path) -> None:
    (folder / "a.png").write_bytes(png())

    assert [run("preview", "a.png", "seen.png").exit_code for _ in range(2)] == [0, 0]


def run_with_small_files(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The command where no file may be longer than 1000 bytes, which ends a write in its middle as a full disk does."""
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
    program = limit + "from pico_a1111_proxy.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-B", "-W", "error", "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, timeout=PATIENCE, env=environment(), check=False)


def test_what_can_not_be_written_whole_leaves_what_was_there(folder: Path) -> None:
    (folder / "a.png").write_bytes(png())
    (folder / "old").write_bytes(b"old")

    for target in ("old", "new"):
        done = run_with_small_files("convert", "a.png", target)
        assert (done.returncode, done.stderr.decode()) == (1, f"{target}: File too large\n")
    assert names_in(folder) == ["a.png", "old"]
    assert (folder / "old").read_bytes() == b"old"


def test_a_link_and_the_rights_of_a_file_stay(folder: Path) -> None:
    (folder / "a.png").write_bytes(png())
    (folder / "there").write_bytes(b"old")
    (folder / "there").chmod(0o640)
    (folder / "link").symlink_to("there")

    assert run("convert", "a.png", "link").exit_code == 0
    assert (folder / "link").is_symlink()
    assert (folder / "there").read_bytes() == FRAME
    assert (folder / "there").stat().st_mode & 0o777 == 0o640


def test_a_device_is_written_to(folder: Path) -> None:
    (folder / "a.png").write_bytes(png())

    assert run_alone("convert", "a.png", "/dev/stdout").stdout == FRAME
    refused(run("convert", "a.png", "/dev/full"), 1, "/dev/full: No space left on device")


def test_an_interrupt_leaves_whole_frames_only(folder: Path) -> None:
    (folder / "a.png").write_bytes(png())
    os.mkfifo(folder / "b.png")
    command = [*COMMAND, "convert", "a.png", "b.png", "out/"]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, env=environment()) as process,
        (folder / "b.png").open("wb"),  # opens once the command waits for what it holds
    ):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)

    # In between Python may warn of the file that was being opened at that very moment.
    said = errors.split()
    assert (process.returncode, said[0], said[-1]) == (1, b"Converting", b"Aborted!")
    assert names_in(folder / "out") == ["a.rgb565-be"]
    assert (folder / "out/a.rgb565-be").read_bytes() == FRAME
