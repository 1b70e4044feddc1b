"""Firmware: the modules that MicroPython has built in and a program may ask for, as far as CPython can give them."""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pico_a1111_proxy.simulator.chip import NEWEST

# The same in CPython, as far as MicroPython has them.
SHARED = frozenset(
    ("array", "binascii", "cmath", "collections", "errno", "hashlib", "heapq", "io", "json", "math", "re", "struct")
)
VERSION = (*NEWEST, 0)

Say = Callable[..., None]


def built_in(modules: dict[str, Any], say: Say) -> dict[str, ModuleType]:
    """sys, gc, micropython and random; `modules` becomes sys.modules, and `say` is the program's print."""
    made = {"sys": _sys(modules, say), "gc": _gc(), "micropython": _micropython(say), "random": _random()}
    return {name: _module(name, names) for name, names in made.items()}


def pointers() -> dict[str, Any]:
    """What the viper decorator knows by itself: pointers to numbers of 8, 16 and 32 bits, little-endian ones."""
    return {
        "ptr8": lambda where: memoryview(where).cast("B"),
        "ptr16": lambda where: memoryview(where).cast("B").cast("H"),
        "ptr32": lambda where: memoryview(where).cast("B").cast("I"),
        "uint": int,
    }


def _module(name: str, names: dict[str, Any]) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(names)
    return made


def _sys(modules: dict[str, Any], say: Say) -> dict[str, Any]:
    def print_exception(error: BaseException, _file: Any = None) -> None:
        """The traceback, as MicroPython prints it."""
        for line in "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines():
            say(line)

    def leave(status: object = None) -> None:
        """End the program."""
        raise SystemExit(status)

    implementation = _module("implementation", {"name": "micropython", "version": VERSION, "_machine": "Simulated"})
    return {
        "modules": modules,
        "path": ["", "/lib"],
        "argv": [],
        "platform": "rp2",
        "byteorder": "little",
        "maxsize": 0x7FFFFFFF,
        "version": f"3.4.0; MicroPython v{'.'.join(map(str, VERSION))}",
        "version_info": (3, 4, 0),
        "implementation": implementation,
        "exit": leave,
        "print_exception": print_exception,
        "exc_info": sys.exc_info,
    }


def _gc() -> dict[str, Any]:
    """How much memory a program takes can't be told here: 0."""
    return {
        "collect": lambda: None,
        "enable": lambda: None,
        "disable": lambda: None,
        "isenabled": lambda: True,
        "mem_alloc": lambda: 0,
        "mem_free": lambda: 0,
        "threshold": lambda *_: None,
    }


def _micropython(say: Say) -> dict[str, Any]:
    def same(it: Any) -> Any:
        return it

    return {
        "const": same,
        "native": same,
        "viper": same,
        "opt_level": lambda *_: 0,
        "alloc_emergency_exception_buf": lambda _: None,
        "kbd_intr": lambda _: None,
        "heap_lock": lambda: None,
        "heap_unlock": lambda: 0,
        "mem_info": lambda *_: say("mem: not told by the simulator"),
        "stack_use": lambda: 0,
        "schedule": lambda call, given: call(given),
    }


def _random() -> dict[str, Any]:
    own = random.Random()  # noqa: S311 - a board's own: its seed is no one else's
    names = ("seed", "getrandbits", "randint", "randrange", "choice", "random", "uniform")
    return {name: getattr(own, name) for name in names}
