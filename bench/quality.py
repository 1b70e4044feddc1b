"""How good a picture looks on a panel: our dithers, and others', against the picture with 8 bits; prints tables.

The reference is the picture at the panel's size with 8 bits a channel, which is what a dither is given, so that these
tables are about nothing else. Every way is judged by the same panel, whose levels are evenly spaced. What resizing
does is judged in `quality_light.py`, against the light of the picture at its full size.
"""

from __future__ import annotations

import argparse
import io
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np
import skimage
from metrics import DIGITS, HEAD, MORE_IS_BETTER, in_colour, judge, low_pass, psnr
from numpy.typing import NDArray
from photographs import photographs
from PIL import Image
from PIL import __version__ as pillow_version
from quality_light import light_tables
from quality_pictures import as_png, gradients
from quality_programs import Programs
from quality_ways import DEPTHS, diffuse, in_process, replicated, yardsticks
from tables import middle, print_table, tell_machine

from pico_a1111_proxy.displays import DITHERS, Display
from pico_a1111_proxy.dithers import quantise
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.pixels import FORMATS, Levels

SIDE = 240
SOURCE = 512
NAMED = DISPLAYS["waveshare-pico-lcd-1.3"]
PRODUCT = f"**ours: {NAMED.name}, the whole converter**"
REPLICATED = "truncation, on a panel that repeats the high bits"
RGB565 = FORMATS["rgb565-be"]
SMALL = ("rgb444", "rgb332", "gs4-hmsb", "mono-hlsb")
TABLES = ("photographs", "gradients", "formats", "precision", "light")

Result = TypeVar("Result")


@dataclass
class Measured:
    """The figures of each picture, the milliseconds of each run, and whether these hold a program's start."""

    figures: list[list[float]] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    started: bool = False

    def means(self) -> list[float]:
        """Of each figure, over the pictures."""
        return [fmean(column) for column in zip(*self.figures, strict=True)]

    def row(self, name: str) -> list[str]:
        """A line of a table."""
        means = [f"{mean:.{digits}f}" for mean, digits in zip(self.means(), DIGITS, strict=True)]
        return [name, *means, middle(self.ms) + (" *" if self.started else "")]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", choices=TABLES, nargs="+", default=list(TABLES), help="tables to print")
    options.add_argument("--runs", type=int, default=7, help="times that each way is timed with each picture")
    given = options.parse_args()
    tell_machine()
    sets = {"photographs": photographs(SOURCE), "gradients": gradients(SOURCE)}
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(Path(folder))
        print("; ".join([*programs.versions(), f"Pillow {pillow_version}", f"scikit-image {skimage.__version__}"]))
        for name in (name for name in sets if name in given.only):
            compare(f"RGB565: {len(sets[name])} {name}", sets[name], programs, given.runs)
    if "formats" in given.only:
        compare_formats(sets["photographs"])
    if "precision" in given.only:
        compare_precision(sets)
    if "light" in given.only:
        light_tables(NAMED)


def compare(title: str, pngs: Mapping[str, bytes], programs: Programs, runs: int) -> None:
    """All ways to RGB565. Each round takes every way once, so that noise hits all alike."""
    measured: dict[str, Measured] = defaultdict(Measured)
    for png in pngs.values():
        image = at_panel_size(png)
        reference = np.asarray(image)
        shown = {PRODUCT: shown_by(NAMED, png)}
        shown |= {name: show(way(image)) for name, way in in_process().items()}
        shown[REPLICATED] = replicated(image)
        shown |= {name: show(way(image)) for name, way in yardsticks().items()}
        for name, way in programs.ways().items():
            measured[name].started = True
            shown[name] = timed(measured[name], partial(way, image))
        for name, picture in shown.items():
            measured[name].figures.append(judge(picture, reference))
        time_them(measured, image, runs)
    order = [*shown]
    print_table(title, ["way", *HEAD, "processor ms"], [measured[name].row(name) for name in order])
    print("\\* as a whole command, the start of the program included\n")
    for name in programs.missing:
        print(f"{name}: not installed, left out")
    print_better(measured)


def time_them(measured: dict[str, Measured], image: Image.Image, runs: int) -> None:
    """From pixels to bytes; the whole converter from a PNG of the panel's size, decoding included."""
    small = as_png(image)
    for _ in range(runs):
        timed(measured[PRODUCT], lambda: convert(small, NAMED))
        for name, way in in_process().items():
            timed(measured[name], lambda way=way: RGB565.pack(way(image)))


