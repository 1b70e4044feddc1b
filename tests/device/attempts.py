"""Programs that try one thing after another, and print what came of it."""

from __future__ import annotations

from device.vms import run
from pico_a1111_proxy.simulator.radio import Radio

# `attempt` prints what a call gave, or what it raised.
ATTEMPT = """
def attempt(call, *given, **named):
    try:
        print(call(*given, **named))
    except Exception as error:
        print(type(error).__name__, error)
"""

# `join` tries to get into a network, and prints each status on the way.
JOIN = """
import network, time
wlan = network.WLAN(network.STA_IF)

def join(ssid, key):
    wlan.connect(ssid, key)
    told = [wlan.status()]
    while told[-1] == network.STAT_CONNECTING:
        told.append(wlan.status())
    print(told, wlan.isconnected(), wlan.ifconfig()[0])
"""


async def lines(vm: str, program: str, radio: Radio | None = None) -> list[str]:
    """What a program that ends by itself prints."""
    ran = await run(vm, ATTEMPT + program, radio=radio or Radio())
    assert ran.error == ""
    return ran.printed
