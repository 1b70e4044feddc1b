"""Adafruit 1.3 inch TFT, wired to a Pico W."""

# A suggestion for a Pico W: SCK to GP18, MOSI to GP19, CS (TFTCS) to GP17, DC to GP16, RST to GP21, LITE (BL) to GP20.

DISPLAY = "adafruit-1.3"
CONTROLLER = "ST7789"
WIDTH = 240
HEIGHT = 240
FORMAT = "rgb565-be"
ROUND = False
MADCTL = 0xC0
INVON = True
X_OFFSET = 0
Y_OFFSET = 80

SPI = 0
BAUDRATE = 24_000_000  # through loose wires
SCK = 18
MOSI = 19
CS = 17
DC = 16
RST = 21
BL = 20
BUTTONS = {}
