"""Panel: drives an SPI panel by a table for its controller, a band of rows at a time.

    panel = Panel(waveshare_pico_lcd_1_3)  # a module of boards/
    panel.say("Hello")

There is no frame buffer. Pixels, text and whatever else comes by share one small `band` of rows, made once.
"""

import time

import framebuf
from machine import PWM, SPI, Pin

# Commands that all of these controllers share.
_SWRESET, _SLPIN, _SLPOUT, _INVOFF, _INVON, _DISPON = 0x01, 0x10, 0x11, 0x20, 0x21, 0x29
_CASET, _RASET, _RAMWR, _MADCTL, _COLMOD = 0x2A, 0x2B, 0x2C, 0x36, 0x3A

# What a controller is told after its reset. A line is a command, how many bytes follow it, and these bytes. Where the
# values that the reset leaves do, there is no line. COLMOD, MADCTL and INVON come from the board's file.

# The glass of Waveshare's boards. Porches, gates, VDV and the frame rate (60 Hz) stay as reset.
_ST7789VW = (
    b"\xbb\x01\x19"  # VCOMS: 0.725 V
    b"\xc3\x01\x12"  # VRHS: 4.45 V and VCOM
    b"\xd0\x02\xa4\xa1"  # PWCTRL1: AVDD 6.8 V, AVCL -4.8 V
    b"\xe0\x0e\xd0\x04\x0d\x11\x13\x2b\x3f\x54\x4c\x18\x0d\x0b\x1f\x23"  # PVGAMCTRL
    b"\xe1\x0e\xd0\x04\x0c\x11\x13\x2c\x3f\x44\x51\x2f\x1f\x1f\x20\x23"  # NVGAMCTRL
)

# The ST7735S on TN glass. Its reset values depend on what the factory burnt in, so all of them are set.
_ST7735S = (
    b"\xb1\x03\x01\x2c\x2d"  # FRMCTR1: frame rate and porches, all colours
    b"\xb2\x03\x01\x2c\x2d"  # FRMCTR2: the same, 8 colours
    b"\xb3\x06\x01\x2c\x2d\x01\x2c\x2d"  # FRMCTR3: the same, partial
    b"\xb4\x01\x07"  # INVCTR: columns, not dots, change polarity; no INVON, in spite of the name
    b"\xc0\x03\xa2\x02\x84"  # PWCTR1: GVDD 4.6 V
    b"\xc1\x01\xc5"  # PWCTR2: VGH and VGL
    b"\xc2\x02\x0a\x00"  # PWCTR3: amplifiers, all colours
    b"\xc3\x02\x8a\x2a"  # PWCTR4: amplifiers, 8 colours
    b"\xc4\x02\x8a\xee"  # PWCTR5: amplifiers, partial
    b"\xc5\x01\x0e"  # VMCTR1: VCOM
    b"\xe0\x10\x0f\x1a\x0f\x18\x2f\x28\x20\x22\x1f\x1b\x23\x37\x00\x07\x02\x10"  # GMCTRP1
    b"\xe1\x10\x0f\x1b\x0f\x17\x33\x2c\x29\x2e\x30\x30\x39\x3f\x00\x07\x03\x10"  # GMCTRN1
)

# The same controller on the IPS glass of the 0.96 inch boards.
_ST7735S_IPS = (
    b"\xb1\x03\x05\x3a\x3a\xb2\x03\x05\x3a\x3a\xb3\x06\x05\x3a\x3a\x05\x3a\x3a"  # FRMCTR1 to 3
    b"\xb4\x01\x03"  # INVCTR: dots change polarity with all colours, columns otherwise
    b"\xc0\x03\x62\x02\x04\xc1\x01\xc0\xc2\x02\x0d\x00\xc3\x02\x8d\x6a\xc4\x02\x8d\xee"  # PWCTR1 to 5
    b"\xc5\x01\x0e"  # VMCTR1
    b"\xe0\x10\x10\x0e\x02\x03\x0e\x07\x02\x07\x0a\x12\x27\x37\x00\x0d\x0e\x10"  # GMCTRP1
    b"\xe1\x10\x10\x0e\x03\x03\x0f\x06\x02\x08\x0a\x13\x26\x36\x00\x0d\x0e\x10"  # GMCTRN1
)

