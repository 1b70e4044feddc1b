"""panel: the programs of device/ on a simulated board, as a person starts them."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

from fakes.a1111 import ScriptedA1111, answer
from fakes.commands import COMMAND, PATIENCE, enter, environment, refused, run
from fakes.pictures import encode, gradient
from pico_a1111_proxy.panels import DISPLAYS
from service import Service, open_service

LCD = "waveshare-pico-lcd-0.96"
SIZE = (160, 80)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, monkeypatch)


async def panel(*arguments: str) -> Result:
    """The command, while the service answers it."""
    return await asyncio.to_thread(run, "panel", *arguments)


def seen(png: bytes | Path) -> Image.Image:
    return Image.open(io.BytesIO(png if isinstance(png, bytes) else png.read_bytes())).convert("RGB")


# --- Pictures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("display", [LCD, "waveshare-pico-lcd-1.44", "waveshare-restouch-3.5"])
async def test_the_png_is_what_the_panel_has_to_show(service: Service, upstream: ScriptedA1111, display: str) -> None:
    upstream.script = [answer(encode(gradient((320, 320))), info=json.dumps({"seed": 7}))]

    result = await panel("a cat", "--seed", "5", "--display", display, "--url", service.url, "--png", "-")

    assert (result.exit_code, result.stderr) == (0, "Seed 7\n")
    (asked,) = upstream.generations
    assert {"prompt": "a cat", "seed": 5}.items() <= json.loads(asked.body).items()
    shown = await service.ask("GET", f"/displays/{display}/frame?answer=preview")
    assert seen(result.stdout_bytes) == seen(shown.body)


async def test_without_a_prompt_there_is_one(service: Service, upstream: ScriptedA1111, folder: Path) -> None:
    result = await panel("--live", "--display", LCD, "--url", f"{service.url}/", "--png", "out.png")

    assert result.exit_code == 0
    assert json.loads(upstream.generations[0].body)["prompt"] == "a mountain lake at sunset"
    assert seen(folder / "out.png").size == SIZE


async def test_the_newest_frame(folder: Path) -> None:
    newest = ("--newest", "--once", "--display", LCD, "--png", "out.png")
    async with open_service(a1111_base_url="demo:") as service:
        refused(await panel(*newest, "--url", service.url), 1, "Error: Nothing has been drawn for this display yet")
        assert not (folder / "out.png").exists()
        pushed = await service.ask("POST", f"/displays/{LCD}/frame?answer=preview", encode(gradient()))

        assert (await panel(*newest, "--url", service.url)).exit_code == 0
    assert seen(folder / "out.png") == seen(pushed.body)


async def test_what_the_client_says_is_the_error(folder: Path) -> None:
    async with open_service(a1111_base_url="demo:", service_api_key="secret") as service:
        asked = ("--display", LCD, "--url", service.url, "--png", "out.png")
        refused(await panel(*asked), 1, "Error: Invalid or missing API key")
        assert (await panel(*asked, "--key", "secret")).exit_code == 0


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://127.0.0.1:1", r"Error: 127\.0\.0\.1:1 does not answer \(.*\)"),
        ("http://nowhere..invalid", r"Error: no address is known for nowhere\.\.invalid \(.*\)"),
        ("http://127.0.0.1:x", r"Error: .+"),
    ],
)
def test_no_service(folder: Path, url: str, sentence: str) -> None:
    result = run("panel", "--url", url, "--png", "out.png")

    assert (result.exit_code, list(folder.iterdir())) == (1, [])
    assert re.fullmatch(f"{sentence}\n", result.stderr)


# --- What is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Standard output is no terminal: name a file with --png"),
        (["a cat", "--newest", "--png", "x"], "PROMPT and --newest don't go together"),
        (["--once", "--png", "x"], "--once goes with --newest"),
        (["--newest", "--seed", "1", "--png", "x"], "--seed and --newest don't go together"),
        (["--newest", "--live", "--png", "x"], "--live and --newest don't go together"),
    ],
)
def test_wrong_usage(arguments: list[str], sentence: str) -> None:
    refused(run("panel", *arguments), 2, f"Error: {sentence}")


def test_a_display_without_a_board_names_those_with_one() -> None:
    result = run("panel", "--display", "pimoroni-presto", "--png", "x")

    assert result.exit_code == 2
    assert "no file for pimoroni-presto on a Pico in device/boards; there are " in result.stderr
    named = result.stderr.rpartition("there are ")[2].strip().split(", ")
    assert {LCD, "waveshare-pico-lcd-1.3"} <= set(named) <= set(DISPLAYS) - {"pimoroni-presto"}
    assert run("panel", "--display", "waveshare", "--png", "x").exit_code == 2


def test_a_png_that_can_not_be_written() -> None:
    refused(run("panel", "--png", "nowhere/x.png"), 1, "Error: nowhere/x.png: No such file or directory")


# --- Programs ---------------------------------------------------------------------------------------------------

FILLS = """
import sys
from boards import waveshare_pico_lcd_0_96 as board
from panel import Panel
from colours import RED

