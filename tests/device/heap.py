"""What frames take of a Pico W's heap: measured in MicroPython's own VM, which draws them with device/."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from device.vms import run
from fakes.a1111 import answer, in_turn, open_scripted_a1111
from fakes.pictures import encode
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.glass import Glass
from pico_a1111_proxy.simulator.runner import board_name

# Opens a service before the upstream at this address, and gives its own.
Serving = Callable[[str], AbstractAsyncContextManager[str]]

BLOCK = 16  # bytes that MicroPython divides its heap into

# What is written in C on a board and allocates nothing there is written in Python here, and does. So that is not
# counted: for the calls whose answer is a number, or nothing.
_STAND_INS = """
import machine, select, socket, time

def spare(where, name, count):
    real = getattr(where, name)

    def none():
        before = gc.mem_alloc()
        answer = real()
        spared[0] += gc.mem_alloc() - before
        return answer

    def one(a):
        before = gc.mem_alloc()
        answer = real(a)
        spared[0] += gc.mem_alloc() - before
        return answer

    def two(a, b):
        before = gc.mem_alloc()
        answer = real(a, b)
        spared[0] += gc.mem_alloc() - before
        return answer

    setattr(where, name, (none, one, two)[count])

spare(time, "ticks_ms", 0)
spare(time, "ticks_diff", 2)
spare(time, "sleep_ms", 1)
spare(machine.Pin, "__call__", 2)
spare(machine.SPI, "write", 2)
spare(type(select.poll()), "ipoll", 2)
for name in ("connect", "settimeout", "setblocking", "readinto", "write"):
    spare(socket.socket, name, 2)
"""

# A line begins with what it tells. mem_info's have words of their own: see `_read`.
_BEGIN = """
import gc, micropython

spared = [0]

def tell(what, number):
    print("=", what, number)

gc.collect()
tell("total", gc.mem_alloc() + gc.mem_free())
tell("before", gc.mem_alloc())
from boards import BOARD as board
from frame_client import FrameClient
from panel import Panel
gc.collect()
tell("modules", gc.mem_alloc())
panel = Panel(board)
client = FrameClient("URL", panel)
gc.collect()
tell("ready", gc.mem_alloc())
tell("band", len(panel.band))

def draw():
    before = gc.mem_alloc() - spared[0]
    client.txt2img("a lake", seed=7)
    return gc.mem_alloc() - spared[0] - before
"""

_HELD = """
for _ in range(FRAMES):
    draw()
    gc.collect()
    tell("frame", gc.mem_alloc())
    micropython.mem_info()
"""

_GARBAGE = """
draw()
gc.collect()
gc.disable()
spared[0] = 0
tell("garbage", draw())
tell("stand_ins", spared[0])
"""


# The heap is filled but for ROOM bytes in one piece, and for what is too small for anything.
_TIGHT = """
draw()
gc.collect()
room, full = bytearray(ROOM), None
for size in (4096, 512, 64, 16):
    try:
        while True:
            full = (full, bytearray(size))
    except MemoryError:
        gc.collect()
room = None
gc.collect()
draw()
print("drawn")
"""


@dataclass(frozen=True)
class Figures:
    """In bytes. `before` is held before anything of device/ is imported, by modules that a Pico has in its flash.

    `modules` is held with device/ imported, `ready` with the panel and its `band` of rows as well. `garbage` is all
    that drawing one frame allocates, while nothing is collected; `stand_ins` is what is not counted there, since it is
    not allocated on a board. `held` and `largest` are what is held after each
    frame, and the largest block that is free then. `seen` are the pictures on the glass.
    """

    display: Display
    total: int
    before: int
    modules: int
    ready: int
    band: int
    garbage: int
    stand_ins: int
    held: list[int]
    largest: list[int]
    seen: list[Image.Image]

    @property
    def free(self) -> int:
        """With all of it loaded, and a frame on the glass."""
        return self.total - self.held[-1]


async def measure(name: str, pictures: list[bytes], serving: Serving) -> Figures:
    """Draw `pictures`, two or more, on the display called `name`, one after the other."""
    seen: list[Image.Image] = []

    def look(line: str, glass: Glass) -> None:
        if line.startswith("= frame"):
            seen.append(glass.image())

    # Counting makes garbage itself: so what is held is told by a run without.
    async with open_scripted_a1111() as upstream, serving(upstream.url) as url:
        begin = _BEGIN.replace("BOARD", board_name(DISPLAYS[name])).replace("URL", url)
        upstream.standing = in_turn(*(answer(picture) for picture in pictures * 2))
        lines = await _printed(name, begin + _HELD.replace("FRAMES", str(len(pictures))), look)
        counted = await _printed(name, begin + _STAND_INS + _GARBAGE, look)
    garbage = {what: _read(counted)[what] for what in ("garbage", "stand_ins")}
    return Figures(display=DISPLAYS[name], seen=seen, **{**_read(lines), **garbage})


async def draws_within(name: str, room: int, serving: Serving) -> bool:
    """Whether a frame is drawn where so many bytes are free beside the band of rows."""
    async with open_scripted_a1111() as upstream, serving(upstream.url) as url:
        begin = _BEGIN.replace("BOARD", board_name(DISPLAYS[name])).replace("URL", url)
        upstream.standing = in_turn(answer(noise(1)))
        ran = await run("micropython", begin + _TIGHT.replace("ROOM", str(room)), display=name)
    assert ran.error == "" or ran.error.startswith("MemoryError"), ran.error
    return ran.printed[-1] == "drawn"


async def _printed(name: str, program: str, look: Callable[[str, Glass], None]) -> list[str]:
    ran = await run("micropython", program, display=name, on_print=look)
    assert ran.error == "", "\n".join([*ran.printed, ran.error])
    return ran.printed


def _read(lines: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"held": [], "largest": []}
    for line in lines:
        words = line.split()
        if words[0] == "=":
            _, what, number = words
            if what == "frame":
                told["held"].append(int(number))
            else:
                told[what] = int(number)
        elif "max free sz:" in line:
            told["largest"].append(int(words[-1]) * BLOCK)
    return told


def noise(number: int) -> bytes:
    """A picture of which no two pixels are alike, as a PNG; another for each number."""
    random = np.random.default_rng(number)
    return encode(Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)))
