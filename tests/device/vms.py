"""Runs programs as the boards do: on CPython with the simulator's runner, and on MicroPython's own VM, in node."""

from __future__ import annotations

import asyncio
import json
import struct
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from clients.node import FOLDER
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator import modules
from pico_a1111_proxy.simulator.chip import NEWEST, Chip
from pico_a1111_proxy.simulator.glass import Glass
from pico_a1111_proxy.simulator.radio import Radio
from pico_a1111_proxy.simulator.runner import Pico, device_folder, open_pico

VMS = ("cpython", "micropython")
LCD = "waveshare-pico-lcd-1.3"
HEAP = 210_016  # bytes, of a Pico W
SECONDS = 120  # that no program takes
_MODULES = Path(modules.__file__).parent
_NOT_MICROPYTHONS = ("__init__", "framebuf")  # the VM has a framebuf of its own


def _nothing(_line: str, _glass: Glass) -> None:
    pass


@dataclass(frozen=True)
class Script:
    """What happens to a board while a program runs; times are in milliseconds of its clock.

    `presses` are a time, a pin and whether the button there is held down from then on. `heap` is in bytes and is for
    MicroPython only. `on_print` is told of each line, and of the glass as it is when that is printed.
    """

    cut_power_at: int | None = None
    presses: Sequence[tuple[int, int, bool]] = ()
    radio: Radio = field(default_factory=Radio)
    firmware: tuple[int, int] = NEWEST
    heap: int = HEAP
    seconds: float = SECONDS
    on_print: Callable[[str, Glass], Any] = _nothing


@dataclass(frozen=True)
class Ran:
    """What became of a program.

    `error` is the last line of the traceback, or how the board ended it (see `endings`), "" if neither. `chip` has the
    pins as they were left, and `glass` is what a person sees.
    """

    printed: list[str]
    error: str
    chip: Chip

    @property
    def glass(self) -> Glass:
        return self.chip.glass


async def run(vm: str, program: str, display: str = LCD, files: Mapping[str, str] | None = None, **script: Any) -> Ran:
    """Run `program` on a board with `display`, with `files` on its flash; `script` is as in Script.

    Raises TimeoutError, with what was printed so far, where it does not end by itself.
    """
    told = Script(**script)
    async with open_pico(DISPLAYS[display], radio=told.radio, firmware=told.firmware) as pico:
        runner = _on_cpython if vm == "cpython" else _on_micropython
        error = await runner(pico, program, files or {}, told)
        return Ran(pico.printed, error, pico.wire.chip)


async def printed(vm: str, program: str, **script: Any) -> list[str]:
    """The lines of a program, which has to end well."""
    ran = await run(vm, program, **script)
    assert ran.error == "", "\n".join([*ran.printed, ran.error])
    return ran.printed


def _late(pico: Pico, script: Script) -> TimeoutError:
    printed = "\n".join(pico.printed)
    return TimeoutError(f"The program did not end within {script.seconds} seconds. It printed:\n{printed}")


# --- CPython ---


async def _on_cpython(pico: Pico, program: str, files: Mapping[str, str], script: Script) -> str:
    def press(now: int) -> None:
        for ms, number, down in script.presses:
            if ms <= now:
                pico.wire.press(number, down)

    def run_to_its_end() -> str:
        try:
            pico.run(program, files)
        except BaseException as error:  # noqa: BLE001 - a program may end by any
            return f"{type(error).__name__}: {error}".removesuffix(": ")
        return ""

    pico.on_print = lambda line: script.on_print(line, pico.glass)
    press(0)
    pico.wire.on_sleep = press
    pico.wire.cut_power_at = script.cut_power_at
    running = asyncio.create_task(asyncio.to_thread(run_to_its_end))
    await asyncio.wait([running], timeout=script.seconds)
    if not running.done():
        pico.wire.cut_power()
        await asyncio.wait([running])
        raise _late(pico, script)
    return await running


# --- MicroPython ---


async def _on_micropython(pico: Pico, program: str, files: Mapping[str, str], script: Script) -> str:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "pins"
        asked = {
            "cut_power_at": script.cut_power_at,
            "presses": script.presses,
            "radio": asdict(script.radio),
            "heap": script.heap,
            "program": program,
            "files": files,
            "device": _device(),
            "modules": {name: text for name, text in _texts(_MODULES) if name not in _NOT_MICROPYTHONS},
            "start": (FOLDER / "pico_start.py").read_text(encoding="utf-8"),
            "log": str(log),
        }
        error = await _in_node(pico, script, json.dumps(asked).encode())
        lines = iter(pico.printed)
        play(log.read_bytes(), pico.wire.chip, lambda: script.on_print(next(lines), pico.glass))
        return error


def _texts(folder: Path) -> list[tuple[str, str]]:
    return [(path.stem, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.py"))]


def _device() -> dict[str, str]:
    """The files that a board finds below lib, by their paths."""
    folder = device_folder()
    paths = [*folder.glob("*.py"), *folder.glob("boards/*.py")]
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


async def _in_node(pico: Pico, script: Script, asked: bytes) -> str:
    """What ended the program; its lines go to `pico.printed`."""
    node = await asyncio.create_subprocess_exec(
        "node",
        str(FOLDER / "pico.mjs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,  # bytes of a line
    )
    answer: dict[str, str] = {}
    talking = asyncio.create_task(_talk(node, asked, pico.printed, answer))
    try:
        await asyncio.wait([talking], timeout=script.seconds)
        if not talking.done():
            raise _late(pico, script)
        complaint = await talking
        assert "error" in answer, complaint
        return answer["error"]
    finally:
        if node.returncode is None:
            node.kill()
        await asyncio.wait([talking])
        await node.wait()


async def _talk(node: asyncio.subprocess.Process, asked: bytes, printed: list[str], answer: dict[str, str]) -> str:
    """Ask, take what is printed and the answer, and give what node complains of."""
    assert node.stdin is not None
    assert node.stdout is not None
    assert node.stderr is not None
    node.stdin.write(asked)
    node.stdin.close()
    complaint = asyncio.create_task(node.stderr.read())
    async for line in node.stdout:
        told = json.loads(line)
        if isinstance(told, str):
            printed.append(told)
        else:
            answer.update(told)
    await node.wait()
    # Node shows the line that failed, and the VM's JavaScript is one line.
    return "\n".join(line[:200] for line in (await complaint).decode().splitlines())


def play(log: bytes, chip: Chip, on_line: Callable[[], Any]) -> None:
    """Let `chip` do what was logged, and tell of each line: see tests/clients/npm/pico_log.mjs."""
    deeds = {1: chip.pin, 2: chip.set, 3: chip.spi, 5: chip.pwm, _LINE: on_line}
    at = 0
    while at < len(log):
        kind = log[at]
        numbers = struct.unpack_from(f"<{_NUMBERS[kind]}i", log, at + 1)
        at += 1 + 4 * len(numbers)
        if kind == _TRANSFER:
            chip.transfer(log[at : at + numbers[0]])
            at += numbers[0]
        else:
            deeds[kind](*numbers)


_TRANSFER, _LINE = 4, 6
_NUMBERS = {1: 3, 2: 2, 3: 5, _TRANSFER: 1, 5: 2, _LINE: 0}
