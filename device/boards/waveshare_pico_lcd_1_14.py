"""Waveshare Pico-LCD-1.14 on a Pico W."""

DISPLAY = "waveshare-pico-lcd-1.14"
CONTROLLER = "ST7789VW"
WIDTH = 240
HEIGHT = 135
FORMAT = "rgb565-be"
ROUND = False
MADCTL = 0x70
INVON = True
X_OFFSET = 40
Y_OFFSET = 53

SPI = 1
BAUDRATE = 40_000_000  # more than the datasheet's 15 MHz, as everybody does; a Pico makes 24 MHz of it
SCK = 10
MOSI = 11
CS = 9
DC = 8
RST = 12
BL = 13
BUTTONS = {"A": 15, "B": 17, "UP": 2, "DOWN": 18, "LEFT": 16, "RIGHT": 20, "PRESS": 3}
