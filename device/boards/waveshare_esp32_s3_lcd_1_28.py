"""Waveshare ESP32-S3-LCD-1.28."""

# Not quite sure: RST and BL. Two programs for this board, one of them after the maker's page, have 12 and 40. Others
# have 14 and 2, which are the touch board's.

DISPLAY = "waveshare-esp32-s3-lcd-1.28"
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
RST = 12
BL = 40
BUTTONS = {}
