"""Waveshare Pico-ResTouch-LCD-3.5 on a Pico W; its touch panel is not used."""

# Shift registers stand before the ILI9488 here: what there is for a bare one does not fit.

DISPLAY = "waveshare-restouch-3.5"
CONTROLLER = "ILI9488-SR"
WIDTH = 480
HEIGHT = 320
FORMAT = "rgb565-be"
ROUND = False
MADCTL = 0xE8
INVON = True
X_OFFSET = 0
Y_OFFSET = 0

SPI = 1
BAUDRATE = 40_000_000  # as the maker's demo
SCK = 10
MOSI = 11
CS = 9
DC = 8
RST = 15
BL = 13
BUTTONS = {}
