"""mpy-cross: every file for the board is MicroPython, also for the oldest, and as large as the README says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DEVICE = Path(__file__).parents[2] / "device"
README = (DEVICE / "README.md").read_text(encoding="utf-8")
OLDEST, NEWEST = ["-c", "1.19"], []
FILES = sorted([*DEVICE.glob("*.py"), *DEVICE.glob("boards/*.py")])
TOLD = {
    name: (int(source.replace(",", "")), int(compiled.replace(",", "")))
    for name, source, compiled in re.findall(r"^\| `([\w/]+\.py)` \| ([\d,]+) \| ([\d,]+) \|$", README, re.MULTILINE)
}


def compile_to(target: Path, source: Path, version: list[str] = NEWEST) -> subprocess.CompletedProcess[str]:
    """Compile as that version of MicroPython does."""
    command = [sys.executable, "-m", "mpy_cross", *version, "-o", str(target), str(source)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("version", [OLDEST, NEWEST], ids=["oldest", "newest"])
def test_every_file_compiles(version: list[str], tmp_path: Path) -> None:
    target = tmp_path / "out.mpy"
    faults = {file.name: compile_to(target, file, version).stderr for file in FILES}
    assert {name: fault for name, fault in faults.items() if fault} == {}
    assert target.read_bytes()[:2] == b"M\x06", "the version of the bytecode"
    assert {"frame_client.py", "panel.py", "main.py", "minimal.py"} <= faults.keys()


def test_what_the_oldest_lacks_is_seen(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text("match 1:\n    case _:\n        pass\n")
    assert "SyntaxError" in compile_to(tmp_path / "out.mpy", snippet, OLDEST).stderr


def test_the_readme_tells_the_sizes_of_what_is_copied(tmp_path: Path) -> None:
    sizes = {}
    for file in [file for file in FILES if file.parent == DEVICE]:
        target = tmp_path / f"{file.stem}.mpy"
        assert compile_to(target, file).returncode == 0
        sizes[file.name] = (file.stat().st_size, target.stat().st_size)
    del sizes["minimal.py"]  # it is copied as main.py, and never compiled
    rows = "\n".join(f"| `{name}` | {source:,} | {compiled:,} |" for name, (source, compiled) in sizes.items())
    near = {
        name: all(abs(told - true) <= true * 0.05 for told, true in zip(TOLD[name], sizes[name], strict=True))
        for name in sizes.keys() & TOLD.keys()
    }
    assert TOLD.keys() == sizes.keys(), rows
    assert all(near.values()), rows
