"""Waveshare Pico-LCD-1.8 on a Pico W."""

DISPLAY = "waveshare-pico-lcd-1.8"
CONTROLLER = "ST7735S"
WIDTH = 160
HEIGHT = 128
FORMAT = "rgb565-be"
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
BUTTONS = {}
