"""Power, resets, the watchdog, Ctrl-C and what a program left open: how a simulated board ends a program."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.endings import BoardReset, Hangs, PowerCut, WatchdogReset
from pico_a1111_proxy.simulator.radio import Radio
from pico_a1111_proxy.simulator.runner import Pico, open_pico

LCD = DISPLAYS["waveshare-pico-lcd-1.3"]
LONG = 20  # seconds that no step of a test takes


def board(radio: Radio | None = None) -> Pico:
    return Pico(LCD, radio=radio)


# --- Power, resets and the watchdog -----------------------------------------------------------------------------

WATCHED = "import machine, time\ndog = machine.WDT(timeout=8000)\n"


def test_a_watchdog_that_is_fed_in_time_lets_the_program_go_on() -> None:
    pico = board()
    assert pico.run(WATCHED + "for _ in range(100):\n    time.sleep(7)\n    dog.feed()\nprint('done')") == ["done"]
    assert pico.wire.fed == 100


@pytest.mark.parametrize("late", ["time.sleep(9)", "time.sleep(5); time.sleep(5)", "while True: time.sleep_ms(100)"])
def test_a_watchdog_that_is_not_fed_starts_the_board_again(late: str) -> None:
    pico = board()
    with pytest.raises(WatchdogReset, match="8000 ms"):
        pico.run(f"{WATCHED}try:\n    {late}\nexcept Exception:\n    pass")
    assert pico.run("import time\ntime.sleep(60)\nprint('again')") == ["again"]  # and there is no watchdog any more


def test_a_reset_ends_the_program_whatever_it_catches() -> None:
    pico = board()
    program = """
import machine, time
try:
    machine.reset()
except Exception:
    print("caught")
finally:
    time.sleep(1)
    print("after")
"""
    with pytest.raises(BoardReset):
        pico.run(program)
    assert pico.printed == []


def test_the_power_is_cut_on_time_and_nothing_happens_after() -> None:
    pico = board()
    pico.wire.cut_power_at = 2500
    program = """
import time
from boards import waveshare_pico_lcd_1_3
from panel import Panel
panel = Panel(waveshare_pico_lcd_1_3)
try:
    while True:
        print("on")
        panel.fill(0xFFFF)
        time.sleep(1)
finally:
    panel.fill(0)
"""
    with pytest.raises(PowerCut):
        pico.run(program)
    assert pico.printed == ["on"] * 3
    assert pico.glass.image(lit=False).getextrema() == ((255, 255),) * 3


def test_a_program_that_goes_on_without_power_is_ended() -> None:
    pico = board()
    pico.wire.cut_power_at = 0
    program = "import time\nwhile True:\n    try:\n        time.sleep(1)\n    except KeyboardInterrupt:\n        pass"
    with pytest.raises(PowerCut):
        pico.run(program)


async def test_a_program_in_a_thread_ends_when_its_board_is_left() -> None:
    started = threading.Event()
    async with open_pico(LCD) as pico:
        pico.on_print = lambda _: started.set()
        running = asyncio.create_task(
            asyncio.to_thread(pico.run, "import time\nprint('on')\nwhile True:\n    time.sleep(1)")
        )
        assert await asyncio.to_thread(started.wait, LONG)
    with pytest.raises(PowerCut):
        await asyncio.wait_for(running, LONG)


def test_ctrl_c_goes_to_the_program_and_the_power_stays() -> None:
    pico = board()
    pico.wire.on_sleep = lambda now: pico.wire.interrupt() if now >= 3000 else None
    program = """
import time
try:
    while True:
        time.sleep(2)
except KeyboardInterrupt:
    pico = open("left", "w")
    pico.close()
    print(time.ticks_ms() // 1000)
"""
    pico.run("pass")
    assert pico.run(program) == ["4"]
    assert pico.flash.text("left") == ""


def test_the_hook_of_a_sleep_is_told_the_time_and_can_press_buttons() -> None:
    pico, seen = board(), []

    def on_sleep(now: int) -> None:
        seen.append(now)
        pico.wire.press(15, down=len(seen) % 2 == 1)

    pico.wire.on_sleep = on_sleep
    program = "import machine, time\npin = machine.Pin(15)\nfor _ in range(3):\n    time.sleep(1)\n    print(pin())"
    assert pico.run(program) == ["0", "1", "0"]
    assert [now // 1000 for now in seen] == [1, 2, 3]


# --- Sockets and the radio --------------------------------------------------------------------------------------


def test_what_a_program_leaves_open_is_told_and_closed() -> None:
    pico = board()
    pico.run("import socket\nkept = [socket.socket(), socket.socket()]\nsocket.socket().close()")
    assert (pico.left_open, pico.wire.open_sockets) == (2, 0)


def test_who_waits_for_a_network_that_never_comes_back_hangs_or_is_bitten() -> None:
    waits = "import select, socket\npoll = select.poll()\npoll.register(socket.socket(), 1)\n"
    away = [(0, 60_000)]
    joined = "import network\nnetwork.WLAN(0).active(True)\n"
    with pytest.raises(Hangs):
        board(radio=Radio(away=away)).run(joined + waits + "poll.poll()")
    with pytest.raises(WatchdogReset):
        board(radio=Radio(away=away)).run(joined + WATCHED + waits + "poll.poll()")
    assert board(radio=Radio(away=away)).run(joined + waits + "print(poll.poll(30000))") == ["[]"]