# The GC9A01A shows nothing good with its reset values. The datasheet names few of these registers; for the others
# there are only the values that the glass's maker gives.
_GC9A01A = (
    b"\xfe\x00\xef\x00"  # inter register enable 1 and 2, in this order: what follows is locked without
    b"\xeb\x01\x14"
    b"\x84\x01\x40\x85\x01\xff\x86\x01\xff\x87\x01\xff\x88\x01\x0a\x89\x01\x21"
    b"\x8a\x01\x00\x8b\x01\x80\x8c\x01\x01\x8d\x01\x01\x8e\x01\xff\x8f\x01\xff"
    b"\xb6\x02\x00\x20"  # display function control: sources run backwards (SS); MADCTL 0x98 counts on it
    b"\x90\x04\x08\x08\x08\x08"
    b"\xbd\x01\x06\xbc\x01\x00\xff\x03\x60\x01\x04"
    b"\xc3\x01\x13\xc4\x01\x13\xc9\x01\x22"  # VREG1A, VREG1B, VREG2A
    b"\xbe\x01\x11\xe1\x02\x10\x0e\xdf\x03\x21\x0c\x02"
    b"\xf0\x06\x45\x09\x08\x08\x26\x2a\xf1\x06\x43\x70\x72\x36\x37\x6f"  # gamma 1, 2
    b"\xf2\x06\x45\x09\x08\x08\x26\x2a\xf3\x06\x43\x70\x72\x36\x37\x6f"  # gamma 3, 4
    b"\xed\x02\x1b\x0b\xae\x01\x77\xcd\x01\x63"
    b"\x70\x09\x07\x07\x04\x0e\x0f\x09\x07\x08\x03"
    b"\xe8\x01\x34"  # frame rate: 4 dot inversion
    b"\x62\x0c\x18\x0d\x71\xed\x70\x70\x18\x0f\x71\xef\x70\x70"  # from here on: when gates and sources switch
    b"\x63\x0c\x18\x11\x71\xf1\x70\x70\x18\x13\x71\xf3\x70\x70"
    b"\x64\x07\x28\x29\xf1\x01\xf1\x00\x07"
    b"\x66\x0a\x3c\x00\xcd\x67\x45\x45\x10\x00\x00\x00"
    b"\x67\x0a\x00\x3c\x00\x00\x00\x01\x54\x10\x32\x98"
    b"\x74\x07\x10\x85\x80\x00\x00\x4e\x00"
    b"\x98\x02\x3e\x07"
)

# The ILI9488 behind shift registers, which make 16 parallel bits of what SPI brings, on Waveshare's IPS glass.
_ILI9488_SR = (
    b"\xc2\x01\x33"  # PWCTRL3: amplifiers, all colours
    b"\xc5\x03\x00\x1e\x80"  # VMCTRL: VCOM
    b"\xb1\x01\xb0"  # FRMCTR1: frame rate
    b"\xb6\x02\x00\x62"  # DISCTRL: gates and sources run backwards (GS, SS); MADCTL 0xE8 counts on it
    b"\xe0\x0f\x00\x13\x18\x04\x0f\x06\x3a\x56\x4d\x03\x0a\x06\x30\x3e\x0f"  # PGAMCTRL
    b"\xe1\x0f\x00\x13\x18\x01\x11\x06\x38\x34\x4d\x06\x0d\x0b\x31\x37\x0f"  # NGAMCTRL
)

# By a board's CONTROLLER. All reset values do where nothing is sent: makers tune VCOM and gamma for their glass, which
# changes contrast a little. An ILI9488 on SPI of its own takes pixels of three bytes only.
TABLES = {"ST7789": b"", "ST7789V": b"", "ST7789VW": _ST7789VW, "GC9A01A": _GC9A01A}
TABLES.update({"ST7735S": _ST7735S, "ST7735S-IPS": _ST7735S_IPS, "ILI9488": b"", "ILI9488-SR": _ILI9488_SR})

# By a board's FORMAT: the bytes of a pixel, and COLMOD.
FORMATS = {"rgb565-be": (2, 0x55), "bgr565-be": (2, 0x55), "rgb666": (3, 0x66), "rgb888": (3, 0x66)}

