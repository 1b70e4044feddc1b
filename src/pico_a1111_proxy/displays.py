"""Display: the profile of a panel, and the panels known by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Fit = Literal["stretch", "cover", "contain"]
Dither = Literal["none"]

FITS: tuple[str, ...] = get_args(Fit)
DITHERS: tuple[str, ...] = get_args(Dither)
ROTATIONS = (0, 90, 180, 270)
MAX_SIDE = 1024  # pixels; the largest small display sold is 480 by 480


@dataclass(frozen=True)
class Display:
    """What a panel wants on the wire.

    `width` and `height` are the panel's, in pixels, as its rows go over the wire. `format` is a name in
    `pixels.FORMATS`. `rotate` turns the picture clockwise, in degrees, before it goes out. `invert` sends a
    colour negative. `background` is `#rrggbb` and shows where `contain` leaves room and under transparency.
    `as_stored` takes pixels as the file stores them: alpha dropped, EXIF orientation ignored.
    """

    name: str
    width: int
    height: int
    format: str = "rgb565-be"
    fit: Fit = "cover"
    rotate: int = 0
    invert: bool = False
    dither: Dither = "none"
    background: str = "#000000"
    as_stored: bool = False

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
    return Display("default", width, height, fit="stretch", invert=invert, as_stored=True)


# One row a panel. All of them take RGB565 with the high byte first once their driver has sent INVON.
_KNOWN = (
    Display("waveshare-pico-lcd-0.96", 160, 80),
    Display("waveshare-pico-lcd-1.14", 240, 135),
    Display("waveshare-pico-lcd-1.3", 240, 240),
    Display("waveshare-pico-lcd-2", 320, 240),
)

DISPLAYS: dict[str, Display] = {display.name: display for display in _KNOWN}
