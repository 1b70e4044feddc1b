"""Waveshare Pico-LCD-1.44 on a Pico W."""

# The glass has blue first, and the maker's MADCTL does not say so: the bytes make up for it. MADCTL 0x78 would go with
# rgb565-be. Sure: medium.

DISPLAY = "waveshare-pico-lcd-1.44"
CONTROLLER = "ST7735S"
WIDTH = 128
HEIGHT = 128
FORMAT = "bgr565-be"
ROUND = False
MADCTL = 0x70
INVON = False
X_OFFSET = 1
Y_OFFSET = 2

SPI = 1
BAUDRATE = 24_000_000  # the maker's demo has 10 MHz; above 27 there are stray pixels (TFT_eSPI)
SCK = 10
MOSI = 11
CS = 9
DC = 8
RST = 12
BL = 13
# KEY0 to KEY3 on the board.
BUTTONS = {"A": 15, "B": 17, "X": 2, "Y": 3}
