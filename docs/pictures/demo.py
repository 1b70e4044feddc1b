"""Makes demo.jpg: what a panel shows of eight prompts that the built-in painter draws.

Start `scripts/run` without an A1111, then run `python docs/pictures/demo.py [ADDRESS]`.
"""

from __future__ import annotations

import io
import json
import sys
import urllib.request
from pathlib import Path

from PIL import Image

OUT = Path(__file__).with_name("demo.jpg")
PROMPTS = (
    ("a lake in the mountains at sunset", 1),
    ("a black cat", 4),
    ("a neon city in the rain", 3),
    ("a planet with rings", 2),
    ("portrait of a woman", 5),
    ("amethyst crystals", 6),
    ("a golden dahlia", 1),
    ("a friendly robot", 8),
)
COLUMNS, SIDE, GAP = 4, 240, 8


def panel(address: str, prompt: str, seed: int) -> Image.Image:
    url = f"{address}/sdapi/v1/txt2img?answer=preview&display=waveshare-pico-lcd-1.3"
    body = json.dumps({"prompt": prompt, "seed": seed}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return Image.open(io.BytesIO(answer.read())).convert("RGB")


def main(address: str) -> None:
    rows = len(PROMPTS) // COLUMNS
    step = SIDE + GAP
    sheet = Image.new("RGB", (COLUMNS * step - GAP, rows * step - GAP), "#ffffff")
    for i, (prompt, seed) in enumerate(PROMPTS):
        sheet.paste(panel(address, prompt, seed), (i % COLUMNS * step, i // COLUMNS * step))
    sheet.save(OUT, quality=88)


if __name__ == "__main__":
    main(*sys.argv[1:] or ["http://localhost:8080"])
