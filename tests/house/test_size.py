"""Size: a file is at most 300 lines, a function at most 40, and no room is called after nothing in particular."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 300
LONGEST_FUNCTION = 40
NAMELESS = {"utils", "util", "services", "helpers", "managers", "common", "misc", "base", "core", "lib"}

SOURCES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in ("src", "tests", "bench", "device")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def long_functions(source: str) -> list[str]:
    """The functions that are too long, each with its line and its length from `def` to the end."""
    return [
        f"line {node.lineno}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]


def test_files_are_short() -> None:
    lengths = {name: len(source.splitlines()) for name, source in SOURCES.items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    found = {name: long_functions(source) for name, source in SOURCES.items()}
    assert {name: functions for name, functions in found.items() if functions} == {}


def test_rooms_are_named_after_something() -> None:
    assert [name for name in SOURCES if NAMELESS & {*Path(name).parts, Path(name).stem}] == []


def test_there_is_something_to_measure() -> None:
    assert {"src/pico_a1111_proxy/proxy.py", "tests/house/test_size.py"} <= SOURCES.keys()


def test_a_long_function_is_seen() -> None:
    method = "class A:\n    def b(self):\n" + "        pass\n" * 39
    assert long_functions(method) == []
    assert long_functions(method + "        pass\n") == ["line 2: b has 41 lines"]
