"""Makes the golden picture and its frame with Pillow alone: python tests/golden/make.py

The frame is the written definition of the default display, one pixel at a time. It goes from a square to a
square, where every version of Pillow resizes alike; make it again only when the definition itself changes.

`python tests/golden/make.py panel` makes what a named display gets of the middle of the picture, with each dither, as
the package is now: look at what has changed, and at the previews, before you keep it.
"""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).parent
SIDE = 300
PANEL = 240
NAMED = "waveshare-pico-lcd-1.3"
MIDDLE = (118, 150, 182, 214)  # the pixels are the display's own, so that nothing is resized


def main() -> None:
    picture = paint()
    picture.save(HERE / "square.png", optimize=True)
    (HERE / "square.rgb565-be").write_bytes(frame_of(picture))


def paint() -> Image.Image:
    """Smooth ramps, soft rings, hard edges, single pixels and the corners of the colour cube."""
    picture = Image.new("RGB", (SIDE, SIDE))
    for y in range(SIDE):
        for x in range(SIDE):
            ring = 127 + int(127 * math.sin(math.hypot(x - 150, y - 150) / 6))
            picture.putpixel((x, y), (x * 255 // (SIDE - 1), y * 255 // (SIDE - 1), ring))
    draw = ImageDraw.Draw(picture)
    for corner in range(8):
        colour = tuple(255 * (corner >> bit & 1) for bit in range(3))
        draw.rectangle((20 + 32 * corner, 20, 51 + 32 * corner, 51), fill=colour)
    draw.line((0, 299, 299, 100), fill="white")
    draw.line((0, 100, 299, 299), fill="black", width=3)
    for dot in range(40):
        picture.putpixel((20 + 6 * dot, 270 + dot % 3), (255, 255 * (dot % 2), 0))
    soft = picture.crop((60, 180, 240, 250)).filter(ImageFilter.GaussianBlur(3))
    picture.paste(soft, (60, 180))
    return picture


def frame_of(picture: Image.Image) -> bytes:
    small = picture.convert("RGB").resize((PANEL, PANEL), Image.Resampling.LANCZOS)
    frame = bytearray()
    for y in range(PANEL):
        for x in range(PANEL):
            red, green, blue = (255 - channel for channel in small.getpixel((x, y)))
            word = ((red >> 3) << 11) | ((green >> 2) << 5) | (blue >> 3)
            frame += bytes((word >> 8, word & 0xFF))
    return bytes(frame)


def panel_frames() -> dict[str, bytes]:
    """What a named display, were it 64 by 64, gets of the middle of the picture, by dither."""
    # The golden picture alone needs no package.
    from dataclasses import replace  # noqa: PLC0415

    from pico_a1111_proxy.displays import DITHERS  # noqa: PLC0415
    from pico_a1111_proxy.frames import convert  # noqa: PLC0415
    from pico_a1111_proxy.panels import DISPLAYS  # noqa: PLC0415

    out = io.BytesIO()
    Image.open(HERE / "square.png").crop(MIDDLE).save(out, "PNG")
    small = replace(DISPLAYS[NAMED], width=64, height=64)
    return {dither: convert(out.getvalue(), replace(small, dither=dither)).data for dither in DITHERS}


if __name__ == "__main__":
    if sys.argv[1:] == ["panel"]:
        for dither, data in panel_frames().items():
            (HERE / f"panel-{dither}.rgb565-be").write_bytes(data)
    else:
        main()
