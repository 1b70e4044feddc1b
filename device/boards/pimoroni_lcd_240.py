"""Pimoroni 1.54 inch SPI Colour LCD, 240x240, with a Pico W."""

# In the front slot of a Breakout Garden base for the Pico. Offsets and MADCTL belong together: sure, ROTATE_0 in
# pimoroni/pimoroni-pico:drivers/st7789/st7789.cpp.

DISPLAY = "pimoroni-lcd-240"
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
BL = 20
BUTTONS = {}