_LINE = 10  # rows of a line of text: the letters are 8 high
_BAR = 3  # rows of the bar


class Panel:
    """The panel of `board`, a module of boards/. Raises ValueError if there is no table for it.

    `width`, `height`, `format` and `display` (the service's name for it) are the board's. `band` is a bytearray of
    whole rows of pixels, the only large thing here: fill it, and hand it to `write`. Text needs pixels of 16 bits; on
    other panels `say` and `status` only clear.
    """

    def __init__(self, board):
        """Reset the panel, set it up, make it black and turn its light on."""
        if board.CONTROLLER not in TABLES or board.FORMAT not in FORMATS:
            raise ValueError("no table for " + board.CONTROLLER + " with " + board.FORMAT)
        self.display, self.format = board.DISPLAY, board.FORMAT
        self.width, self.height = board.WIDTH, board.HEIGHT
        self._size, colmod = FORMATS[board.FORMAT]
        self._row = self.width * self._size
        self._rows = min(self.height, max(4, 4096 // self._row))
        self.band = bytearray(self._rows * self._row)
        self._view = memoryview(self.band)
        # 0 and 0xFFFF are the same in any byte order, and with any number of bytes a pixel.
        self._canvas = framebuf.FrameBuffer(self.band, self._row // 2, self._rows, framebuf.RGB565)
        self._x, self._y = board.X_OFFSET, board.Y_OFFSET
        # Of round glass there is little at the bottom: words and bar stay within the middle five eighths.
        is_round = getattr(board, "ROUND", False)
        self._across = self.width * 5 // 8 if is_round else self.width
        self._foot = self.height * 7 // 8 if is_round else self.height
        self._one, self._four = bytearray(1), bytearray(4)
        self._left = 0  # bytes that the window still wants
        self._connect(board)
        self._reset()
        self._send(TABLES[board.CONTROLLER])
        self._command(_COLMOD, (colmod,))
        self._command(_MADCTL, (board.MADCTL,))
        self._command(_INVON if board.INVON else _INVOFF)
        self._command(_SLPOUT)
        time.sleep_ms(120)
        self.fill(0)  # its memory starts as noise, so light comes last
        self._command(_DISPON)
        self.light(100)

    def begin(self, rows, top=0):
        """Open a window of `rows` whole rows from row `top` on: the next `rows * width` pixels of `write` go there."""
        self._window(_CASET, self._x, self.width)
        self._window(_RASET, self._y + top, rows)
        self._command(_RAMWR)
        self._left = rows * self._row
        self._cs(0)

    def write(self, pixels):
        """Send bytes of pixels, as many as come: a pixel may be cut in two between one write and the next."""
        self._spi.write(pixels)
        self._left -= len(pixels)
        if self._left <= 0:
            self._cs(1)

    def fill(self, colour=0):
        """Fill the whole panel: 0 is black, 0xFFFF white, others RGB565 on panels of 16 bits."""
        self._canvas.fill(colour >> 8 | (colour & 0xFF) << 8)  # framebuf puts the low byte first
        self.begin(self.height)
        for done in range(0, self.height, self._rows):
            self._write_rows(self.height - done)

    def say(self, *lines):
        """Clear the panel and write `lines` in the middle, wrapped at its edges; what does not fit is left out."""
        self._print(_wrapped(lines, self._across // 8)[: self._foot // _LINE], self.height, 0)

    def status(self, text):
        """Write one line over the picture, at the bottom edge above the bar, on round glass higher; the rest is cut."""
        self._print((_plain(text)[: self._across // 8],), _LINE, self._foot - _BAR - _LINE)

    def bar(self, fraction):
        """Draw a line of 3 rows at the very bottom, on round glass higher; `fraction` of it, 0 to 1, is white."""
        lit = int(self._across * min(1, max(0, fraction)))
        start = (self.width - self._across) // 2
        self._canvas.fill(0)
        self._canvas.fill_rect(start * self._size // 2, 0, lit * self._size // 2, _BAR, 0xFFFF)
        self.begin(_BAR, self._foot - _BAR)
        self.write(self._view[: _BAR * self._row])

    def light(self, percent):
        """Set the backlight, 0 to 100, where the board can."""
        self._percent = min(100, max(0, percent))
        if self._backlight:
            self._backlight.duty_u16(int(self._percent * 655.35))

    def sleep(self):
        """Light and glass go off. The controller keeps the picture, and draws next to nothing."""
        if self._backlight:
            self._backlight.duty_u16(0)
        self._command(_SLPIN)
        time.sleep_ms(120)

    def wake(self):
        """Show again what was there before `sleep`."""
        self._command(_SLPOUT)
        time.sleep_ms(120)
        self.light(self._percent)

    def _connect(self, board):
        # The trap: on the RP2, GP8 (DC on Waveshare's boards) and GP16 (DC on Pimoroni's) are also where SPI listens
        # if nobody tells it otherwise, and firmware before 1.25 takes no notice of miso=None. A pin that was made
        # before SPI is then SPI's: it never moves again, no pixel arrives, and there is no error. So SPI comes first,
        # and the pins take theirs back.
        sck, mosi = Pin(board.SCK), Pin(board.MOSI)
        self._spi = SPI(board.SPI, baudrate=board.BAUDRATE, polarity=0, phase=0, sck=sck, mosi=mosi, miso=None)
        self._cs, self._dc, self._rst = _output(board.CS), _output(board.DC), _output(board.RST)
        self._soft = board.RST is None
        self._backlight = None
        if board.BL is not None:
            self._backlight = PWM(Pin(board.BL))
            self._backlight.freq(1000)
            self._backlight.duty_u16(0)

    def _reset(self):
        if self._soft:
            self._command(_SWRESET)
        else:
            self._rst(0)
            time.sleep_ms(1)  # 10 microseconds are enough
            self._rst(1)
        time.sleep_ms(120)

    def _send(self, table):
        at = 0
        while at < len(table):
            end = at + 2 + table[at + 1]
            self._command(table[at], table[at + 2 : end])
            at = end

    def _command(self, code, parameters=()):
        """Send a command. Each byte goes alone, with CS of its own: panels behind shift registers want that."""
        self._cs(1)
        self._dc(0)
        self._byte(code)
        self._dc(1)
        for value in parameters:
            self._byte(value)

    def _byte(self, value):
        self._one[0] = value
        self._cs(0)
        self._spi.write(self._one)
        self._cs(1)

    def _window(self, code, first, count):
        four, last = self._four, first + count - 1
        four[0], four[1], four[2], four[3] = first >> 8, first & 0xFF, last >> 8, last & 0xFF
        self._command(code, four)

    def _write_rows(self, rows):
        """Send the band, or as many of its rows as are still wanted."""
        self.write(self.band if rows >= self._rows else self._view[: rows * self._row])

    def _print(self, lines, rows, top):
        """Write `lines` in the middle of `rows` rows from row `top` on, which may be more than the band has."""
        first = (rows - len(lines) * _LINE) // 2 + 1
        self.begin(rows, top)
        for done in range(0, rows, self._rows):
            self._canvas.fill(0)
            for number, line in enumerate(lines if self._size == 2 else ()):
                left = (self.width - 8 * len(line)) // 2
                self._canvas.text(line, left, first + number * _LINE - done, 0xFFFF)  # framebuf cuts what is outside
            self._write_rows(rows - done)


def _output(number):
    """A pin to call with 0 or 1; nothing happens where the board has none."""
    return _nothing if number is None else Pin(number, Pin.OUT, value=1)


def _nothing(level):
    pass


def _plain(text):
    """The text, with a question mark for what the font has not got."""
    return "".join([letter if " " <= letter <= "~" else "?" for letter in text])


def _wrapped(lines, columns):
    """The lines, broken between words where they are longer than `columns` letters; longer words are cut."""
    rows = []
    for line in lines:
        row = ""
        for word in _plain(line.replace("\n", " ")).split():
            if row and len(row) + 1 + len(word) > columns:
                rows.append(row)
                row = ""
            row = row + " " + word if row else word
            while len(row) > columns:
                rows.append(row[:columns])
                row = row[columns:]
        rows.append(row)
    return rows
