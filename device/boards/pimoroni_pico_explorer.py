"""Pimoroni Pico Explorer Base with a Pico W."""

# Offsets and MADCTL belong together: sure, ROTATE_0 in
# pimoroni/pimoroni-pico:drivers/st7789/st7789.cpp. The light is always on: GP20 is an I2C pin here.

DISPLAY = "pimoroni-pico-explorer"
CONTROLLER = "ST7789"
WIDTH = 240
HEIGHT = 240
FORMAT = "rgb565-be"
ROUND = False
MADCTL = 0x04
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
BL = None
BUTTONS = {"A": 12, "B": 13, "X": 14, "Y": 15}
