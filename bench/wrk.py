"""Load: wrk asks a running program, and tells how fast it was."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from processes import Running


@dataclass(frozen=True)
class Load:
    """What wrk saw: requests a second, and milliseconds; `work` is processor time a request, in milliseconds."""

    rate: float
    p50: float
    p99: float
    work: float


def load(service: Running, path: str, script: Path, at_a_time: int, seconds: int, *arguments: str) -> Load:
    """Ask with wrk as `script` says. Anything but a whole 200 ends the run: its figures would be of something else."""
    asked = f"http://127.0.0.1:{service.port}{path}", "--", *arguments
    command = ["wrk", "-t1", f"-c{at_a_time}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script)]
    before = service.processor_seconds()
    done = subprocess.run([*command, *asked], check=True, capture_output=True, text=True, timeout=seconds + 60)
    told = json.loads(done.stdout.strip().splitlines()[-1])
    if told["refused"] or told["broken"] or not told["requests"]:
        sys.exit(f"{service.name}, {path}, {at_a_time} at a time: not every answer was a whole 200: {told}")
    work = (service.processor_seconds() - before) * 1000 / told["requests"]
    return Load(told["requests"] / told["seconds"], told["p50"], told["p99"], work)
