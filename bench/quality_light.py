"""Whether resizing in linear light and sharpening help, judged by the light that reaches an eye.

Whoever resizes is not judged fairly by another resized picture. So the reference is the original at its full size as
light, through the eye's low-pass; a frame is squares of light of its panel's pixels, through the same low-pass. The
picture resized as it is shown by "off" stands beside it: it says how far an option moves a picture, not which is right.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean

import numpy as np
from metrics import Values, delta_e, in_colour, light_of, low_pass, psnr, values_of
from photographs import photographs
from PIL import Image
from quality_pictures import fine_detail
from tables import print_table

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.fits import fit
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.pixels import FORMATS

SHARPER = (0, 20, 40, 60)  # per cent
SIGMAS = (0.5, 1.0)  # pixels of the panel: held close, and at arm's length
HEAD = (
    "pictures, options",
    "PSNR sigma 0.5",
    "ΔE00 sigma 0.5",
    "PSNR sigma 1",
    "ΔE00 sigma 1",
    "light kept",
    "to 8-bit: PSNR sigma 1",
    "ΔE00 sigma 1",
    "resize, processor ms",
)
DIGITS = (1, 2, 1, 2, 3, 1, 2, 1)


def light_tables(named: Display) -> None:
    """Print a table for each size of picture: the means of all options, and single pictures without sharpening."""
    options = {
        f"{'linear light' if linear else 'off'}, sharpen {sharpen}": replace(
            named, linear_light=linear, sharpen=sharpen
        )
        for linear in (False, True)
        for sharpen in SHARPER
    }
    for side in (2 * named.width, 4 * named.width):
        singles: list[list[str]] = []
        rows: list[list[str]] = []
        for title, pngs in (("photographs", photographs(side)), ("fine detail", fine_detail(side))):
            figures = {name: _figures_of(png, options) for name, png in pngs.items()}
            rows += [_row(f"{title}, {option}", [figures[name][option] for name in pngs]) for option in options]
            for name in pngs:
                unsharpened = (option for option, display in options.items() if not display.sharpen)
                singles += [_row(f"{name}, {option}", [figures[name][option]]) for option in unsharpened]
        print_table(f"Resizing, from {side}x{side}", HEAD, rows)
        print_table(f"Resizing, from {side}x{side}, single pictures", HEAD, singles)


def _row(title: str, figures: list[list[float]]) -> list[str]:
    means = [fmean(column) for column in zip(*figures, strict=True)]
    return [title, *(f"{mean:.{digits}f}" for mean, digits in zip(means, DIGITS, strict=True))]


def _figures_of(png: bytes, options: Mapping[str, Display]) -> dict[str, list[float]]:
    """The figures of one picture by option."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    original = light_of(in_colour(np.asarray(image)))
    plain = in_colour(np.asarray(fit(image, next(iter(options.values())))))
    return {option: _figures(png, image, display, (original, plain)) for option, display in options.items()}


def _figures(png: bytes, image: Image.Image, display: Display, against: tuple[Values, Values]) -> list[float]:
    original, plain = against
    shown = in_colour(FORMATS[display.format].show(convert(png, display).data, display.width, display.height))
    times = image.width // display.width
    squares = np.kron(light_of(shown), np.ones((times, times, 1)))
    figures = []
    for sigma in SIGMAS:
        # One look at each of the panel's pixels and one between them is all that is left to see.
        seen, wanted = (
            values_of(low_pass(light, sigma * times)[:: times // 2, :: times // 2]) for light in (squares, original)
        )
        figures += [psnr(seen, wanted), delta_e(seen, wanted)]
    kept = float(squares.mean() / original.mean())
    smooth, plain_smooth = low_pass(shown, 1), low_pass(plain, 1)
    started = time.process_time()
    fit(image, display)
    ms = (time.process_time() - started) * 1000
    return [*figures, kept, psnr(smooth, plain_smooth), delta_e(smooth, plain_smooth), ms]
