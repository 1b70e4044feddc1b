"""The card: colours, ramps, marks and texts, laid out for any size of panel."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.pixels import FORMATS
from pico_a1111_proxy.testcards.letters import (
    ADVANCE,
    ARROW,
    LINE,
    STUCK,
    TALL,
    enlarge,
    largest,
    letters,
    stencil,
    wrap,
)

RGB = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, and the right and bottom that lie outside

BLACK: RGB = (0, 0, 0)
WHITE: RGB = (255, 255, 255)

# Each beside its complement, so that a negative swaps the two.
PRIMARIES: dict[str, RGB] = {
    "RED": (255, 0, 0),
    "CYAN": (0, 255, 255),
    "GREEN": (0, 255, 0),
    "MAGENTA": (255, 0, 255),
    "BLUE": (0, 0, 255),
    "YELLOW": (255, 255, 0),
    "WHITE": WHITE,
    "BLACK": BLACK,
}

RAMPS: tuple[RGB, ...] = (WHITE, PRIMARIES["RED"], PRIMARIES["GREEN"], PRIMARIES["BLUE"])

_INSET = 3  # pixels: the line on the edge, a black one beside it, and a gap

_SQUARE = ("######",) * 6
_TRIANGLE = ("######", ".#####", "..####", "...###", "....##", ".....#")
_DISC = ("..##..", ".####.", "######", "######", ".####.", "..##..")
_CROSS = ("##..##", "######", ".####.", ".####.", "######", "##..##")


def draw_testcard(display: Display) -> bytes:
    """A PNG of exactly `display.upright_size`, which therefore is never resized on its way to a frame."""
    card = _Card(display)
    card.draw_edge()
    card.draw_marks()
    card.fill(*card.write())
    out = io.BytesIO()
    card.image.save(out, "PNG")
    return out.getvalue()


@dataclass
class _Block:
    """Lines of text at their place."""

    lines: list[str]
    scale: int
    top: int
    bottom: int


@dataclass
class _Card:
    """A card while it is drawn. All sizes are in pixels; `taken` are the boxes of the marks, which texts avoid."""

    display: Display
    taken: list[Box] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.width, self.height = self.display.upright_size
        self.scale = max(1, (min(self.width, self.height) + 90) // 130)
        self.grey = FORMATS[self.display.format].is_grey
        self.image = Image.new("RGB", (self.width, self.height))
        self.draw = ImageDraw.Draw(self.image)

    def draw_edge(self) -> None:
        """A line of one pixel on the outermost pixels of all sides."""
        box = (0, 0, self.width - 1, self.height - 1)
        if self.display.round and min(self.width, self.height) > 2:
            self.draw.ellipse(box, outline=WHITE)
        else:
            self.draw.rectangle(box, outline=WHITE)

    def draw_marks(self) -> None:
        """A mark of its own shape and colour for each corner; a round panel has them at its sides."""
        side = len(_SQUARE) * self.scale
        if min(self.width, self.height) < 3 * (side + _INSET):
            return
        right, bottom = self.width - _INSET - side, self.height - _INSET - side
        if self.display.round:
            middle = (self.height - side) // 2
            # The corners of the squares, not their sides, are what is nearest to the edge.
            inset = _INSET + 1 + side // 3
            places = [(inset, middle), (self.width - inset - side, middle)]
        else:
            places = [(_INSET, _INSET), (right, _INSET), (_INSET, bottom), (right, bottom)]
        looks = ((_SQUARE, "RED"), (_TRIANGLE, "GREEN"), (_DISC, "BLUE"), (_CROSS, "YELLOW"))
        for (x, y), (shape, name) in zip(places, looks, strict=False):
            colour = WHITE if self.grey else PRIMARIES[name]
            self.image.paste(colour, (x, y), enlarge(stencil(shape), self.scale))
            self.taken.append((x, y, x + side, y + side))

    def across(self, top: int, bottom: int) -> tuple[int, int]:
        """Where the rows from `top` to before `bottom` have room, from left to before right."""
        left, right = _INSET, self.width - _INSET
        if self.display.round:
            away = max(abs(top - self.height / 2), abs(bottom - self.height / 2)) / max(self.height / 2 - _INSET, 1)
            half = (self.width / 2 - _INSET) * math.sqrt(max(1 - away**2, 0))
            left, right = math.ceil(self.width / 2 - half), math.floor(self.width / 2 + half)
        for mark_left, mark_top, mark_right, mark_bottom in self.taken:
            if mark_top < bottom and mark_bottom > top:
                if mark_left < self.width // 2:
                    left = max(left, mark_right + 3)
                else:
                    right = min(right, mark_left - 3)
        return left, right

    def write(self) -> tuple[int, int]:
        """Write as much text as leaves room for colours; where that is, from top to before bottom."""
        facts = f"{self.display.width}x{self.display.height} {self.display.format}"
        if self.display.rotate:
            facts += f" rotate{STUCK}{self.display.rotate}"
        title = f"{ARROW}{STUCK}TOP{STUCK}{ARROW}"
        for texts in ((title, self.display.name, facts), (title, "", facts), (title, "", ""), (ARROW, "", "")):
            for scale in range(self.scale, 0, -1):
                blocks, top, bottom = self._place(texts, scale)
                if len(blocks) == sum(map(bool, texts)) and bottom - top >= max(14, 0.5 * self.height):
                    for block in blocks:
                        self._write_block(block)
                    return top, bottom
        return _INSET, self.height - _INSET

    def _place(self, texts: Sequence[str], scale: int) -> tuple[list[_Block], int, int]:
        """The blocks of texts, the last one at the bottom, none larger than `scale`, and the rows between them."""
        top, bottom = _INSET, self.height - _INSET
        blocks = []
        for at, text in enumerate(texts):
            from_top = at < len(texts) - 1
            block = self._find_place(text, scale, (top, bottom), from_top=from_top) if text else None
            if block:
                blocks.append(block)
                gap = 2 * block.scale
                top, bottom = (block.bottom + gap, bottom) if from_top else (top, block.top - gap)
        return blocks, top, bottom

    def _find_place(self, text: str, most: int, rows: tuple[int, int], *, from_top: bool) -> _Block | None:
        """`text` in one line or two, as large as may be, as near to one end as a round panel lets it be."""
        for scale in range(most, 0, -1):
            for count in (1, 2):
                height = ((count - 1) * LINE + TALL) * scale
                for shift in range(self.height // 10 if self.display.round else 1):
                    begin = rows[0] + shift if from_top else rows[1] - shift - height
                    left, right = self.across(begin, begin + height)
                    lines = wrap(text, (right - left + scale) // (ADVANCE * scale))
                    if lines and len(lines) <= count:
                        return _Block(lines, scale, begin, begin + height)
        return None

    def _write_block(self, block: _Block) -> None:
        left, right = self.across(block.top, block.bottom)
        for at, line in enumerate(block.lines):
            top = block.top + at * LINE * block.scale
            self._letter(line, block.scale, (left, top, right, top + TALL * block.scale), WHITE)

    def _letter(self, text: str, scale: int, box: Box, colour: RGB) -> None:
        """Write one line in the middle of a box."""
        mask = enlarge(letters(text), scale)
        left, top, right, bottom = box
        # What hangs below the line must not hang over the edge.
        lowest = self.height - _INSET - mask.height
        self.image.paste(
            colour, ((left + right - mask.width) // 2, min((top + bottom - mask.height) // 2, lowest)), mask
        )

    def fill(self, top: int, bottom: int) -> None:
        """Draw the primaries above the ramps in the rows from `top` to before `bottom`."""
        left, right = self.across(top, bottom)
        if right <= left or bottom <= top:
            return
        middle = top + max(1, round(0.56 * (bottom - top)))
        self._draw_primaries(left, top, right, middle)
        self._draw_ramps(left, middle + self.scale, right, bottom)

    def _draw_primaries(self, left: int, top: int, right: int, bottom: int) -> None:
        width, height = right - left, bottom - top
        if width < 1 or height < 1:
            return

        def fitting(columns: int) -> list[int]:
            room = (width // columns - 1, height * columns // 8 - 3)
            return [largest(name, self.scale, room) for name in PRIMARIES]

        def worth(columns: int) -> tuple[int, int]:
            return sum(fitting(columns)), min(width // columns, height * columns // 8)

        columns = max((4, 2, 8, 1), key=worth)
        rows = 8 // columns
        scale = min([size for size in fitting(columns) if size], default=0)
        # In rows of four and of eight, a column or a pair is a colour and its complement.
        names = list(PRIMARIES)
        order = names[::2] + names[1::2] if columns == 4 else names
        for at, name in enumerate(order):
            row, column = divmod(at, columns)
            box = (
                left + width * column // columns,
                top + height * row // rows,
                left + width * (column + 1) // columns - 1,
                top + height * (row + 1) // rows - 1,
            )
            self._draw_primary(name, scale, box)

    def _draw_primary(self, name: str, scale: int, box: Box) -> None:
        left, top, right, bottom = box
        if right <= left or bottom <= top:
            return
        colour = PRIMARIES[name]
        self.draw.rectangle((left, top, right - 1, bottom - 1), fill=colour)
        if name == "BLACK" and min(right - left, bottom - top) > 2:
            self.draw.rectangle((left, top, right - 1, bottom - 1), outline=WHITE)
        room = (right - left, bottom - top - 2)
        text = next((text for text in (name, name[:3], name[0]) if scale and largest(text, scale, room) == scale), "")
        if not text:
            return
        light = _brightness(colour) > 110
        if FORMATS[self.display.format].depths == (1,):
            self._draw_plate(text, scale, box, WHITE if light else BLACK)
        self._letter(text, scale, box, BLACK if light else WHITE)

    def _draw_plate(self, text: str, scale: int, box: Box, colour: RGB) -> None:
        """A plain ground for letters, which can't be read on the dots of a grey."""
        mask = letters(text)
        width, height = (mask.width + 2) * scale, (mask.height + 2) * scale
        left, top = (box[0] + box[2] - width) // 2, (box[1] + box[3] - height) // 2
        right, bottom = min(left + width, box[2]), min(top + height, box[3])
        self.draw.rectangle((max(left, box[0]), max(top, box[1]), right - 1, bottom - 1), fill=colour)

    def _draw_ramps(self, left: int, top: int, right: int, bottom: int) -> None:
        """From black on the left to the whole colour on the right, each pixel a column."""
        if right - left < 2 or bottom <= top:
            return
        ramps = RAMPS[:1] if self.grey else RAMPS[: bottom - top]
        values = np.rint(np.linspace(0, 255, right - left)).astype(np.uint8)
        for at, colour in enumerate(ramps):
            begin, end = (top + (bottom - top) * row // len(ramps) for row in (at, at + 1))
            columns = np.where(np.array(colour) > 0, values[:, np.newaxis], 0).astype(np.uint8)
            gap = 1 if end - begin > 2 and at < len(ramps) - 1 else 0
            bar = np.tile(columns, (end - begin - gap, 1, 1))
            self.image.paste(Image.fromarray(bar), (left, begin))


def _brightness(colour: RGB) -> float:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue
