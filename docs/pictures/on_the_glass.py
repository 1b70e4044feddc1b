"""Makes on-the-glass.jpg: photographs, and what panels show of them that MicroPython's own VM drives with device/.

Run `PYTHONPATH=tests python docs/pictures/on_the_glass.py`; it wants node, the packages of tests/clients/npm, and
scikit-image, for its photographs. The VM has the heap of a Pico W.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import skimage.data
from PIL import Image, ImageDraw, ImageFont

from device.vms import run
from fakes.a1111 import answer, open_scripted_a1111
from fakes.pictures import encode
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.runner import board_name
from service import open_service

OUT = Path(__file__).with_name("on-the-glass.jpg")
SHOWN = (
    ("waveshare-pico-lcd-1.3", skimage.data.astronaut),
    ("waveshare-pico-lcd-1.14", skimage.data.chelsea),
    ("waveshare-pico-lcd-2", skimage.data.coffee),
)
TALL, GAP, TEXT = 240, 20, 30
PAPER, INK = "#ffffff", "#333333"
PROGRAM = """
from boards import BOARD as board
from frame_client import FrameClient
from panel import Panel
FrameClient("URL", Panel(board)).txt2img("a photograph")
"""


async def glass(name: str, picture: bytes) -> Image.Image:
    async with open_scripted_a1111() as upstream, open_service(a1111_base_url=upstream.url) as service:
        upstream.standing = answer(picture)
        program = PROGRAM.replace("BOARD", board_name(DISPLAYS[name])).replace("URL", service.url)
        ran = await run("micropython", program, display=name)
    if ran.error:
        raise SystemExit(ran.error)
    return ran.glass.image()


async def main() -> None:
    photographs = [Image.fromarray(photograph()) for _, photograph in SHOWN]
    panels = [await glass(name, encode(photograph)) for (name, _), photograph in zip(SHOWN, photographs, strict=True)]
    sources = [one.resize((one.width * TALL // one.height, TALL), Image.Resampling.LANCZOS) for one in photographs]
    left = GAP + max(one.width for one in sources) + GAP
    sheet = Image.new("RGB", (left + 320 + GAP, GAP + len(SHOWN) * (TALL + TEXT)), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for number, (source, panel) in enumerate(zip(sources, panels, strict=True)):
        top = GAP + number * (TALL + TEXT)
        sheet.paste(source, (GAP, top))
        sheet.paste(panel, (left, top))
        size = photographs[number].size
        draw.text((GAP, top + TALL + 4), f"the picture, {size[0]} by {size[1]}", INK, font)
        draw.text((left, top + panel.height + 4), f"{SHOWN[number][0]}, {panel.width} by {panel.height}", INK, font)
    sheet.save(OUT, quality=90)


if __name__ == "__main__":
    asyncio.run(main())
