"""Waveshare Pico-LCD-2 on a Pico W."""

DISPLAY = "waveshare-pico-lcd-2"
CONTROLLER = "ST7789VW"
WIDTH = 320
HEIGHT = 240
FORMAT = "rgb565-be"
ROUND = False
MADCTL = 0x70
INVON = True
X_OFFSET = 0
Y_OFFSET = 0

SPI = 1
BAUDRATE = 40_000_000  # more than the datasheet's 15 MHz, as everybody does; a Pico makes 24 MHz of it
SCK = 10
MOSI = 11
CS = 9
DC = 8
RST = 12
BL = 13
# KEY0 to KEY3 on the board.
BUTTONS = {"A": 15, "B": 17, "X": 2, "Y": 3}
