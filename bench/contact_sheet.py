"""Draws the contact sheet of dithers, docs/pictures/dithering.png: crops of what a panel shows, enlarged.

Rows are crops, columns ways. Differences of RGB565 are small, so some rows show what an eye at arm's length sees of the
error, enlarged too, or gradients with their contrast stretched. A second sheet has smaller formats.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from metrics import in_colour, low_pass
from numpy.typing import NDArray
from photographs import photographs
from PIL import Image, ImageDraw, ImageFont
from quality import NAMED, SOURCE, at_panel_size, show, shown_by
from quality_pictures import gradients
from quality_programs import Programs
from quality_ways import DEPTHS

from pico_a1111_proxy.displays import DITHERS
from pico_a1111_proxy.dithers import quantise, truncate

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
CROP = 36  # pixels of a panel, both ways
TIMES = 4
CELL = CROP * TIMES
GAP = 6
LEFT, TOP = 150, 56
STRETCH = 8  # times the distance from the mean
ERROR = 16  # times the error that is left after the low-pass

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """A crop of one picture: its left upper corner on the panel, and what is shown of it."""

    label: str
    picture: str
    x: int
    y: int
    shows: Literal["picture", "contrast", "error"] = "picture"


ROWS = (
    Row("face", "astronaut.png", 90, 22),
    Row(f"face, error\nas seen, x{ERROR}", "astronaut.png", 90, 22, "error"),
    Row("sky", "sky", 60, 100),
    Row(f"sky,\ncontrast x{STRETCH}", "sky", 60, 100, "contrast"),
    Row(f"skin tones,\ncontrast x{STRETCH}", "skin", 60, 100, "contrast"),
    Row(f"near black,\ncontrast x{STRETCH}", "dark", 60, 20, "contrast"),
)
SMALL_ROWS = (
    ("rgb332", "face", "astronaut.png", 70, 10),
    ("rgb332", "sky", "sky", 60, 100),
    ("mono-hlsb", "face", "astronaut.png", 70, 10),
    ("mono-hlsb", "sky", "sky", 60, 100),
)


def main() -> None:
    pngs = {**photographs(SOURCE), **gradients(SOURCE)}
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(Path(folder))
        if programs.missing:
            sys.exit(f"not installed: {', '.join(programs.missing)}")
        save(draw_565(pngs, programs), PICTURES / "dithering.png")
    save(draw_small(pngs), PICTURES / "dithering-small-formats.png")


def draw_565(pngs: Mapping[str, bytes], programs: Programs) -> Image.Image:
    """RGB565 by all ways."""
    shown = {name: all_ways(pngs[name], programs) for name in {row.picture for row in ROWS}}
    heads = list(next(iter(shown.values())))
    sheet = blank(heads, len(ROWS))
    for number, row in enumerate(ROWS):
        label(sheet, number, row.label)
        part = slice(row.y, row.y + CROP), slice(row.x, row.x + CROP)
        reference = shown[row.picture]["8 bits"]
        for column, head in enumerate(heads):
            picture = shown[row.picture][head]
            crop = error(picture, reference)[part] if row.shows == "error" else picture[part]
            place(sheet, number, column, stretched(crop, reference[part]) if row.shows == "contrast" else crop)
    return sheet


def all_ways(png: bytes, programs: Programs) -> dict[str, Pixels]:
    """What the panel shows of one picture, by the heads of the columns."""
    image = at_panel_size(png)
    commands = programs.ways()
    shown: dict[str, Pixels] = {"8 bits": np.asarray(image), "truncation": show(truncate(image, DEPTHS))}
    names = {"none": "nearest level", "floyd-steinberg": "floyd-steinberg\n(the default)"}
    shown |= {names.get(dither, dither): show(quantise(image, DEPTHS, dither)) for dither in DITHERS}
    shown["ffmpeg,\nswscale ed"] = commands["ffmpeg, sws_dither=ed"](image)
    magick = "ImageMagick, {}".format
    shown["ImageMagick,\nordered o8x8"] = commands[magick("-ordered-dither o8x8,32,64,32")](image)
    shown["ImageMagick, FS\n-remap by channel"] = commands[magick("FloydSteinberg -remap, a channel at a time")](image)
    return shown


def draw_small(pngs: Mapping[str, bytes]) -> Image.Image:
    """Smaller formats by our ways, of crops twice as wide."""
    sheet = blank(["8 bits", *DITHERS], len(SMALL_ROWS))
    for number, (form, title, name, x, y) in enumerate(SMALL_ROWS):
        label(sheet, number, f"{form},\n{title}")
        image = at_panel_size(pngs[name])
        whole = np.asarray(image.convert("L").convert("RGB") if form == "mono-hlsb" else image)
        displays = [replace(NAMED, format=form, dither=dither) for dither in DITHERS]
        for column, shown in enumerate([whole, *(shown_by(display, pngs[name]) for display in displays)]):
            three = shown if shown.ndim == 3 else np.stack([shown] * 3, axis=-1)
            place(sheet, number, column, three[y : y + 2 * CROP, x : x + 2 * CROP])
    return sheet


def stretched(crop: Pixels, whole: Pixels) -> Pixels:
    """Away from the mean colour of the crop with 8 bits."""
    mean = whole.mean(axis=(0, 1))
    return np.rint(128 + STRETCH * (crop - mean)).clip(0, 255).astype(np.uint8)


def error(picture: Pixels, reference: Pixels) -> Pixels:
    """Grey where the eye, which mixes neighbouring pixels, sees no difference."""
    seen = low_pass(in_colour(picture), 1) - low_pass(in_colour(reference), 1)
    return np.rint(128 + ERROR * seen).clip(0, 255).astype(np.uint8)


def blank(heads: list[str], rows: int) -> Image.Image:
    size = (LEFT + len(heads) * (CELL + GAP), TOP + rows * (CELL + GAP))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, head in enumerate(heads):
        middle = LEFT + column * (CELL + GAP) + CELL // 2
        draw.multiline_text((middle, TOP - 6), head, "black", font(), anchor="md", align="center", spacing=2)
    return sheet


def label(sheet: Image.Image, row: int, text: str) -> None:
    middle = TOP + row * (CELL + GAP) + CELL // 2
    ImageDraw.Draw(sheet).multiline_text((8, middle), text, "black", font(), anchor="lm", spacing=2)


def place(sheet: Image.Image, row: int, column: int, pixels: Pixels) -> None:
    cell = Image.fromarray(pixels).resize((CELL, CELL), Image.Resampling.NEAREST)
    sheet.paste(cell, (LEFT + column * (CELL + GAP), TOP + row * (CELL + GAP)))


def font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(17)


def save(sheet: Image.Image, path: Path) -> None:
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    path.write_bytes(out.getvalue())
    print(f"{path.name}: {sheet.width}x{sheet.height}, {len(out.getvalue()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