panel = Panel(board)
panel.fill(RED)
print("filled")
"""


def write(folder: Path, program: str) -> None:
    (folder / "main.py").write_text(program)
    (folder / "colours.py").write_text("RED = 0xFFFF\n")
    (folder / "config.json").write_text('{"board": "waveshare_pico_lcd_0_96"}')


def test_a_program_on_the_board_of_its_config(folder: Path) -> None:
    write(folder, FILLS)

    result = run("panel", "--program", "main.py", "--png", "out.png")

    assert (result.exit_code, result.stderr) == (0, "filled\n")
    image = seen(folder / "out.png")
    assert (image.size, image.getextrema()) == (SIZE, ((255, 255),) * 3)


def test_a_program_on_another_display(folder: Path) -> None:
    write(folder, FILLS)

    assert run("panel", "--program", "main.py", "--png", "o.png", "--display", "pimoroni-display").exit_code == 0
    assert seen(folder / "o.png").size == (240, 135)


def test_what_a_program_does_not_catch_is_told_from_its_own_first_line_on(folder: Path) -> None:
    write(folder, FILLS + "\n1 / 0\n")

    result = run("panel", "--program", "main.py", "--png", "out.png")

    assert result.exit_code == 1
    told = result.stderr.splitlines()
    assert told[:3] == ["filled", "Error: Traceback (most recent call last):", '  File "main.py", line 11, in <module>']
    assert told[-1] == "ZeroDivisionError: division by zero"


def test_a_board_that_is_reset_starts_again_with_its_files(folder: Path) -> None:
    again = "    open('one', 'w').close()\n    machine.reset()\n"
    write(folder, f"import machine\ntry:\n    open('one').close()\nexcept OSError:\n{again}")

    result = run("panel", "--program", "main.py", "--png", "out.png")

    assert (result.exit_code, result.stderr) == (0, "The board starts again: machine.reset()\n")


# --- The terminal -----------------------------------------------------------------------------------------------


class Terminal:
    """What a command draws in a terminal, and what is typed there."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.drawn = ""

    def read_until(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.drawn:
            assert time.monotonic() < deadline, self.drawn[-500:]
            if select.select([self.file], [], [], 1)[0]:
                self.drawn += os.read(self.file, 65536).decode("utf-8", "replace")

    def read_to_the_end(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, self.drawn[-500:]
            if not select.select([self.file], [], [], 1)[0]:
                continue
            try:
                data = os.read(self.file, 65536)
            except OSError:  # Linux's word for the end of a terminal
                return
            if not data:
                return
            self.drawn += data.decode("utf-8", "replace")


@contextmanager
def in_terminal(*arguments: str) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    ours, theirs = pty.openpty()
    env = environment(COLUMNS="100", LINES="40")
    command = [*COMMAND, "panel", *arguments]
    try:
        with subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
        ) as process:
            os.close(theirs)
            try:
                yield Terminal(ours), process
            finally:
                process.kill()
    finally:
        os.close(ours)


def test_keys_are_buttons_and_ctrl_c_is_the_end(folder: Path) -> None:
    write(
        folder,
        FILLS
        + """
import machine, time
pins = {name: machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP) for name, number in board.BUTTONS.items()}
seen = set()
print("ready", sorted(pins)[0])
try:
    while True:
        time.sleep_ms(20)
        for name, pin in pins.items():
            if not pin() and name not in seen:
                seen.add(name)
                print("pressed", name)
except KeyboardInterrupt:
    print("left")
""",
    )
    with in_terminal("--program", "main.py") as (terminal, process):
        terminal.read_until("ready A")
        for typed, name in (("a", "A"), ("\x1b[A", "UP"), ("\r", "PRESS")):
            os.write(terminal.file, typed.encode())
            terminal.read_until(f"pressed {name}")
        process.send_signal(signal.SIGINT)
        terminal.read_to_the_end()
        assert process.wait(PATIENCE) == 0
    assert "left" in terminal.drawn
    assert "\x1b[38;2;255;255;255m" in terminal.drawn


async def test_newer_frames_come_until_ctrl_c(service: Service) -> None:
    first, second = (encode(Image.new("RGB", SIZE, colour)) for colour in ((0, 0, 255), (255, 0, 0)))
    await service.ask("POST", f"/displays/{LCD}/frame", first)
    with in_terminal("--newest", "--display", LCD, "--url", service.url) as (terminal, process):
        await asyncio.to_thread(terminal.read_until, "\x1b[38;2;0;0;255m")
        await service.ask("POST", f"/displays/{LCD}/frame", second)
        await asyncio.to_thread(terminal.read_until, "\x1b[38;2;255;0;0m")
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(terminal.read_to_the_end)
        assert await asyncio.to_thread(process.wait, PATIENCE) == 0


def test_no_png_goes_to_a_terminal() -> None:
    with in_terminal("--png", "-") as (terminal, process):
        terminal.read_to_the_end()
        assert process.wait(PATIENCE) == 2
    assert "Standard output is a terminal: name a file, or send it into a pipe" in terminal.drawn
