"""Tables in Markdown, and the middle of many measurements."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from statistics import median


def tell_machine() -> None:
    """What the figures were taken on, and how busy it was already: on a busy machine only ratios mean something."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{os.cpu_count()} processors, {platform.machine()}, {python}, load {os.getloadavg()[0]:.1f} at the start")


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column is words, the others are figures."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|---|" + "---:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def middle(values: Sequence[float], digits: int = 1) -> str:
    return f"{median(values):.{digits}f}" if values else "-"


def ratio(values: Sequence[float], others: Sequence[float]) -> str:
    """The median of the ratios of measurements that were taken one after the other: noise hits both alike."""
    return f"{median(a / b for a, b in zip(values, others, strict=True)):.1f}"
