"""Pimoroni Pico Display Pack 2.0 on a Pico W."""

DISPLAY = "pimoroni-display-2"
CONTROLLER = "ST7789"
WIDTH = 320
HEIGHT = 240
FORMAT = "rgb565-be"
ROUND = False
MADCTL = 0x70  # sure: ROTATE_0 in pimoroni/pimoroni-pico:drivers/st7789/st7789.cpp
INVON = True
X_OFFSET = 0
Y_OFFSET = 0

SPI = 0
BAUDRATE = 40_000_000  # more than the datasheet's 15 MHz, as everybody does; a Pico makes 24 MHz of it
SCK = 18
MOSI = 19
CS = 17
DC = 16
RST = None
BL = 20
BUTTONS = {"A": 12, "B": 13, "X": 14, "Y": 15}
