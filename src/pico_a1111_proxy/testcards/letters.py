"""Letters: crisp ones, from Pillow's bitmap font, which needs no FreeType and is the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ADVANCE = 6  # pixels from one letter to the next
LINE = 10  # pixels from one line to the next
TALL = 8  # pixels of a line without the gap below it
ARROW = "^"  # is drawn as an arrow that points up
STUCK = "\xa0"  # a blank at which no line is broken

_ARROW = ("...#...", "..###..", ".#####.", "#######", "..###..", "..###..", "..###..")


def stencil(rows: Sequence[str]) -> Image.Image:
    """A mask from rows of characters, set where they are `#`."""
    return Image.fromarray(np.array([[255 * (pixel == "#") for pixel in row] for row in rows], np.uint8))


@lru_cache(maxsize=256)
def letters(text: str) -> Image.Image:
    """A mask of one line of text, cut to its ink; what the font has not got becomes a question mark."""
    shown = text.encode("latin-1", "replace").decode("latin-1")
    mask = Image.new("L", (ADVANCE * len(shown) + 2, 12))
    draw = ImageDraw.Draw(mask)
    draw.text((0, 0), shown.replace(ARROW, " ").replace(STUCK, " "), fill=255, font=_font())
    for at, letter in enumerate(shown):
        if letter == ARROW:
            mask.paste(stencil(_ARROW), (ADVANCE * at, 2))
    return mask.crop(mask.getbbox())


@cache
def _font() -> ImageFont.ImageFont:
    return ImageFont.load_default_imagefont()


def enlarge(mask: Image.Image, scale: int) -> Image.Image:
    """Each pixel as a square of `scale` by `scale`."""
    return mask.resize((mask.width * scale, mask.height * scale), Image.Resampling.NEAREST)


def largest(text: str, most: int, room: tuple[int, int]) -> int:
    """How many times `text` can be enlarged to fit in `room`, at most `most`; 0 if it does not fit as it is."""
    mask = letters(text)
    return max(0, min(most, room[0] // mask.width, room[1] // mask.height))


def wrap(text: str, most: int) -> list[str]:
    """`text` in one line of at most `most` letters, or in two, as even as may be, broken at a blank or else a hyphen.

    Nothing where that can't be.
    """
    if len(text) <= most:
        return [text]
    ends = " " if " " in text else "-"
    breaks = [at for at in range(1, len(text)) if text[at - 1] == ends]
    splits = [[text[:at].strip(), text[at:].strip()] for at in breaks]
    best: list[str] = min(splits, key=lambda lines: max(map(len, lines)), default=[])
    return best if max(map(len, best), default=0) <= most else []
