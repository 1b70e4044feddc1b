"""Waveshare ESP32-S3-Touch-LCD-1.28; its touch panel is not used."""

DISPLAY = "waveshare-esp32-s3-touch-lcd-1.28"
CONTROLLER = "GC9A01A"
WIDTH = 240
HEIGHT = 240
FORMAT = "rgb565-be"
ROUND = True
MADCTL = 0x98
INVON = True
X_OFFSET = 0
Y_OFFSET = 0

SPI = 1
BAUDRATE = 40_000_000
SCK = 10
MOSI = 11
CS = 9
DC = 8
RST = 14
BL = 2
BUTTONS = {}
