"""picture_frame.ino, compiled for this machine against stand-ins for its libraries, over real sockets."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer, open_scripted_a1111, said
from fakes.failures import closed_port
from fakes.pictures import encode, gradient
from missing import missing
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.panels import DISPLAYS
from service import open_service

SKETCH = Path(__file__).parents[2] / "device" / "arduino" / "picture_frame" / "picture_frame.ino"
STAND_INS = Path(__file__).parents[1] / "fakes" / "arduino"
DISPLAY = DISPLAYS["lilygo-t-display"]
FRAME = convert(encode(gradient()), DISPLAY).data
PAUSE = 60  # seconds, as the sketch has it
MAIN = """
#include <Arduino.h>
#include "picture_frame.ino"

void stop() {
  FILE *panel = std::fopen(std::getenv("PANEL"), "wb");
  std::fwrite(glass, 1, sizeof(glass), panel);
  std::fclose(panel);
  std::exit(0);
}

int main() {
  setup();
  for (;;) loop();
}
"""


@dataclass(frozen=True)
class Ran:
    """What the sketch printed, how long it paused each time, and the bytes on the panel in the end."""

    printed: list[str]
    pauses: list[int]
    panel: bytes


@pytest.fixture(scope="module")
def compiler() -> str:
    """g++. Without it a test is skipped, and in CI it fails."""
    return shutil.which("g++") or missing("g++ is not installed")


def build(compiler: str, folder: Path, url: str, key: str = "") -> Path:
    """The sketch for the service at `url`, as a program for this machine."""
    sketch = SKETCH.read_text(encoding="utf-8")
    for before, after in (("http://192.168.1.50:8080", url), ('*KEY = ""', f'*KEY = "{key}"')):
        assert sketch.count(before) == 1
        sketch = sketch.replace(before, after)
    (folder / "picture_frame.ino").write_text(sketch, encoding="utf-8")
    (folder / "main.cpp").write_text(MAIN)
    command = [compiler, "-std=c++17", "-Wall", "-Wextra", f"-I{STAND_INS}", "main.cpp", "-o", "sketch"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "sketch"


async def run(program: Path, pauses: int = 1) -> Ran:
    """Let it run until so many pauses have begun."""
    panel = program.with_name("panel")
    given = {**os.environ, "PAUSES": str(pauses), "PANEL": str(panel)}
    running = await asyncio.create_subprocess_exec(program, env=given, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(running.communicate(), 120)
    lines = said.decode().splitlines()
    told = [int(line.removeprefix("pause ")) for line in lines if line.startswith("pause ")]
    return Ran([line for line in lines if not line.startswith("pause ")], told, panel.read_bytes())


def frame(**changed: str) -> Reply:
    headers = {"x-image-width": "135", "x-image-height": "240", "x-image-format": "rgb565-be"}
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    return Reply(200, FRAME, tuple(headers.items()))


@pytest.fixture(scope="module")
async def scripted(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ScriptedA1111]:
    async with open_scripted_a1111() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def sketch(compiler: str, scripted: ScriptedA1111, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sketch, built for the scripted service."""
    return build(compiler, tmp_path_factory.mktemp("sketch"), scripted.url)


async def test_the_panel_gets_what_the_service_has_for_it(
    compiler: str, tmp_path: Path, upstream: ScriptedA1111
) -> None:
    upstream.standing = answer(encode(gradient()))
    async with open_service(a1111_base_url=upstream.url, service_api_key="hall-pass") as service:
        ran = await run(await asyncio.to_thread(build, compiler, tmp_path, service.url, "hall-pass"))
    assert ran == Ran([], [PAUSE], FRAME)
    assert b'"a mountain lake at sunset"' in upstream.seen[0].body


FIRST = bytes(len(FRAME))
FAULTS = {
    "format": (frame(x_image_format="rgb565-le"), "the pixels are rgb565-le, not rgb565-be"),
    "width": (frame(x_image_width="240"), "the frame has another size than the panel"),
    "length": (replace(frame(), body=FRAME[:-1]), "the frame has 64799 bytes"),
    "no frame": (said({"images": []}), "the pixels are , not rgb565-be"),
    "a wrong key": (said({"error": "Invalid or missing API key"}, 401), '401: {"error": "Invalid or missing API key"}'),
    "silence": (Reply(mute=True), "read Timeout"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_what_is_no_frame_is_told_and_draws_nothing(name: str, sketch: Path, scripted: ScriptedA1111) -> None:
    scripted.script, words = [FAULTS[name][0]], FAULTS[name][1]
    assert await run(sketch) == Ran([words], [PAUSE], FIRST)


async def test_it_comes_again_when_the_service_says_so(sketch: Path, scripted: ScriptedA1111) -> None:
    busy = said({"error": "The line is full"}, 503, ("Retry-After", "12"))
    scripted.script = [busy, replace(frame(), cut=30_000), frame()]
    ran = await run(sketch, pauses=3)
    assert ran.printed == ['503: {"error": "The line is full"}', "the frame broke off"]
    assert ran.pauses == [12, PAUSE, PAUSE]
    assert ran.panel == FRAME


async def test_without_the_service_it_goes_on_trying(compiler: str, tmp_path: Path) -> None:
    with closed_port() as url:
        program = await asyncio.to_thread(build, compiler, tmp_path, url)
        assert await run(program, pauses=2) == Ran(["connection refused"] * 2, [PAUSE] * 2, FIRST)
