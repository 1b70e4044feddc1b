"""The board that runs programs on CPython: what a program finds there, prints and keeps."""

from __future__ import annotations

import sys

import pytest

from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.endings import PowerCut
from pico_a1111_proxy.simulator.runner import Pico, board_name, boards, load_board

LCD = DISPLAYS["waveshare-pico-lcd-1.3"]


def board() -> Pico:
    return Pico(LCD)


def printed(program: str, **files: str) -> list[str]:
    """What a program prints on a new board, with these modules beside it."""
    return board().run(program, {f"{name.replace('__', '/')}.py": text for name, text in files.items()})


# --- What is imported -------------------------------------------------------------------------------------------


def test_a_program_finds_the_modules_of_the_board_and_the_host_finds_none_of_them() -> None:
    before = set(sys.modules)
    program = """
import frame_client, machine, network, socket, sys, time
from panel import Panel
print(sys.implementation.name, sys.platform, sorted(sys.modules))
print(hasattr(time, "ticks_ms"), hasattr(socket, "gethostname"))
"""
    first, second = printed(program)
    assert first.startswith("micropython rp2 [")
    assert {"frame_client", "machine", "socket", "panel"} <= set(eval(first.split(" ", 2)[2]))
    assert second == "True False"
    assert {"frame_client", "machine", "network", "panel"} & (set(sys.modules) - before) == set()
    assert not hasattr(sys.modules["time"], "ticks_ms")


@pytest.mark.parametrize(
    "name", ["numpy", "subprocess", "pathlib", "PIL", "pico_a1111_proxy", "boards.nothing", "ctypes"]
)
def test_what_a_board_has_not_got_is_an_import_error(name: str) -> None:
    program = f"try:\n    import {name}\nexcept ImportError as error:\n    print(error)"
    assert printed(program) == [f"no module named '{name}'"]


def test_a_file_of_the_program_comes_before_one_of_the_device_and_after_the_boards_own() -> None:
    program = "import panel, socket\nprint(panel.__name__, panel.MINE, hasattr(socket, 'MINE'))"
    assert printed(program, panel="MINE = 1", socket="MINE = 1") == ["panel 1 False"]


def test_packages() -> None:
    program = """
import boards.waveshare_pico_lcd_1_3
from boards import waveshare_pico_lcd_1_3 as lcd
import parts.wheel as wheel
from parts import wheel as again, *NAMES
from tools import *
import far
print(boards.waveshare_pico_lcd_1_3 is lcd, lcd.WIDTH, wheel is again, wheel.SPOKES, hammer, far.AWAY)
print(__name__, wheel.__name__, __import__("parts.wheel").__name__)
""".replace(", *NAMES", "")
    files = {
        "parts____init__": "from . import wheel\nfrom .wheel import SPOKES",
        "parts__wheel": "from ..parts.spoke import SPOKES",
        "parts__spoke": "SPOKES = 32",
        "tools": "hammer = 7",
        "lib__far": "AWAY = 9",
    }
    assert printed(program, **files) == ["True 240 True 32 7 9", "__main__ parts.wheel parts"]


def test_a_module_that_fails_is_not_there_and_one_is_run_once() -> None:
    program = """
for _ in range(2):
    try:
        import broken
    except ValueError as error:
        print(error)
import good, good
"""
    assert printed(program, broken="raise ValueError('oh')", good="print('good')") == ["oh", "oh", "good"]


def test_old_names_and_the_chips_own_modules() -> None:
    program = """
import gc, micropython, random, ujson, utime, json, time
from micropython import const

@micropython.viper
def swap(data: ptr16) -> int:
    return ptr16(data)[0]

gc.collect()
random.seed(1)
print(ujson is json, utime is time, const(5), swap(b"\\x01\\x02"), gc.mem_alloc(), 0 <= random.getrandbits(8) < 256)
"""
    assert printed(program) == ["True True 5 513 0 True"]


# --- What is printed, and how it ends ---------------------------------------------------------------------------


def test_what_is_printed_comes_line_by_line() -> None:
    pico, heard = board(), []
    pico.on_print = heard.append
    lines = pico.run('print("a", 1, sep="-", end="")\nprint()\nprint("b\\nc")\nprint(end="d")')
    assert lines == pico.printed == heard == ["a-1", "b", "c", "d"]


def test_an_error_of_the_program_is_raised_and_what_it_printed_is_kept() -> None:
    pico = board()
    with pytest.raises(ZeroDivisionError):
        pico.run("print('before')\n1 / 0")
    assert pico.printed == ["before"]


def test_an_error_can_be_printed_by_the_program() -> None:
    lines = printed("import sys\ntry:\n    1 / 0\nexcept Exception as error:\n    sys.print_exception(error)")
    assert (lines[0], lines[-1]) == ("Traceback (most recent call last):", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize(("program", "status"), [("import sys\nsys.exit('no')", "no"), ("pass", None)])
def test_a_program_that_leaves(program: str, status: object) -> None:
    pico = board()
    assert (pico.run(program), pico.status) == ([], status)


# --- Files ------------------------------------------------------------------------------------------------------


def test_files_stay_from_one_run_to_the_next() -> None:
    pico = board()
    pico.run("with open('state.json', 'w') as file:\n    file.write('{}')", {"config.json": '{"a": "\u00e4"}'})
    program = "import json, os\nprint(json.load(open('/config.json')), open('state.json', 'rb').read(), os.listdir())"
    assert pico.run(program) == ["{'a': '\u00e4'} b'{}' ['config.json', 'state.json']"]
    assert pico.flash.text("state.json") == "{}"


def test_a_file_is_the_old_one_until_the_new_one_is_closed() -> None:
    pico = board()
    pico.wire.cut_power_at = 500
    program = "import time\nfile = open('a', 'w')\nfile.write('new')\nfile.flush()\ntime.sleep(1)\nfile.close()"
    with pytest.raises(PowerCut):
        pico.run(program, {"a": "old"})
    assert pico.flash.text("a") == "old"


def test_the_calls_of_os() -> None:
    program = """
import os
os.mkdir("more")
with open("more/b", "w") as file:
    file.write("12345")
with open("more/b", "a") as file:
    file.write("67")
os.rename("more/b", "a")
print(os.stat("a")[6], os.listdir("/more"), [entry[:2] for entry in os.ilistdir()], os.statvfs("/")[0])
os.remove("a")
os.rmdir("more")
print(os.listdir())
for call in ("open('a')", "os.remove('a')", "os.mkdir('x/y')", "open('x/y', 'w')", "os.stat('a')"):
    try:
        eval(call)
    except OSError as error:
        print(error, error.args[0])
"""
    assert printed(program) == [
        "7 [] [('a', 32768), ('more', 16384)] 4096",
        "[]",
        *["[Errno 2] ENOENT 2"] * 5,
    ]


# --- Boards -----------------------------------------------------------------------------------------------------


def test_each_board_file_is_that_of_a_display() -> None:
    named = {name: load_board(name).DISPLAY for name in boards()}  # type: ignore[attr-defined]
    assert named == {board_name(DISPLAYS[display]): display for display in named.values()}


def test_a_display_without_a_board_file() -> None:
    with pytest.raises(FileNotFoundError, match="pimoroni_presto"):
        Pico(DISPLAYS["pimoroni-presto"])
