"""package.json for mip: all of the library and nothing else, put on a board by the real mpremote as the README says."""

from __future__ import annotations

import ast
import functools
import http.server
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from clients.node import why_not
from fakes.serial import SerialBoard, open_serial_board
from missing import missing

ROOT = Path(__file__).parents[2]
DEVICE = ROOT / "device"
README = (DEVICE / "README.md").read_text(encoding="utf-8")
PACKAGE = json.loads((DEVICE / "package.json").read_text(encoding="utf-8"))
BOARDS = {f"boards/{file.name}" for file in DEVICE.glob("boards/*.py")}
LIBRARY = {"frame_client.py", "panel.py", *BOARDS}
INSTALLED = {f"/lib/{name}" for name in LIBRARY}
STAND_INS = ROOT / "src" / "pico_a1111_proxy" / "simulator" / "modules"


def needs(file: str) -> set[str]:
    """The files beside it that this one imports, and that those import."""
    found: set[str] = set()
    waiting = [file]
    while waiting:
        for node in ast.walk(ast.parse((DEVICE / waiting.pop()).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            new = {f"{name}.py" for name in names if (DEVICE / f"{name}.py").exists()} - found
            found |= new
            waiting += new
    return found


FRAME = {"main.py", *needs("main.py")} - LIBRARY  # what is on a board beside the library


def test_the_package_lists_the_library_and_nothing_else() -> None:
    targets = [target for target, _ in PACKAGE["urls"]]
    assert sorted(targets) == sorted(LIBRARY)
    assert [source for _, source in PACKAGE["urls"]] == targets, "they are where they are found"
    assert (PACKAGE["version"], PACKAGE["deps"]) == (version("pico-a1111-proxy"), [])


def test_the_library_needs_nothing_but_itself() -> None:
    assert set().union(*(needs(file) for file in LIBRARY)) <= LIBRARY
    assert {"frame_client.py", "panel.py", "picture_frame.py"} <= needs("main.py")


# --- On a board ------------------------------------------------------------------------------------------------


@pytest.fixture
def board() -> Iterator[SerialBoard]:
    """A board that mpremote reaches, with nothing on it. Without node: skipped, and in CI failed."""
    reason = why_not()
    if reason is not None:
        missing(reason)
    with open_serial_board("node") as board:
        yield board


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the checkout's device folder, in a folder of its own."""
    shutil.copytree(DEVICE, tmp_path / "device")
    return tmp_path


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web server of files that logs nothing."""

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which the files of `folder` are."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def shown(heading: str) -> list[list[str]]:
    """The words of each mpremote command below that heading of the README, without the first."""
    text = README.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    assert text, f"the README has no {heading}"
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)).replace("\\\n", " ")
    return [line.partition(" #")[0].split()[1:] for line in blocks.splitlines() if line.startswith("mpremote ")]


def follow(board: SerialBoard, heading: str, folder: Path) -> None:
    """Do what the README says there; only a reset is left out, which this board can't do."""
    commands = [words for words in shown(heading) if words != ["reset"]]
    assert commands
    for words in commands:
        board.mpremote(*words, folder=folder)


def test_mip_installs_it_from_a_checkout_and_it_can_be_imported(board: SerialBoard, copy: Path) -> None:
    follow(board, "### The library", copy)
    assert board.files() == INSTALLED
    lend_modules(board)
    modules = [name.removesuffix(".py").replace("/", ".") for name in sorted(BOARDS)]
    board.run("\n".join(f"import {module}; {module}.DISPLAY" for module in modules))
    board.run("from panel import Panel; from frame_client import FrameClient")


def test_mip_installs_it_from_a_web_server(board: SerialBoard, copy: Path) -> None:
    few = {**PACKAGE, "urls": PACKAGE["urls"][:3]}  # it is a long way for all
    (copy / "device" / "package.json").write_text(json.dumps(few))
    for name, _ in few["urls"]:
        (copy / "device" / name).write_text(name)
    with served(copy / "device") as url:
        board.mpremote("mip", "install", f"{url}/package.json")
    contents = {name: board.run(f"print(open('{name}').read())").strip() for name in board.files()}
    assert contents == {f"/lib/{name}": name for name, _ in few["urls"]}


def test_without_mip_library_and_picture_frame_get_to_their_places(board: SerialBoard, copy: Path) -> None:
    follow(board, "### Without mip", copy)
    library = {"/lib/frame_client.py", "/lib/panel.py", "/lib/boards/waveshare_pico_lcd_1_3.py"}
    assert board.files() == library
    shutil.copy(copy / "device" / "config.example.json", copy / "device" / "config.json")
    follow(board, "### Onto the board", copy)
    assert board.files() - library == {*(f"/{name}" for name in FRAME), "/config.json"}
    lend_modules(board)
    assert board.run("import main; print(main.main)"), "it runs only as the main program"
    assert json.loads(board.run("print(open('config.json').read())")) == json.loads(
        (DEVICE / "config.example.json").read_text(encoding="utf-8")
    )


def test_a_file_that_is_missing_is_no_success(board: SerialBoard, copy: Path) -> None:
    (copy / "device" / "frame_client.py").unlink()
    with pytest.raises(AssertionError, match=r"frame_client\.py"):
        board.mpremote("mip", "install", "device/package.json", folder=copy)


def lend_modules(board: SerialBoard) -> None:
    """Put on the board what its firmware brings and this build has not got; nothing of it is called."""
    board.run("open('/lib/_wire.py', 'w').close()")
    names = ("machine.py", "network.py", "select.py", "socket.py")
    board.mpremote("fs", "cp", *(str(STAND_INS / name) for name in names), ":/lib/")
