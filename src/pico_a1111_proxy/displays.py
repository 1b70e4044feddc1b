"""Display: the profile of a panel."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pico_a1111_proxy.pixels import FORMATS

Fit = Literal["stretch", "cover", "contain"]
Dither = Literal["none", "ordered", "blue-noise", "floyd-steinberg"]
Sure = Literal["high", "medium", "low"]

FITS: tuple[str, ...] = get_args(Fit)
DITHERS: tuple[str, ...] = get_args(Dither)
SURE: tuple[str, ...] = get_args(Sure)
ROTATIONS = (0, 90, 180, 270)
MAX_SHARPEN = 200  # per cent
MAX_SIDE = 1024  # pixels; the largest small display sold is 480 by 480
LONGEST_NAME = 64  # characters of a display's name
DEFAULT = "default"  # the name of the display of the settings

_MOST_NEAR = 4  # names in one sentence


@dataclass(frozen=True)
class Panel:
    """What a driver has to know of the glass and its controller, and how well it is known.

    `invon` says whether the driver has to send INVON; None is "it depends", and the note says on what, or not known.
    `madctl` is the controller's memory access byte, in the orientation of the display's width and height. `x_offset`
    and `y_offset` are where the glass begins in the controller's memory, in that orientation. All three are None where
    they are not known here, or the maker's library sets them. `source` is where this was read, as repository:path or as
    an address; nothing here was checked on a panel.
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

    @property
    def offsets(self) -> tuple[int, int] | None:
        """Column and row where the glass begins, None where either is not known."""
        return None if self.x_offset is None or self.y_offset is None else (self.x_offset, self.y_offset)

    @property
    def madctl_in_hex(self) -> str | None:
        """MADCTL as drivers write it, such as 0x70; None where it is not known."""
        return None if self.madctl is None else f"0x{self.madctl:02X}"


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
    def frame_bytes(self) -> int:
        """Bytes of a whole frame."""
        return FORMATS[self.format].size(self.width, self.height)

    @property
    def background_rgb(self) -> tuple[int, int, int]:
        """The background as three values from 0 to 255."""
        red, green, blue = bytes.fromhex(self.background[1:])
        return red, green, blue


def describe_display(display: Display) -> dict[str, Any]:
    """All that is known of `display`, for a client that reads JSON; `panel` is None where nothing is known of it."""
    return {
        "name": display.name,
        "label": display.label,
        "width": display.width,
        "height": display.height,
        "format": display.format,
        "bytes": display.frame_bytes,
        "fit": display.fit,
        "rotate": display.rotate,
        "invert": display.invert,
        "dither": display.dither,
        "background": display.background,
        "linear_light": display.linear_light,
        "sharpen": display.sharpen,
        "round": display.round,
        "panel": display.panel and asdict(display.panel),
    }


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """At most four of `known` that `name` may have meant, the nearest first."""
    known, asked = list(known), name.lower()[:LONGEST_NAME]
    near = difflib.get_close_matches(asked, known, _MOST_NEAR)
    parts = [good for good in known if asked and asked in good and good not in near]
    return [*near, *parts][:_MOST_NEAR]


def is_colour(text: str) -> bool:
    """Whether it is written `#rrggbb`."""
    return re.fullmatch("#[0-9a-fA-F]{6}", text) is not None


def default_display(width: int, height: int, invert: bool) -> Display:
    """The display of the service's settings, whose bytes are defined bit for bit: stretched, as stored."""
    return Display(
        DEFAULT,
        width,
        height,
        fit="stretch",
        invert=invert,
        dither="none",
        as_stored=True,
        label="The display of the settings",
    )
