"""Makes test-path.png: a photograph beside the frame that a panel shows of it, by the project's own tools.

Run `python docs/pictures/test_path.py`; it wants scikit-image, for its photograph of a cat (by Stéfan van der Walt,
CC0), and the service's own command line for everything else.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import skimage.data
from PIL import Image, ImageDraw, ImageFont

OUT = Path(__file__).with_name("test-path.png")
DISPLAY = "waveshare-pico-lcd-1.3"
SIDE, GAP, TEXT = 300, 40, 34
PAPER, INK, GLASS = "#ffffff", "#333333", "#101010"


def run(*words: str | Path) -> None:
    subprocess.run(["pico-a1111-proxy", *map(str, words)], check=True)


def main() -> None:
    cat = Image.fromarray(skimage.data.chelsea())
    photograph = cat.crop((80, 0, 80 + SIDE, SIDE))
    with tempfile.TemporaryDirectory() as folder:
        picture, frame, panel = (Path(folder, name) for name in ("cat.png", "cat.rgb565", "panel.png"))
        photograph.save(picture)
        run("convert", picture, frame, "--display", DISPLAY)
        run("preview", frame, panel, "--display", DISPLAY)
        size = frame.stat().st_size
        shown = Image.open(panel).convert("RGB")
    sheet = Image.new("RGB", (2 * SIDE + 3 * GAP, SIDE + 2 * GAP + TEXT), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=18)
    sheet.paste(photograph, (GAP, GAP))
    left = 2 * GAP + SIDE
    draw.rounded_rectangle((left, GAP, left + SIDE, GAP + SIDE), 18, fill=GLASS)
    margin = (SIDE - shown.width) // 2
    sheet.paste(shown, (left + margin, GAP + margin))
    below = GAP + SIDE + 12
    draw.text((GAP, below), f"a picture, {SIDE} by {SIDE}", INK, font)
    draw.text((left, below), f"the panel: {size:,} bytes of RGB565", INK, font)
    sheet.save(OUT)


if __name__ == "__main__":
    main()
