"""Outlooks: how far a job is, and how long it still takes, probably."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pico_a1111_proxy.gate import Gate, Visit
from pico_a1111_proxy.jobs import Progress

State = Literal["queued", "running", "done", "failed", "cancelled"]

MOST_GUESSED = 0.99  # of a picture that is not there yet
LEAST_SECONDS = 1.0  # that one takes which should be there already


@dataclass(frozen=True)
class Outlook:
    """How far a job is: its `position` in line from 1, 0 elsewhere; `progress` from 0 to 1.

    `eta_seconds` is how long it still takes, probably; 0 once it is over. `live` is whether it is seen being drawn.
    """

    state: State
    position: int = 0
    progress: float = 0.0
    eta_seconds: float = 0.0
    live: bool = False


@dataclass(frozen=True)
class Stage:
    """How far one job is at an upstream that has a line of its own: its `position` there from 1, 0 while it is drawn.

    `seconds` is for how long it has been drawn, and `told` what is known of its progress. `is_shown` is whether what
    the upstream tells of the running generation is told of this one.
    """

    position: int = 0
    seconds: float = 0.0
    told: Progress | None = None
    is_shown: bool = False


def in_line(gate: Gate, visit: Visit) -> Outlook:
    """That of one who stands in line."""
    position = visit.position
    return Outlook("queued", position, eta_seconds=gate.seconds_until(position) + gate.usual_seconds)


def further_in_line(gate: Gate, stage: Stage) -> Outlook:
    """That of one who has passed the gate, and stands in the line behind it."""
    eta = gate.seconds_ahead(stage.position) + gate.usual_seconds
    return Outlook("queued", stage.position, eta_seconds=eta)


def at_work(gate: Gate, elapsed: float, told: Progress | None, before: float) -> Outlook:
    """That of one who is at work: by what the upstream has `told`, else by the seconds that have `elapsed` so far.

    `before` is the progress that was known already: it is never less.
    """
    usual = gate.usual_seconds
    fraction, eta = elapsed / usual if usual else 1.0, usual - elapsed
    if told and told.busy and told.fraction > 0:  # it has begun: before, it has nothing to count with
        fraction = told.fraction
        eta = told.eta_seconds or elapsed / fraction - elapsed
    known = max(before, min(fraction, MOST_GUESSED))
    return Outlook("running", progress=known, eta_seconds=max(eta, LEAST_SECONDS))
