"""Glass: what a person sees of a panel, made of a display's profile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from pico_a1111_proxy.displays import Display, Panel
from pico_a1111_proxy.simulator.controller import BGR, MV, MX, Controller, Kind, kind_named, oriented

# A display of which nothing is known is taken for the usual one.
_USUAL = Panel("ST7789", x_offset=None, y_offset=None)


class Glass:
    """The glass of `display` on its controller.

    The profile's facts say what a driver sends, and so which cells of the controller's memory lie under the glass, how
    it is turned, whether it shows a negative by itself, and whether blue comes first. What they leave open is settled:
    MADCTL is the one that has the display's width along its rows, mirrored as the Pico boards' when it is turned
    (0x60), with BGR where glass of this controller mostly has it; offsets are 0, and the middle for round glass;
    INVON is `invon`, which is looked at only then; no panel at all is an ST7789. Raises ValueError if the controller
    is not simulated, or the glass does not lie within its memory.

    `controller` is the controller, and `light` the backlight from 0 to 1. `madctl`, `offsets` and `invon` are the facts
    as settled.
    """

    def __init__(self, display: Display, invon: bool = False) -> None:
        panel = display.panel or _USUAL
        kind = kind_named(panel.controller)
        if panel.bus != "SPI" and kind.name == "ILI9488":
            kind = replace(kind, codings=(5, 6))
        self.display = display
        self.controller = Controller(kind)
        self.light = 1.0
        self.madctl = _usual_madctl(display, kind) if panel.madctl is None else panel.madctl
        self.offsets = panel.offsets or _usual_offsets(display, kind, self.madctl)
        self.invon = invon if panel.invon is None else panel.invon
        # Either MADCTL's bit or the order of the bytes makes up for glass that has blue first.
        self._blue_first = bool(self.madctl & BGR) != display.format.startswith("bgr")
        height, width, _ = oriented(self.controller.gram, self.madctl).shape
        x, y = self.offsets
        if x + display.width > width or y + display.height > height:
            raise ValueError(
                f"{display.width}x{display.height} at {x},{y} is not within the {width}x{height} of {panel.controller}"
            )

    def image(self, lit: bool = True) -> Image.Image:
        """What is to be seen: RGB, `display.width` by `display.height`; black when asleep, off or without light.

        With `lit` false: what is to be seen of the memory as soon as display and light go on. A round panel's corners,
        which `frames.preview` leaves clear, are black.
        """
        display, controller = self.display, self.controller
        size = display.width, display.height
        if lit and (controller.asleep or not controller.on or not self.light):
            return Image.new("RGB", size)
        x, y = self.offsets
        seen = oriented(controller.gram, self.madctl)[y : y + display.height, x : x + display.width]
        if controller.bgr != self._blue_first:
            seen = seen[..., ::-1]
        if controller.inverted != self.invon:
            seen = 255 - seen
        image = Image.fromarray(np.ascontiguousarray(seen))
        return _without_corners(image) if display.round else image


def _usual_madctl(display: Display, kind: Kind) -> int:
    turned = display.width != display.height and (display.width > display.height) != (kind.columns > kind.rows)
    return (MV | MX if turned else 0) | (BGR if kind.bgr else 0)


def _usual_offsets(display: Display, kind: Kind, madctl: int) -> tuple[int, int]:
    if not display.round:
        return 0, 0
    width, height = (kind.rows, kind.columns) if madctl & MV else (kind.columns, kind.rows)
    return max(0, width - display.width) // 2, max(0, height - display.height) // 2


def _without_corners(image: Image.Image) -> Image.Image:
    """What of the image is within the ellipse that `frames.preview` leaves of it."""
    disc = Image.new("L", image.size)
    ImageDraw.Draw(disc).ellipse((0, 0, image.width - 1, image.height - 1), fill=255)
    return Image.composite(image, Image.new("RGB", image.size), disc)
