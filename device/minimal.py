"""The least that shows a picture on a Waveshare Pico-LCD-1.3: 15 lines of code below this one, Wi-Fi included."""

# Put your own Wi-Fi and the address that the service prints into the two lines in capitals.
# The panel comes first: it takes the one buffer that pictures need while the memory is still in one piece.

import time

import network
from boards import waveshare_pico_lcd_1_3
from frame_client import FrameClient
from panel import Panel

SSID, PASSWORD = "your Wi-Fi", "its password"
SERVICE = "http://192.168.1.50:8080"

panel = Panel(waveshare_pico_lcd_1_3)
panel.say("Joining", SSID)
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
wlan.connect(SSID, PASSWORD)
while not wlan.isconnected():
    time.sleep(1)
FrameClient(SERVICE, panel).txt2img("a mountain lake at sunset")
