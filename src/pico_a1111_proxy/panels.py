"""Panels: the displays known by name, each with the facts that its driver needs."""

from __future__ import annotations

from typing import Any

from pico_a1111_proxy.displays import Display, Panel


def _row(name: str, label: str, size: tuple[int, int], panel: Panel, **further: Any) -> Display:
    return Display(name, *size, label=label, panel=panel, **further)


# Where the facts were read.
_ST7789PY = "russhughes/st7789py_mpy:tft_configs/"
_NANO_GUI = "peterhinch/micropython-nano-gui:DRIVERS.md"
_PICOGRAPHICS = "pimoroni/pimoroni-pico:micropython/modules/picographics/picographics.cpp"
_PRESTO = "pimoroni/presto:modules/c/presto/presto.cpp"
_ADAFRUIT = "adafruit/Adafruit_CircuitPython_ST7789:examples/"
_M5GFX = "m5stack/M5GFX:src/M5GFX.cpp"
_TFT_ESPI = "Bodmer/TFT_eSPI:User_Setups/"

# A row a panel: name, product, width and height, and then for its driver: controller, bus, INVON, MADCTL, the glass's
# x and y in the controller's memory, how sure that is, and where it was read. The bytes on the wire are RGB565 with the
# high byte first, and not inverted, where a row does not say otherwise: that is what the maker's own driver makes of
# the panel. What differs by batch, or where sources disagree, is in the note.

# fmt: off
_WAVESHARE = (
    # BGR glass: the maker's MADCTL sets the BGR bit, so the wire stays RGB.
    _row("waveshare-pico-lcd-0.96", "Waveshare Pico-LCD-0.96", (160, 80),
         Panel("ST7735S", "SPI", True, 0xA8, 1, 26, "high", "waveshare.com/wiki/Pico-LCD-0.96")),
    # The smaller glass lies in the middle of the controller's 320 by 240.
    _row("waveshare-pico-lcd-1.14", "Waveshare Pico-LCD-1.14", (240, 135),
         Panel("ST7789VW", "SPI", True, 0x70, 40, 53, "high", _ST7789PY + "waveshare_114/tft_config.py")),
    # The maker's demo names odd colours, since framebuf stores the low byte first; the panel wants the high one first.
    _row("waveshare-pico-lcd-1.3", "Waveshare Pico-LCD-1.3", (240, 240),
         Panel("ST7789VW", "SPI", True, 0x70, 0, 0, "high", _ST7789PY + "waveshare_13/tft_config.py")),
    # The odd one: BGR glass, and the maker's MADCTL does not say so.
    _row("waveshare-pico-lcd-1.44", "Waveshare Pico-LCD-1.44", (128, 128),
         Panel("ST7735S", "SPI", False, 0x70, 1, 2, "medium", "gurolcaydas/pythonin6days:simple_screen_1_44_LCD.py",
               "A driver that sends MADCTL 0x78 wants rgb565-be."),
         format="bgr565-be"),
    # The maker's demo sends no INVON.
    _row("waveshare-pico-lcd-1.8", "Waveshare Pico-LCD-1.8", (160, 128),
         Panel("ST7735S", "SPI", False, 0x70, 1, 2, "medium", "waveshare.com/wiki/Pico-LCD-1.8")),
    # The controller's whole memory.
    _row("waveshare-pico-lcd-2", "Waveshare Pico-LCD-2", (320, 240),
         Panel("ST7789VW", "SPI", True, 0x70, 0, 0, "high", _ST7789PY + "waveshare_2/tft_config.py")),
    # Whether it needs INVON is not settled.
    _row("waveshare-restouch-2.8", "Waveshare Pico-ResTouch-LCD-2.8", (320, 240),
         Panel("ST7789", "SPI", None, 0x60, 0, 0, "low", _NANO_GUI,
               "Sources disagree on INVON: the maker's demo sends none, nano-gui drives it as if it wanted one.")),
    # Shift registers make 16 parallel bits of what SPI brings: that is why it takes RGB565, as no bare ILI9488 does.
    _row("waveshare-restouch-3.5", "Waveshare Pico-ResTouch-LCD-3.5", (480, 320),
         Panel("ILI9488", "SPI to 16-bit parallel", True, 0xE8, 0, 0, "medium", _NANO_GUI,
               "Its shift registers want each parameter of a command in a write of its own.")),
    # Round glass. MADCTL sets the BGR bit.
    _row("waveshare-rp2040-lcd-1.28", "Waveshare RP2040-LCD-1.28", (240, 240),
         Panel("GC9A01A", "SPI", True, 0x98, 0, 0, "high", "waveshare.com/wiki/RP2040-LCD-1.28",
               "The board has no Wi-Fi."), round=True),
    # The same glass with a touch panel.
    _row("waveshare-rp2040-touch-lcd-1.28", "Waveshare RP2040-Touch-LCD-1.28", (240, 240),
         Panel("GC9A01A", "SPI", True, 0x98, 0, 0, "high", _ST7789PY + "rp2040_touch_lcd_128/tft_config.py",
               "The board has no Wi-Fi."), round=True),
    # The same glass, on boards with Wi-Fi.
    _row("waveshare-esp32-s3-lcd-1.28", "Waveshare ESP32-S3-LCD-1.28", (240, 240),
         Panel("GC9A01A", "SPI", True, 0x98, 0, 0, "high", "waveshare.com/wiki/ESP32-S3-LCD-1.28"), round=True),
    _row("waveshare-esp32-s3-touch-lcd-1.28", "Waveshare ESP32-S3-Touch-LCD-1.28", (240, 240),
         Panel("GC9A01A", "SPI", True, 0x98, 0, 0, "high", "waveshare.com/wiki/ESP32-S3-Touch-LCD-1.28"), round=True),
)

