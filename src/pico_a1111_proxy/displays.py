"""Display: the profile of a panel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Fit = Literal["stretch", "cover", "contain"]
Dither = Literal["none", "ordered", "blue-noise", "floyd-steinberg"]
Sure = Literal["high", "medium", "low"]

FITS: tuple[str, ...] = get_args(Fit)
DITHERS: tuple[str, ...] = get_args(Dither)
SURE: tuple[str, ...] = get_args(Sure)
ROTATIONS = (0, 90, 180, 270)
MAX_SHARPEN = 200  # per cent
MAX_SIDE = 1024  # pixels; the largest small display sold is 480 by 480


@dataclass(frozen=True)
class Panel:
    """What a driver has to know of the glass and its controller, and how well it is known.

    `invon` says whether the driver has to send INVON; None is "it depends", and the note says on what. `madctl` is the
    controller's memory access byte, in the orientation of the display's width and height. `x_offset` and `y_offset`
    are where the glass begins in the controller's memory, in that orientation. All three are None where the maker's
    library sets them and they are no concern of whoever uses it. `source` is where this was read, as repository:path
    or as an address; nothing here was checked on a panel.
    """

    controller: str
    bus: str = "SPI"
    invon: bool | None = True
    madctl: int | None = None
    x_offset: int | None = 0
    y_offset: int | None = 0
    sure: Sure = "high"
    source: str = ""
    note: str = ""


@dataclass(frozen=True)
class Display:
    """What a panel wants on the wire, and how pictures are made for it.

    `width` and `height` are the panel's, in pixels, as its rows go over the wire. `format` is a name in
    `pixels.FORMATS`. `rotate` turns the picture clockwise, in degrees, before it goes out. `invert` sends a
    colour negative. `background` is `#rrggbb` and shows where `contain` leaves room and under transparency.
    `linear_light` resizes light instead of the values that stand for it. `sharpen` is in per cent, 0 to
    MAX_SHARPEN. `round` says that the panel has no corners. `as_stored` takes pixels as the file stores them, alpha
    dropped and EXIF orientation ignored, and cuts low bits off where others round to the nearest level.
    """

    name: str
    width: int
    height: int
    format: str = "rgb565-be"
    fit: Fit = "cover"
    rotate: int = 0
    invert: bool = False
    dither: Dither = "floyd-steinberg"
    background: str = "#000000"
    linear_light: bool = False
    sharpen: int = 0
    round: bool = False
    as_stored: bool = False
    label: str = ""
    panel: Panel | None = None

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height as the person in front of the turned panel sees them."""
        if self.rotate in (90, 270):
            return self.height, self.width
        return self.width, self.height

    @property
    def background_rgb(self) -> tuple[int, int, int]:
        """The background as three values from 0 to 255."""
        red, green, blue = bytes.fromhex(self.background[1:])
        return red, green, blue


def is_colour(text: str) -> bool:
    """Whether it is written `#rrggbb`."""
    return re.fullmatch("#[0-9a-fA-F]{6}", text) is not None


def default_display(width: int, height: int, invert: bool) -> Display:
    """The display of the service's settings, whose bytes are defined bit for bit: stretched, as stored."""
    return Display(
        "default",
        width,
        height,
        fit="stretch",
        invert=invert,
        dither="none",
        as_stored=True,
        label="The display of the settings",
    )
