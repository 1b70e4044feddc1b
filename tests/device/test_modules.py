"""MicroPython's modules as the simulator makes them, on CPython and on MicroPython's own VM."""

from __future__ import annotations

import calendar
import time

from device.attempts import JOIN, lines
from device.vms import run
from pico_a1111_proxy.simulator.radio import Radio

# --- machine ----------------------------------------------------------------------------------------------------


async def test_pins(vm: str) -> None:
    program = """
from machine import Pin
led, button = Pin("GP6", Pin.OUT, value=1), Pin(15, Pin.IN, Pin.PULL_UP)
print(led, led(), button.value())
led.off()
print(led())
led.toggle()
print(led.value(), Pin(6)())
led(0)
print(Pin(led).value())
button.irq(lambda pin: None, Pin.IRQ_FALLING)
for name in (30, -1, "GP", "GP99", "X"):
    attempt(Pin, name)
Pin("LED", Pin.OUT).on()
"""
    assert await lines(vm, program) == ["Pin(GPIO6) 1 1", "0", "1 1", "0", *["ValueError invalid pin"] * 5]


async def test_a_button_is_pressed_on_time(vm: str) -> None:
    program = """
from machine import Pin
import time
button = Pin(15, Pin.IN, Pin.PULL_UP)
for _ in range(4):
    print(button.value())
    time.sleep_ms(1000)
"""
    ran = await run(vm, program, presses=[(1000, 15, True), (3000, 15, False)])
    assert (ran.error, ran.printed) == ("", ["1", "0", "0", "1"])


CHIP = {
    "SPI(1, sck=Pin(10), mosi=Pin(11), miso=None)": "SPI(1, baudrate=1000000)",
    "SPI(0, 24000000, polarity=0, phase=0, bits=8, firstbit=SPI.MSB, sck=18)": "SPI(0, baudrate=24000000)",
    "SPI(2)": "ValueError SPI(2) doesn't exist",
    "SPI(1, sck=Pin(11))": "ValueError bad SCK pin",
    "SPI(1, mosi=Pin(3))": "ValueError bad MOSI pin",
    "SPI(0, miso=Pin(8))": "ValueError bad MISO pin",
    "SPI(1, cs=Pin(9))": "TypeError extra keyword arguments given",
    "PWM(Pin(13), freq=1000).freq()": "1000",
    "PWM(Pin(13), freq=1000, duty_u16=70000).duty_u16()": "65535",
    "PWM(Pin(13), freq=1000, duty_ns=500000).duty_u16()": "32767",
    "PWM(Pin(13), freq=7)": "ValueError freq too small",
    "PWM(Pin(13), freq=10**8)": "ValueError freq too large",
    "WDT(timeout=8389)": "ValueError timeout exceeds 8388",
    "WDT(1)": "ValueError WDT(1) doesn't exist",
    "len(unique_id())": "8",
    "freq() > 100000000": "True",
}


async def test_what_the_chip_does_and_refuses(vm: str) -> None:
    calls = "".join(f"attempt(lambda: {made})\n" for made in CHIP)
    told = await lines(vm, f"from machine import *\nfrom machine import SPI\n{calls}")
    assert dict(zip(CHIP, told, strict=True)) == CHIP


# --- time -------------------------------------------------------------------------------------------------------


async def test_ticks_wrap(vm: str) -> None:
    program = """
import time
end = 2**30
print(time.ticks_add(end - 1, 1), time.ticks_add(0, -1) == end - 1)
print(time.ticks_diff(3, end - 2), time.ticks_diff(end - 2, 3), time.ticks_diff(2**29, 0))
attempt(time.ticks_add, 0, 2**29)
before = time.ticks_us()
time.sleep_us(1500)
print(time.ticks_diff(time.ticks_us(), before) >= 2000)
"""
    assert await lines(vm, program) == ["0 True", "5 -5 -536870912", "OverflowError ticks interval overflow", "True"]


async def test_weeks_are_slept_in_no_time(vm: str) -> None:
    program = """
import machine, time
before, ticks = time.time(), time.ticks_ms()
time.sleep(20 * 86400)
time.sleep(0.5)
machine.lightsleep(500)
print(time.localtime(before)[:3], time.localtime()[:3], time.time() - before >= 20 * 86400 + 1)
print(0 <= time.ticks_ms() < 2**30)
"""
    assert await lines(vm, program) == ["(2021, 1, 1) (2021, 1, 21) True", "True"]


async def test_the_calendar(vm: str) -> None:
    moments = [0, 951782399, 951782400, 1078012800, 1609459199, 1735689600, 1767225599, 2147483647, 4102444799]
    program = f"""
import time
for moment in {moments}:
    print(time.localtime(moment))
    print(time.mktime(time.localtime(moment)))
"""
    told = [time.gmtime(moment) for moment in moments]
    dates = [(*date[:6], date.tm_wday, date.tm_yday) for date in told]
    assert await lines(vm, program) == [
        line for date, at in zip(dates, told, strict=True) for line in (str(date), str(calendar.timegm(at)))
    ]


# --- network ----------------------------------------------------------------------------------------------------


async def test_the_wifi_has_to_be_switched_on_and_takes_its_time(vm: str) -> None:
    program = """
print(wlan.active(), wlan.status(), wlan.isconnected(), wlan.ifconfig()[0])
attempt(wlan.connect, "home", "secret")
wlan.active(True)
wlan.config(pm=0xa11140)
print(wlan.active(), wlan.config("pm") == 0xa11140)
join("home", "secret")
print(wlan.config("ssid"), wlan.status("rssi") < 0)
wlan.disconnect()
print(wlan.status())
"""
    printed = await lines(vm, JOIN + program, Radio(ssid="home", key="secret", after=2))
    assert [printed[0], *printed[2:]] == [
        "False 0 False 0.0.0.0",
        "True True",
        "[1, 1, 3] True 192.168.1.77",
        "home True",
        "0",
    ]
    assert printed[1].startswith("OSError [Errno 1]")


async def test_a_wrong_name_and_a_wrong_key(vm: str) -> None:
    program = 'wlan.active(True)\njoin("nowhere", "secret")\njoin("home", "wrong")\njoin("home", "secret")'
    assert await lines(vm, JOIN + program, Radio(ssid="home", key="secret")) == [
        "[-2] False 0.0.0.0",
        "[-3] False 0.0.0.0",
        "[3] True 192.168.1.77",
    ]


async def test_who_was_in_a_network_that_was_away_has_to_join_again(vm: str) -> None:
    program = """
wlan.active(True)
join("a", "b")
time.sleep(2)
print(wlan.status())
join("a", "b")
time.sleep(3)
print(wlan.status())
join("a", "b")
time.sleep(100)
print(wlan.status())
"""
    printed = await lines(vm, JOIN + program, Radio(away=[(1500, 4000), (60_000, 61_000)]))
    assert printed[1:] == ["0", "[-2] False 0.0.0.0", "-2", "[3] True 192.168.1.77", "0"]


async def test_names_of_the_network(vm: str) -> None:
    program = """
import network
network.hostname("frame")
print(network.hostname(), network.country())
network.country("de")
print(network.country())
attempt(network.country, "deu")
print(network.WLAN.IF_STA, network.STAT_WRONG_PASSWORD)
attempt(network.WLAN, 7)
"""
    assert await lines(vm, program) == ["frame XX", "DE", "ValueError ", "0 -3", "ValueError invalid interface"]
