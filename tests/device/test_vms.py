"""Both machines run a board's programs alike."""

from __future__ import annotations

import numpy as np
import pytest

from device.vms import printed, run

HOUR = 3_600_000  # milliseconds


# --- Programs and their ends ---------------------------------------------------------------------------------------


async def test_lines_and_files(vm: str) -> None:
    program = """
import sys, helper
from boards import waveshare_pico_lcd_1_3 as board
print("one\\ntwo", helper.NUMBER, board.WIDTH, __name__)
with open("told.json") as file:
    print(file.read(), end="")
with open("new.txt", "w") as file:
    file.write("\u00e9")
with open("new.txt") as file:
    print(file.read())
print("no end", end="")
sys.exit(3)
"""
    files = {"helper.py": "NUMBER = 7", "told.json": "{}\n"}

    assert await printed(vm, program, files=files) == ["one", "two 7 240 __main__", "{}", "\u00e9", "no end"]


async def test_files_come_before_those_of_the_device(vm: str) -> None:
    files = {"panel.py": "Panel = 1", "boards/__init__.py": "", "boards/mine.py": "WIDTH = 5"}
    program = "import panel\nfrom boards import mine\nprint(panel.Panel, mine.WIDTH)"

    assert await printed(vm, program, files=files) == ["1 5"]


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("raise ValueError('so')", "ValueError: so"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import machine\ntry:\n    machine.reset()\nexcept Exception:\n    pass", "BoardReset: machine.reset()"),
        ("import nothing_like_that", "ImportError: no module named 'nothing_like_that'"),
        (
            "import machine, time\nmachine.WDT(timeout=8000)\ntime.sleep(9)\nprint('alive')",
            "WatchdogReset: The watchdog was not fed for 8000 ms",
        ),
    ],
)
async def test_how_it_ends(vm: str, program: str, error: str) -> None:
    ran = await run(vm, "print('begun')\n" + program)

    assert (ran.printed, ran.error) == (["begun"], error)


async def test_a_watchdog_that_is_fed(vm: str) -> None:
    program = """
import machine, time
dog = machine.WDT(timeout=8000)
for _ in range(5):
    time.sleep(7)
    dog.feed()
print("alive")
"""
    assert await printed(vm, program) == ["alive"]


async def test_a_program_that_does_not_end_is_stopped(vm: str) -> None:
    program = "import time\nprint('round', 'it goes')\nwhile True:\n    time.sleep_ms(1)"

    with pytest.raises(TimeoutError, match="round it goes"):
        await run(vm, program, seconds=4)


# --- The clock, the power, the keys ---------------------------------------------------------------------------------


async def test_a_sleep_takes_no_time_but_the_clocks(vm: str) -> None:
    program = f"""
import time
before = time.ticks_ms()
for _ in range(100):
    time.sleep_ms({HOUR})
print(time.ticks_diff(time.ticks_ms(), before) // {HOUR})
"""
    assert await printed(vm, program) == ["100"]


async def test_the_power_is_cut(vm: str) -> None:
    program = """
import time
try:
    for number in range(10):
        time.sleep(1)
        print(number)
finally:
    print("in the dark")
"""
    ran = await run(vm, program, cut_power_at=3900)

    assert (ran.printed, ran.error) == (["0", "1", "2", "in the dark"], "PowerCut")


async def test_keys_are_pressed_and_let_go(vm: str) -> None:
    program = """
import time
from machine import Pin
a, b = Pin(15, Pin.IN, Pin.PULL_UP), Pin(17, Pin.IN, Pin.PULL_UP)
for _ in range(4):
    print(a.value(), b.value())
    time.sleep(10)
"""
    presses = [(9000, 15, True), (19_000, 17, True), (29_000, 15, False)]

    assert await printed(vm, program, presses=presses) == ["1 1", "0 1", "0 0", "1 0"]


# --- The glass -------------------------------------------------------------------------------------------------------


async def test_the_same_pixels_are_on_the_glass(vm: str) -> None:
    program = """
from panel import Panel
from boards import waveshare_pico_lcd_1_3 as board
panel = Panel(board)
panel.begin(240)
row = bytearray(480)
for y in range(240):
    for x in range(240):
        row[2 * x], row[2 * x + 1] = y & 0xF8, x & 0x1F
    panel.write(row)
"""
    ran = await run(vm, program)

    assert ran.error == ""
    y, x = np.mgrid[:240, :240]
    wanted = np.stack([y >> 3, np.zeros_like(x), x & 31], axis=-1)
    assert np.array_equal(np.asarray(ran.glass.image()) >> np.array([3, 2, 3]), wanted)


@pytest.mark.parametrize(("firmware", "arrives"), [((1, 24), False), ((1, 25), True)])
async def test_an_old_firmware_falls_into_the_trap(vm: str, firmware: tuple[int, int], arrives: bool) -> None:
    program = """
from machine import SPI, Pin
dc = Pin(8, Pin.OUT)
spi = SPI(1, 1000000, sck=Pin(10), mosi=Pin(11), miso=None)
for number, level in ((9, 0), (12, 0), (12, 1), (13, 1)):
    Pin(number, Pin.OUT, value=level)

def send(command, data=b""):
    dc(0)
    spi.write(bytes([command]))
    dc(1)
    spi.write(data)

send(0x3A, b"\\x55")
send(0x11)
send(0x29)
send(0x2C, bytes(240 * 240 * 2))
"""
    ran = await run(vm, program, firmware=firmware)

    assert ran.error == ""
    colours = ran.glass.image().getcolors(240 * 240)
    assert colours is not None
    assert (len(colours) == 1) == arrives  # or it is the noise that its memory starts with
