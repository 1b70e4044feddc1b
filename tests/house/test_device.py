"""What runs on the board: written in what MicroPython 1.19 has, and all of it told in device/README.md."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DEVICE = Path(__file__).parents[2] / "device"
README = (DEVICE / "README.md").read_text(encoding="utf-8")
SOURCES = {str(file.relative_to(DEVICE)): file.read_text(encoding="utf-8") for file in sorted(DEVICE.rglob("*.py"))}
OTHERS = {str(file.relative_to(DEVICE)): file.read_text(encoding="utf-8") for file in sorted(DEVICE.rglob("*.ino"))}
BOARDS = [name for name in SOURCES if name.startswith("boards/")]
MICROPYTHON = [name for name in SOURCES if not name.startswith("circuitpython/")]

# What the firmware of a Pico W brings, of what is of use here.
MODULES = {"array", "asyncio", "binascii", "errno", "framebuf", "gc", "hashlib", "io", "json", "machine", "math"}
MODULES |= {"micropython", "network", "ntptime", "os", "random", "re", "select", "socket", "ssl", "struct", "sys"}
MODULES |= {"time", "uctypes"}
CIRCUITPYTHON = {"board", "busio", "digitalio", "displayio", "fourwire", "json", "socketpool", "time", "wifi"}

# Methods of CPython's strings and numbers that MicroPython has not got.
LACKING = {"bit_count", "bit_length", "capitalize", "casefold", "expandtabs", "format_map", "isalnum", "isascii"}
LACKING |= {"isdecimal", "isidentifier", "isnumeric", "isprintable", "istitle", "ljust", "maketrans", "removeprefix"}
LACKING |= {"removesuffix", "rjust", "swapcase", "title", "translate", "zfill", "recv_into"}


def imported(source: str) -> set[str]:
    """The modules that it imports, wherever, by the first part of their names."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


def faults(node: ast.AST, line: str) -> list[str]:
    """What of it MicroPython 1.19 does not know, on this line."""
    if isinstance(node, ast.Attribute) and node.attr in LACKING and "getattr(" not in line:
        return [f"the method {node.attr}"]
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return ["* in a display"] if any(isinstance(part, ast.Starred) for part in node.elts) else []
    if isinstance(node, ast.Dict) and None in node.keys:
        return ["** in a display"]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        several = any(isinstance(argument, ast.Tuple) for argument in node.args)
        return [f"{node.func.attr} with a tuple"] if several and node.func.attr in ("startswith", "endswith") else []
    return []


def too_new(source: str) -> list[str]:
    """What MicroPython 1.19 does not know, each with its line; syntax that is newer than its Python raises."""
    lines = source.splitlines()
    return [
        f"line {node.lineno}: {fault}"
        for node in ast.walk(ast.parse(source, feature_version=(3, 8)))
        if isinstance(node, ast.expr)
        for fault in faults(node, lines[node.lineno - 1])
    ]


def undocumented(node: ast.Module | ast.ClassDef | ast.FunctionDef, name: str = "the module") -> list[str]:
    """What of it is public and has no docstring."""
    bare = [] if ast.get_docstring(node) else [name]
    if not isinstance(node, ast.FunctionDef):
        for part in node.body:
            if isinstance(part, (ast.FunctionDef, ast.ClassDef)) and not part.name.startswith("_"):
                bare += undocumented(part, part.name)
    return bare


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below that heading, without its head."""
    text = README.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_public_has_a_docstring(name: str) -> None:
    assert undocumented(ast.parse(SOURCES[name])) == []


@pytest.mark.parametrize("name", MICROPYTHON)
def test_the_oldest_firmware_knows_all_that_is_used(name: str) -> None:
    assert too_new(SOURCES[name]) == []


@pytest.mark.parametrize("name", SOURCES)
def test_nothing_is_imported_that_the_firmware_lacks(name: str) -> None:
    beside = {file.partition(".")[0].partition("/")[0] for file in MICROPYTHON}
    there = MODULES | beside if name in MICROPYTHON else CIRCUITPYTHON
    assert imported(SOURCES[name]) <= there


@pytest.mark.parametrize("name", [*SOURCES, *OTHERS, "config.example.json", "package.json"])
def test_every_file_is_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README or f"`{name.removeprefix('boards/').removesuffix('.py')}`" in README


def test_every_key_of_the_config_is_in_the_readme() -> None:
    config = json.loads((DEVICE / "config.example.json").read_text(encoding="utf-8"))
    told = [re.findall(r"`(\w+)`", cells[0])[0] for cells in rows("## config.json")]
    assert sorted(told) == sorted(config)


def constants(name: str) -> dict[str, Any]:
    """What the board file sets."""
    module = ModuleType("board")
    exec(SOURCES[name], module.__dict__)
    return vars(module)


def pin(number: int | None) -> str:
    return "" if number is None else str(number)


def test_the_wiring_is_that_of_the_boards() -> None:
    wanted = {}
    for name in BOARDS:
        board = constants(name)
        pins = [pin(board[line]) for line in ("SPI", "SCK", "MOSI", "CS", "DC", "RST", "BL")]
        buttons = ", ".join(f"{button} {number}" for button, number in board["BUTTONS"].items())
        wanted[name.removeprefix("boards/").removesuffix(".py")] = [*pins, buttons]
    told = {cells[0].strip("`"): cells[1:] for cells in rows("## Wiring")}
    lines = "\n".join(f"| {' | '.join([f'`{name}`', *cells])} |".replace("  ", " ") for name, cells in wanted.items())
    assert told == wanted, lines


def test_what_is_too_new_is_seen() -> None:
    assert too_new("x = 'a'.removeprefix('b')\n") == ["line 1: the method removeprefix"]
    assert too_new("x = 1\ny = [*x, 2]\n") == ["line 2: * in a display"]
    assert too_new("a, *b = f(*c)\n") == []
    assert too_new("y = {**x}\n") == ["line 1: ** in a display"]
    assert too_new("x = y.startswith(('a', 'b'))\n") == ["line 1: startswith with a tuple"]
    assert too_new("read = getattr(x, 'readinto', None) or x.recv_into\n") == []
    with pytest.raises(SyntaxError):
        too_new("match x:\n    case 1:\n        pass\n")
    assert undocumented(ast.parse("def a(): ...\nclass _B:\n    def c(): ...\n")) == ["the module", "a"]
    assert imported("import os.path\nfrom json import loads\n") == {"os", "json"}
