"""Load for the proofs: ours as a program with settings of its own, and the fakes of the tests as its world."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from processes import HERE, Program

# After this import, `fakes` and `service` are those of the tests: first, since there is a service.py here too.
sys.path.insert(0, str(HERE.parent / "tests"))


def ours(upstream: int, folder: str, **settings: object) -> Program:
    """Our service before the upstream at this port, its cache in `folder`; settings by name, such as max_workers=4."""
    command = (sys.executable, "-m", "pico_a1111_proxy", "serve", "--host", "127.0.0.1", "--port", "PORT")
    given = {name.upper(): str(value) for name, value in settings.items()}
    # Set where another copy of the package is to be looked at.
    path = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    where = {"A1111_BASE_URL": f"http://127.0.0.1:{upstream}", "CACHE_DIR": folder}
    return Program("ours", command, {**path, **where, **given})


def descriptors(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    """How many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(percent * len(ordered)) // 100) - 1))]


def verdict(missed: list[str]) -> None:
    """Say whether every bound held; ends the program with status 1 if not."""
    if missed:
        sys.exit("MISSED: " + "; ".join(missed))
    print("All bounds hold.")
