"""framebuf for CPython, with the three formats that are used here; letters are Pillow's, not MicroPython's own."""

from PIL import Image, ImageDraw, ImageFont

MVLSB = 0
RGB565 = 1
GS4_HMSB = 2
MONO_HLSB = 3
MONO_HMSB = 4
GS2_HMSB = 5
GS8 = 6

_BITS = {RGB565: 16, MONO_HLSB: 1, GS8: 8}
_MOST = 0xFFFF
_CELL = 8  # pixels of a letter, both ways

_letters = {}  # letter -> eight rows of eight truth values


class FrameBuffer:
    """Pixels in a buffer of the program's own; RGB565 has the low byte first, as the chip has it."""

    def __init__(self, buffer, width, height, format, stride=None):  # noqa: A002 - MicroPython's
        stride = width if stride is None else stride
        if width < 1 or height < 1 or max(width, height, stride) > _MOST or stride < width:
            raise ValueError
        if format not in _BITS:
            raise ValueError("invalid format")
        bits = _BITS[format]
        in_bytes = 8 if bits == 1 else 1  # a row of bits takes whole bytes
        stride = -(-stride // in_bytes) * in_bytes
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise TypeError("object with buffer protocol required")
        if len(view) < ((height - 1) * stride + -(-width // in_bytes) * in_bytes) * bits // 8:
            raise ValueError
        self._bytes, self._width, self._height, self._stride, self._bits = view, width, height, stride, bits

    def pixel(self, x, y, *colour):
        """Set a pixel, or without a colour tell it; outside nothing is set, and None is told."""
        if not (0 <= x < self._width and 0 <= y < self._height):
            return None
        if not colour:
            return self._get(y * self._stride + x)
        self._set(y * self._stride + x, colour[0])
        return None

    def _get(self, at):
        if self._bits == 16:
            return self._bytes[2 * at] | self._bytes[2 * at + 1] << 8
        if self._bits == 8:
            return self._bytes[at]
        return self._bytes[at // 8] >> (7 - at % 8) & 1

    def _set(self, at, colour):
        if self._bits == 16:
            self._bytes[2 * at : 2 * at + 2] = (colour & 0xFFFF).to_bytes(2, "little")
        elif self._bits == 8:
            self._bytes[at] = colour & 0xFF
        else:
            bit = 0x80 >> at % 8
            self._bytes[at // 8] = self._bytes[at // 8] & ~bit | (bit if colour else 0)

    def fill(self, colour):
        """All pixels in one colour."""
        self.fill_rect(0, 0, self._width, self._height, colour)

    def fill_rect(self, x, y, width, height, colour):
        """A box in one colour; what is outside is left out."""
        left, right = max(0, x), min(self._width, x + width)
        for row in range(max(0, y), min(self._height, y + height)):
            at = row * self._stride + left
            if self._bits > 1 and right > left:
                size = self._bits // 8
                one = (colour & (1 << self._bits) - 1).to_bytes(size, "little")
                self._bytes[at * size : (at + right - left) * size] = one * (right - left)
            else:
                for pixel in range(at, at + right - left):
                    self._set(pixel, colour)

    def hline(self, x, y, width, colour):
        """A line to the right."""
        self.fill_rect(x, y, width, 1, colour)

    def vline(self, x, y, height, colour):
        """A line downwards."""
        self.fill_rect(x, y, 1, height, colour)

    def rect(self, x, y, width, height, colour, fill=False):  # noqa: PLR0913, PLR0917 - MicroPython's
        """The outline of a box, or all of it."""
        if fill:
            self.fill_rect(x, y, width, height, colour)
            return
        self.hline(x, y, width, colour)
        self.hline(x, y + height - 1, width, colour)
        self.vline(x, y, height, colour)
        self.vline(x + width - 1, y, height, colour)

    def line(self, x1, y1, x2, y2, colour):
        """A line between two pixels, both in it."""
        steps = max(abs(x2 - x1), abs(y2 - y1))
        for step in range(steps + 1):
            part = step / steps if steps else 0
            self.pixel(round(x1 + (x2 - x1) * part), round(y1 + (y2 - y1) * part), colour)

    def text(self, text, x, y, colour=1):
        """A line of letters, each in a cell of 8 by 8 pixels."""
        for letter in text:
            for down, row in enumerate(_rows(letter)):
                for right, inked in enumerate(row):
                    if inked:
                        self.pixel(x + right, y + down, colour)
            x += _CELL

    def blit(self, source, x, y, key=-1, palette=None):
        """Put another FrameBuffer here; `key` is the colour that is left out, `palette` a FrameBuffer of new ones."""
        for down in range(source._height):  # noqa: SLF001 - of the same class
            for right in range(source._width):  # noqa: SLF001
                colour = source.pixel(right, down)
                if palette is not None:
                    colour = palette.pixel(colour, 0)
                if colour != key:
                    self.pixel(x + right, y + down, colour)

    def scroll(self, dx, dy):
        """Move all that is there; what comes in from outside stays as it was."""
        before = [[self.pixel(x, y) for x in range(self._width)] for y in range(self._height)]
        for y in range(max(0, dy), min(self._height, self._height + dy)):
            for x in range(max(0, dx), min(self._width, self._width + dx)):
                self.pixel(x, y, before[y - dy][x - dx])


def _rows(letter):
    if letter not in _letters:
        _letters[letter] = _ink(letter if " " <= letter <= "~" else "?")
    return _letters[letter]


def _ink(letter):
    """Pillow's letters are 6 pixels wide and reach over ten rows: the cell goes where the ink is."""
    mask = Image.new("1", (_CELL, 12))
    ImageDraw.Draw(mask).text((1, 0), letter, fill=1, font=ImageFont.load_default_imagefont())
    box = mask.getbbox() or (0, 2, 0, 10)
    rows = [[bool(mask.getpixel((x, y))) for x in range(_CELL)] for y in range(mask.height)]
    top = min(2, box[1])
    if box[3] - box[1] > _CELL:  # the few that are taller lose a row of their middle
        del rows[6]
    elif box[3] > top + _CELL:
        top = box[3] - _CELL
    return rows[top : top + _CELL]