# PicoGraphics sends INVON and MADCTL and knows the offsets. With PEN_RGB565 it wants the high byte first; its default
# pen is RGB332.
_PIMORONI = (
    _row("pimoroni-display", "Pimoroni Pico Display Pack", (240, 135),
         Panel("ST7789", "SPI", True, None, 40, 53, "high", _PICOGRAPHICS,
               "PicoGraphics sends INVON, and begins at row 52 or 53 by its rotation.")),
    _row("pimoroni-display-2", "Pimoroni Pico Display Pack 2.0", (320, 240),
         Panel("ST7789", "SPI", True, None, 0, 0, "high", _PICOGRAPHICS, "PicoGraphics sends INVON.")),
    _row("pimoroni-display-2.8", "Pimoroni Pico Display Pack 2.8", (320, 240),
         Panel("ST7789", "SPI", True, None, 0, 0, "medium", _PICOGRAPHICS, "PicoGraphics sends INVON.")),
    # Other pins than the packs: PicoGraphics has a name of its own for it.
    _row("pimoroni-pico-w-explorer", "Pimoroni Pico W Explorer", (320, 240),
         Panel("ST7789", "SPI", True, None, 0, 0, "high", _PICOGRAPHICS, "PicoGraphics sends INVON.")),
    # The RP2350 board, not to be taken for the Pico Explorer Base.
    _row("pimoroni-explorer", "Pimoroni Explorer", (320, 240),
         Panel("ST7789", "8-bit parallel", True, None, 0, 0, "medium", _PICOGRAPHICS,
               "PicoGraphics sends INVON; it drives the panel as the Tufty 2040's.")),
    # 240 of the controller's 320 rows: where they begin depends on how the picture is turned.
    _row("pimoroni-lcd-240", "Pimoroni 1.54\" SPI Colour LCD (240x240)", (240, 240),
         Panel("ST7789", "SPI", True, None, None, None, "high", _PICOGRAPHICS,
               "PicoGraphics sends INVON, and begins at 0 or 80 by its rotation.")),
    _row("pimoroni-pico-explorer", "Pimoroni Pico Explorer Base", (240, 240),
         Panel("ST7789", "SPI", True, None, None, None, "high", _PICOGRAPHICS,
               "PicoGraphics sends INVON, and begins at 0 or 80 by its rotation.")),
    # Round, and in the middle of the controller's rows.
    _row("pimoroni-round-lcd-240", "Pimoroni 1.3\" SPI Colour Round LCD (240x240)", (240, 240),
         Panel("ST7789", "SPI", True, None, None, None, "high", _PICOGRAPHICS,
               "PicoGraphics sends INVON, and begins at 40 by its rotation."), round=True),
    # Mounted upside down, which PicoGraphics makes up for.
    _row("pimoroni-tufty-2040", "Pimoroni Tufty 2040", (320, 240),
         Panel("ST7789", "8-bit parallel", True, None, 0, 0, "high", _PICOGRAPHICS,
               "PicoGraphics sends INVON. The board has no Wi-Fi.")),
    # Its ordinary mode: each pixel is shown as two by two.
    _row("pimoroni-presto", "Pimoroni Presto (pixels doubled)", (240, 240),
         Panel("ST7701", "RGB", True, None, 0, 0, "high", _PRESTO, "Its library does all that a driver does.")),
    _row("pimoroni-presto-480", "Pimoroni Presto (full_res)", (480, 480),
         Panel("ST7701", "RGB", True, None, 0, 0, "high", _PRESTO, "Its library does all that a driver does.")),
)

