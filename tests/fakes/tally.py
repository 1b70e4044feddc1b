"""A tally of what a client sent and got, and what /metrics tells, read so that the two can be compared."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

SAMPLE = re.compile(r"pico_a1111_(\w+?)(?:\{(.*)\})? (\S+)")
Figures = dict[str, Counter[tuple[str, ...]]]


def read_figures(text: str) -> Figures:
    """What there was of each metric, by the values of its labels in the order of their names; nothing is left out."""
    figures: Figures = {}
    for line in text.splitlines():
        found = SAMPLE.fullmatch(line)
        if found:
            labels = tuple(value for _, value in sorted(re.findall(r'(\w+)="([^"]*)"', found[2] or "")))
            figures.setdefault(found[1], Counter())[labels] += int(float(found[3]))
    return figures


@dataclass
class Tally:
    """What the client sent and got, as the service should tell it."""

    requests: Counter[tuple[str, ...]] = field(default_factory=Counter)
    seconds: Counter[tuple[str, ...]] = field(default_factory=Counter)
    bytes: Counter[tuple[str, ...]] = field(default_factory=Counter)
    renderings: Counter[tuple[str, ...]] = field(default_factory=Counter)
    failures: Counter[tuple[str, ...]] = field(default_factory=Counter)
    ended: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def add(self, kind: str, status: int, size: int) -> None:
        self.requests[kind, str(status)] += 1
        self.seconds[(kind,)] += 1
        self.bytes[(kind,)] += size

    def figures(self) -> Figures:
        begun = Counter({(): sum(self.ended.values())})
        return {
            "requests_total": self.requests,
            "request_seconds_count": self.seconds,
            "response_bytes_total": self.bytes,
            "renderings_total": self.renderings,
            "rendering_failures_total": self.failures,
            "generations_ended_total": self.ended,
            "generations_begun_total": begun,
            "generation_seconds_count": Counter({(): self.ended[("done",)]}),
            "line_seconds_count": begun,
        }

    def differences(self, before: Figures, now: Figures) -> list[str]:
        """Where the service tells something else than this, in words."""
        wrong = []
        for name, ours in self.figures().items():
            theirs = now.get(name, Counter())
            theirs.subtract(before.get(name, Counter()))
            wrong += [
                f"{name}{labels}: {theirs[labels]} told, {ours[labels]} in the tally"
                for labels in sorted(theirs.keys() | ours.keys())
                if theirs[labels] != ours[labels]
            ]
        return wrong
