"""Where node and the packages of npm/package.json are, or why a test can't use them here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent / "npm"
PACKAGE = json.loads((FOLDER / "package.json").read_text())
PINS = {**PACKAGE["dependencies"], **PACKAGE["overrides"]}


def installed(name: str) -> str | None:
    manifest = FOLDER / "node_modules" / name / "package.json"
    return json.loads(manifest.read_text())["version"] if manifest.exists() else None


def numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def why_not() -> str | None:
    """Why node can't run the clients here."""
    if shutil.which("node") is None:
        return "node is not installed"
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True, timeout=30).stdout
    if numbers(version) < numbers(PACKAGE["engines"]["node"]):
        return f"node {PACKAGE['engines']['node']} is needed; here is {version.strip()}"
    wrong = {name: installed(name) for name, version in PINS.items() if installed(name) != version}
    return f"scripts/test installs {', '.join(wrong)} when npm and the network are there" if wrong else None
