"""Programs that drive a panel on the simulator, and the pictures that it should show."""

from __future__ import annotations

import io
import runpy
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from fakes.pictures import encode
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.frames import Frame, convert, preview
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.runner import Pico, device_folder

Facts = dict[str, Any]

LINES = {"SPI": 1, "SCK": 10, "MOSI": 11, "CS": 9, "DC": 8, "RST": 12, "BL": 13}
LCD13, LCD114 = "waveshare_pico_lcd_1_3", "waveshare_pico_lcd_1_14"
EXPLORER = "pimoroni_pico_explorer"  # has neither RST nor BL

START = "import board\nfrom panel import Panel\npanel = Panel(board)\n"
DRAW = """
panel.begin(panel.height)
with open("frame", "rb") as frame:
    while True:
        count = frame.readinto(panel.band)
        if not count:
            break
        panel.write(memoryview(panel.band)[:count])
"""


def facts_of(name: str) -> Facts:
    """The constants of a board; one that is no RP2 gets a Pico's pins, which is what the simulator is."""
    read = runpy.run_path(str(device_folder() / "boards" / f"{name}.py"))
    facts = {key: value for key, value in read.items() if key.isupper()}
    return {**facts, **LINES} if "esp32" in name or "lilygo" in name else facts


def picture(width: int, height: int) -> bytes:
    """Soft light and shade in all colours, with grain; no turn of it, and no part, is like another."""
    down, across = np.mgrid[0:height, 0:width]
    waves = [np.sin(across / (17 + 9 * k) + k) + np.cos(down / (23 - 5 * k)) + across / width for k in range(3)]
    grain = np.random.default_rng(1).normal(0, 6, (height, width, 3))
    return encode(Image.fromarray(np.clip(np.stack(waves, -1) * 45 + 90 + grain, 0, 255).astype(np.uint8)))


@cache
def frame_for(display: Display) -> Frame:
    return convert(picture(400, 300), display)


def seen(frame: Frame, display: Display) -> Image.Image:
    """What `preview` says of a frame, before a black case."""
    shown = Image.open(io.BytesIO(preview(frame, display))).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "black"), shown).convert("RGB")


def board_of(facts: Facts, program: str, files: dict[str, str] | None = None, **options: Any) -> Pico:
    """A Pico with the panel of `facts["DISPLAY"]`, after `program` has run on it; "frame" is on its flash."""
    display = DISPLAYS[facts["DISPLAY"]]
    pico = Pico(display, board=SimpleNamespace(**facts), **options)
    pico.flash.files["frame"] = frame_for(display).data
    told = "".join(f"{key} = {value!r}\n" for key, value in facts.items())
    pico.run(program, {"board.py": told, **(files or {})})
    return pico


def rows(image: Image.Image, first: int, end: int) -> bytes:
    return image.crop((0, first, image.width, end)).tobytes()