# The ST7789 breakouts and what CircuitPython's driver is told for them.
_ADAFRUIT_TFTS = (
    _row("adafruit-1.14", "Adafruit 1.14\" 240x135 TFT", (240, 135),
         Panel("ST7789", "SPI", True, None, 40, 53, "high", _ADAFRUIT + "st7789_240x135_simpletest.py")),
    # The last 240 of the controller's 320 rows.
    _row("adafruit-1.3", "Adafruit 1.3\" 240x240 TFT", (240, 240),
         Panel("ST7789", "SPI", True, 0xC0, 0, 80, "high", _ADAFRUIT + "st7789_simpletest.py")),
    _row("adafruit-1.47", "Adafruit 1.47\" 320x172 TFT", (320, 172),
         Panel("ST7789", "SPI", True, None, 0, 34, "high", _ADAFRUIT + "st7789_172x320_1.47_simpletest.py")),
    _row("adafruit-1.54", "Adafruit 1.54\" 240x240 TFT", (240, 240),
         Panel("ST7789", "SPI", True, 0xC0, 0, 80, "high", _ADAFRUIT + "st7789_simpletest.py")),
    _row("adafruit-1.69", "Adafruit 1.69\" 280x240 TFT", (280, 240),
         Panel("ST7789", "SPI", True, None, 20, 0, "high", _ADAFRUIT + "st7789_280x240_simpletest.py")),
    _row("adafruit-1.9", "Adafruit 1.9\" 320x170 TFT", (320, 170),
         Panel("ST7789", "SPI", True, None, 0, 35, "high", _ADAFRUIT + "st7789_170x320_1.9_simpletest.py")),
)

# Upright: their drivers count rows along the long side.
_LILYGO = (
    _row("lilygo-t-display", "LilyGO T-Display", (135, 240),
         Panel("ST7789V", "SPI", True, None, 52, 40, "high", _TFT_ESPI + "Setup25_TTGO_T_Display.h")),
    _row("lilygo-t-display-s3", "LilyGO T-Display-S3", (170, 320),
         Panel("ST7789", "8-bit parallel", True, None, 35, 0, "high", _TFT_ESPI + "Setup206_LilyGo_T_Display_S3.h")),
)

# M5GFX knows each board; the offsets are for whoever drives the panel without it.
_M5STACK = (
    # Two batches, which M5GFX tells apart by a pin at boot.
    _row("m5stack-core", "M5Stack Core", (320, 240),
         Panel("ILI9342C", "SPI", None, 0x08, 0, 0, "high", _M5GFX, "INVON by batch: M5GFX reads a pin to tell.")),
    _row("m5stack-core2", "M5Stack Core2", (320, 240),
         Panel("ILI9342C", "SPI", True, 0x08, 0, 0, "high", _M5GFX)),
    _row("m5stack-cores3", "M5Stack CoreS3", (320, 240),
         Panel("ILI9342C", "SPI", True, 0x08, 0, 0, "high", _M5GFX)),
    _row("m5stickc", "M5StickC", (80, 160),
         Panel("ST7735S", "SPI", True, None, 26, 1, "high", _M5GFX)),
    _row("m5stickc-plus", "M5StickC Plus", (135, 240),
         Panel("ST7789", "SPI", True, None, 52, 40, "high", _M5GFX)),
    # It is held across, and its panel is upright.
    _row("m5stack-cardputer", "M5Stack Cardputer", (135, 240),
         Panel("ST7789", "SPI", True, None, 52, 40, "high", _M5GFX,
               "Held across: turn the frame with rotate, or ask for 240x135 if the driver turns.")),
    # M5GFX sends no INVON. It lies at the end of the controller's 160 rows.
    _row("m5stack-atoms3", "M5Stack AtomS3", (128, 128),
         Panel("GC9107", "SPI", False, None, 0, 32, "high", _M5GFX)),
)

# Boards of many makers.
_OTHERS = (
    # The "cheap yellow display". What glass and what controller is in the box, nobody knows before.
    _row("cyd-2432s028", "ESP32-2432S028 (cheap yellow display)", (320, 240),
         Panel("ILI9341 or ST7789", "SPI", None, None, 0, 0, "low", "lvgl-micropython/lvgl_micropython#500",
               "INVON and controller by batch: the one with two USB sockets wants none.")),
    # Over SPI this controller takes 18 bits a pixel only.
    _row("ili9488-spi", "ILI9488 on SPI (red 3.5\" boards)", (480, 320),
         Panel("ILI9488", "SPI", None, None, 0, 0, "medium", _NANO_GUI, "INVON by batch."),
         format="rgb666"),
)
# fmt: on

_KNOWN = (*_WAVESHARE, *_PIMORONI, *_ADAFRUIT_TFTS, *_LILYGO, *_M5STACK, *_OTHERS)

DISPLAYS: dict[str, Display] = {display.name: display for display in _KNOWN}
