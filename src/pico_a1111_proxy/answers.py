"""Answer: what an upstream said over HTTP, as it came."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """An upstream's status, headers (without the hop-by-hop ones; duplicates kept) and body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
