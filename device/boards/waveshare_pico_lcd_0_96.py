"""Waveshare Pico-LCD-0.96 on a Pico W."""

DISPLAY = "waveshare-pico-lcd-0.96"
CONTROLLER = "ST7735S-IPS"
WIDTH = 160
HEIGHT = 80
FORMAT = "rgb565-be"
ROUND = False
MADCTL = 0xA8
INVON = True
X_OFFSET = 1
Y_OFFSET = 26

SPI = 1
BAUDRATE = 24_000_000  # the maker's demo has 10 MHz; above 27 there are stray pixels (TFT_eSPI)
SCK = 10
MOSI = 11
CS = 9
DC = 8
RST = 12
BL = 13
BUTTONS = {"A": 15, "B": 17, "UP": 2, "DOWN": 18, "LEFT": 16, "RIGHT": 20, "PRESS": 3}
