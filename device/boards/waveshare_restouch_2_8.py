"""Waveshare Pico-ResTouch-LCD-2.8 on a Pico W; its touch panel is not used."""

# Not sure: INVON. The maker's demo for the Pico sends none; peterhinch/micropython-nano-gui drives the glass as if it
# wanted one. If the picture is a negative, set it to True.

DISPLAY = "waveshare-restouch-2.8"
CONTROLLER = "ST7789"
WIDTH = 320
HEIGHT = 240
FORMAT = "rgb565-be"
ROUND = False
MADCTL = 0x60
INVON = False
X_OFFSET = 0
Y_OFFSET = 0

SPI = 1
BAUDRATE = 40_000_000  # more than the datasheet's 15 MHz, as everybody does; a Pico makes 24 MHz of it
SCK = 10
MOSI = 11
CS = 9
DC = 8
RST = 15
BL = 13
BUTTONS = {}
