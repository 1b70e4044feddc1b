"""The word on every picture that says it is the demo's: small, in the lower right corner."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORD = "demo"
SHARE = 0.058  # of the shorter side: the height of the font
SMALLEST = 13.0  # pixels; below that the word can't be read on a small panel
LEAST = 6.0  # pixels; a picture too small for even that stays without


def add_label(image: Image.Image) -> None:
    """Write the word on an RGB image, in light letters with a soft dark outline, where there is room."""
    short = min(image.size)
    size = min(max(SHARE * short, SMALLEST), image.width / 3.2, image.height / 1.8)
    if size < LEAST:
        return
    letters, edge = _letters(round(size, 1))
    margin = round(0.25 * size)
    corner = (image.width - letters.width - margin + edge, image.height - letters.height - margin + edge)
    outline = letters.filter(ImageFilter.GaussianBlur(edge / 2.5)).point(lambda value: min(value * 2, 215))
    image.paste((8, 8, 12), corner, outline)
    image.paste((255, 255, 250), corner, letters)


@lru_cache(maxsize=16)
def _letters(size: float) -> tuple[Image.Image, int]:
    """The word as a mask with room for its outline, and how wide that room is, in pixels."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(WORD)
    edge = max(round(size * 0.3), 2)
    mask = Image.new("L", (round(right - left) + 2 * edge + 1, round(bottom - top) + 2 * edge + 1))
    weight = 0.022 * size
    ImageDraw.Draw(mask).text((edge - left, edge - top), WORD, fill=255, font=font, stroke_width=weight)
    return mask, edge