def print_better(measured: Mapping[str, Measured]) -> None:
    """Who is better than ours, figure by figure, yardsticks left out."""
    ours = measured[PRODUCT].means()
    for column, figure in enumerate(HEAD):
        digits = DIGITS[column] + 1
        sign = 1 if MORE_IS_BETTER[column] else -1
        better = {
            name: other.means()[column]
            for name, other in measured.items()
            if "ours" not in name and name not in yardsticks() and sign * (other.means()[column] - ours[column]) > 0
        }
        told = ", ".join(f"{name} ({value:.{digits}f})" for name, value in better.items()) or "none"
        print(f"- {figure}: ours {ours[column]:.{digits}f}; better: {told}")


def compare_formats(pngs: Mapping[str, bytes]) -> None:
    """Our other formats by dither, through the whole converter."""
    rows = []
    for form in SMALL:
        for dither in DITHERS:
            display = replace(NAMED, format=form, dither=dither)
            measured = Measured()
            for png in pngs.values():
                image = at_panel_size(png)
                grey = image.convert("L") if FORMATS[form].is_grey else image
                measured.figures.append(judge(shown_by(display, png), np.asarray(grey)))
                for _ in range(3):
                    timed(measured, lambda grey=grey, form=form, dither=dither: dithered(grey, form, dither))
            rows.append(measured.row(f"{form}, {dither}"))
        rows.append(of_light(form, pngs).row(f"{form}, Floyd-Steinberg of light, float64"))
    print_table(f"Other formats: {len(pngs)} photographs", ["format and dither", *HEAD, "processor ms"], rows)


def of_light(form: str, pngs: Mapping[str, bytes]) -> Measured:
    """What a dither of light, in place of the values that stand for it, would show."""
    depths, measured = FORMATS[form].depths, Measured()
    for png in pngs.values():
        image = at_panel_size(png)
        bands = image.convert("L") if len(depths) == 1 else image
        levels = diffuse(bands, depths, of_light=True)
        shown = FORMATS[form].show(FORMATS[form].pack(levels), *image.size)
        measured.figures.append(judge(shown, np.asarray(bands)))
    return measured


def compare_precision(sets: Mapping[str, Mapping[str, bytes]]) -> None:
    """Ours beside Floyd and Steinberg's way in 64-bit floating point."""
    rows = []
    for name, pngs in sets.items():
        ours, plain, same, times = [], [], [], Measured()
        for png in pngs.values():
            image = at_panel_size(png)
            levels, exact = quantise(image, DEPTHS, "floyd-steinberg"), timed(times, partial(diffuse, image))
            reference = low_pass(in_colour(np.asarray(image)), 1)
            ours.append(psnr(low_pass(in_colour(show(levels)), 1), reference))
            plain.append(psnr(low_pass(in_colour(show(exact)), 1), reference))
            same.append(float((levels == exact).mean()))
        rows.append([name, f"{fmean(ours):.2f}", f"{fmean(plain):.2f}", f"{fmean(same):.1%}", middle(times.ms)])
    head = [
        "pictures",
        "ours, dB sigma 1",
        "float64, dB sigma 1",
        "same levels",
        "float64 in plain Python, processor ms",
    ]
    print_table("Our Floyd-Steinberg beside one in floating point", head, rows)


def at_panel_size(png: bytes) -> Image.Image:
    """The picture with 8 bits: what every way is given."""
    return Image.open(io.BytesIO(png)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def shown_by(display: Display, png: bytes) -> NDArray[np.uint8]:
    """What the panel shows of the frame that the product makes of the picture at its full size."""
    return FORMATS[display.format].show(convert(png, display).data, display.width, display.height)


def show(levels: Levels) -> NDArray[np.uint8]:
    """What a panel of RGB565 shows."""
    return RGB565.show(RGB565.pack(levels), levels.shape[1], levels.shape[0])


def dithered(image: Image.Image, form: str, dither: str) -> bytes:
    return FORMATS[form].pack(quantise(image, FORMATS[form].depths, dither))


def timed(measured: Measured, way: Callable[[], Result]) -> Result:
    """Processor time, that of programs it starts included: time on the clock would tell of others on the machine."""
    started = worked()
    result = way()
    measured.ms.append((worked() - started) * 1000)
    return result


def worked() -> float:
    """Seconds so far."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
