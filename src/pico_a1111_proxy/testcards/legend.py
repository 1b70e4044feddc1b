"""The legend: what it means when the card looks wrong on one display, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.pixels import FORMATS, Levels
from pico_a1111_proxy.testcards.card import PRIMARIES, RGB

_BGR, _MX, _MY = 0x08, 0x40, 0x80  # bits of MADCTL


@dataclass(frozen=True)
class Row:
    """One way in which the card may look.

    `change` are the query parameters that make up for it, empty where only the driver can. `seen` are the colours
    that red, green and blue then look like, empty where the colours are right.
    """

    looks: str
    wrong: str
    todo: str
    change: dict[str, str] = field(default_factory=dict)
    seen: tuple[RGB, ...] = ()

    @property
    def query(self) -> str:
        """The change as it is written in an address, empty where there is none."""
        return "?" + "&".join(f"{name}={value}" for name, value in self.change.items()) if self.change else ""


def legend(display: Display) -> list[Row]:
    """All rows for `display` as it is now, what is most common first."""
    return [*_colours(display), *_places(display), *_ramps(display)]


def _colours(display: Display) -> Iterator[Row]:
    if FORMATS[display.format].is_grey:
        yield Row("WHITE is white and BLACK is black", "nothing", "all is well")
        wrong = "the panel shows a negative"
        yield Row("WHITE is black and BLACK is white", wrong, "send the other way round", _inverted(display))
        return
    seen = tuple(PRIMARIES[name] for name in ("RED", "GREEN", "BLUE"))
    yield Row("RED is red, GREEN is green, BLUE is blue", "nothing", "all is well", seen=seen)
    negative, swapped = _inverted(display), _swapped(display)
    todo = "send the other way round, or have the driver send INVON (INVOFF if it does)"
    yield _row_of_colours(display, "the panel shows a negative", todo, negative)
    if not swapped:
        yield Row("RED is blue", "red and blue are swapped", f"in the driver, {_toggle(display, (_BGR,))}")
        return
    todo = f"send them swapped, or in the driver, {_toggle(display, (_BGR,))}"
    yield _row_of_colours(display, "red and blue are swapped", todo, swapped)
    yield _row_of_colours(display, "both: a negative, and red and blue swapped", "do both", {**negative, **swapped})
    todo = "send them swapped before you look at the colours again: swapped bytes hide other faults"
    row = _row_of_colours(display, "the two bytes of each pixel are swapped", todo, _reordered(display))
    yield replace(row, looks=f"{row.looks}, and the ramps have stripes")


def _places(display: Display) -> Iterator[Row]:
    known = display.panel and display.panel.offsets
    where = f" to {known[0]} and {known[1]}" if known else ""
    yield Row(
        "the white line is missing or doubled on a side, or there is noise beside it",
        "the picture begins at another place of the controller's memory than the glass",
        f"in the driver, set the offsets of column and row{where}, or change them by the pixels that are missing",
    )
    for looks, turn in (("at the right", 270), ("at the left", 90), ("at the bottom", 180)):
        change = {"rotate": str((display.rotate + turn) % 360)}
        yield Row(f"TOP is {looks}", "the picture is turned", "turn it", change)
    yield Row(
        "letters read as in a mirror",
        "the driver mirrors rows or columns",
        f"in the driver, {_toggle(display, (_MX, _MY))}; if it is upside down then, the other one",
    )
    yield Row(
        "the card is slanted, torn or there several times",
        "the driver's rows, or its pixels, are of another length",
        f"make it take {display.width}x{display.height} pixels as {display.format}",
    )


def _ramps(display: Display) -> Iterator[Row]:
    if min(FORMATS[display.format].depths) == 8:
        return  # no level is missing
    if display.dither == "none":
        yield Row("the ramps have steps", "the panel has few levels", "dither", {"dither": "floyd-steinberg"})
    else:
        wrong = "nothing: that is dithering, and without it there are steps"
        yield Row("the ramps are grainy", wrong, "stop dithering", {"dither": "none"})


def _inverted(display: Display) -> dict[str, str]:
    return {"invert": str(not display.invert).lower()}


def _swapped(display: Display) -> dict[str, str]:
    """Red and blue in each other's place, the bytes in their order; nothing where no format does that."""
    name = display.format
    other = name.replace("rgb", "bgr") if name.startswith("rgb") else name.replace("bgr", "rgb")
    return {"format": other} if other != name and other in FORMATS else {}


def _reordered(display: Display) -> dict[str, str]:
    name, order = display.format[:-2], display.format[-2:]
    return {"format": name + ("le" if order == "be" else "be")}


def _toggle(display: Display, bits: tuple[int, ...]) -> str:
    """What to do with one of these bits of MADCTL, with its value where it is known."""
    madctl = display.panel.madctl if display.panel else None
    names = {_BGR: "BGR", _MX: "MX", _MY: "MY"}
    values = " or ".join(f"0x{(madctl or 0) ^ bit:02X}" for bit in bits)
    which = " or ".join(f"{names[bit]} (0x{bit:02X})" for bit in bits)
    return f"change the bit {which} of MADCTL" + (f", which makes it {values}" if madctl is not None else "")


def _row_of_colours(display: Display, wrong: str, todo: str, change: dict[str, str]) -> Row:
    """The row of a panel for which `change` is right, while it is sent what `display` says."""
    form, panels = FORMATS[display.format], FORMATS[change.get("format", display.format)]
    seen = []
    for name in ("RED", "GREEN", "BLUE"):
        data = form.pack(_levels(PRIMARIES[name], form.depths))
        if "invert" in change:
            data = form.negative(data)
        red, green, blue = (int(value) for value in panels.show(data, 1, 1)[0, 0])
        seen.append((red, green, blue))
    names = [_nearest(colour) for colour in seen]
    looks = f"RED is {names[0]}, GREEN is {names[1]}, BLUE is {names[2]}"
    return Row(looks, wrong, todo, change, tuple(seen))


def _levels(colour: RGB, depths: tuple[int, ...]) -> Levels:
    """One pixel of a colour whose channels are all or nothing."""
    levels = [(value > 0) * ((1 << depth) - 1) for value, depth in zip(colour, depths, strict=True)]
    return np.array([[levels]], np.uint8)


def _nearest(colour: RGB) -> str:
    """The primary that is nearest to a colour: `blue`, or `dull blue` where it is not just that."""

    def distance(name: str) -> int:
        return sum((a - b) ** 2 for a, b in zip(colour, PRIMARIES[name], strict=True))

    nearest = min(PRIMARIES, key=distance)
    return nearest.lower() if distance(nearest) == 0 else f"a dull {nearest.lower()}"
