"""LilyGO T-Display, upright."""

DISPLAY = "lilygo-t-display"
CONTROLLER = "ST7789V"
WIDTH = 135
HEIGHT = 240
FORMAT = "rgb565-be"
ROUND = False
MADCTL = 0x00  # sure: portrait in Bodmer/TFT_eSPI:TFT_Drivers/ST7789_Rotation.h
INVON = True
X_OFFSET = 52
Y_OFFSET = 40

SPI = 2
BAUDRATE = 40_000_000  # as TFT_eSPI
SCK = 18
MOSI = 19
CS = 5
DC = 16
RST = 23
BL = 4
# The other button is on 35, which has no pull-up inside.
BUTTONS = {"A": 0}
