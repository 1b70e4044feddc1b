"""Crews: who draws in a fleet, and how long the line before them is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal, get_args

SaidState = Literal["idle", "busy", "paused", "stopping"]
WorkerState = Literal["idle", "busy", "paused", "stuck", "stopping"]

WORKER_STATES: tuple[WorkerState, ...] = get_args(WorkerState)
TAKES_JOBS: frozenset[WorkerState] = frozenset({"idle", "busy"})
MOST_DESCRIBED = 100  # workers; the states of all are counted


@dataclass(frozen=True)
class WorkerFigures:
    """How one worker is. `paused` takes nothing, as its upstream is down; `stuck` should, and does not.

    `seconds` is for how long it has been so, for one that is stuck, since its last job. `drawn` and `failed` count jobs
    since its start. `words` tell a person what is the matter; empty where nothing is.
    """

    name: str
    state: WorkerState
    seconds: float = 0.0
    drawn: int = 0
    failed: int = 0
    words: str = ""
    version: str = ""


@dataclass(frozen=True)
class CrewFigures:
    """A fleet at one moment: `waiting` jobs in its line, the first of them for `oldest_seconds`.

    `background` of these let the others go first. `job_seconds` is how long a job takes a worker, as a moving average.
    `is_up` is whether Redis can be reached; all else is as it was when it could be. `words` are for a person.
    """

    is_up: bool = False
    workers: tuple[WorkerFigures, ...] = ()
    waiting: int = 0
    oldest_seconds: float = 0.0
    job_seconds: float = 5.0
    background: int = 0
    words: str = ""

    @property
    def states(self) -> dict[WorkerState, int]:
        """How many workers are in each state, those included in which nobody is."""
        count = Counter(worker.state for worker in self.workers)
        return {state: count[state] for state in WORKER_STATES}

    @property
    def taking(self) -> int:
        """How many workers are alive and take jobs."""
        return sum(worker.state in TAKES_JOBS for worker in self.workers)

    @property
    def stuck(self) -> int:
        """How many should take jobs and do not, as far as can be seen from outside."""
        return sum(worker.state == "stuck" for worker in self.workers)

    @property
    def present(self) -> int:
        """How many would take jobs by what they say themselves: those included that seem stuck, and may not be."""
        return self.taking + self.stuck

    @property
    def is_well(self) -> bool:
        """Whether there is nothing that somebody has to see to."""
        return self.is_up and self.taking > 0 and not self.stuck

    def seconds_until(self, position: int) -> float:
        """How long it takes, probably, until who stands there in the line is drawn; the next to go is 1."""
        return position / max(1, self.taking) * self.job_seconds

    @property
    def wait_seconds(self) -> float | None:
        """How long a job that came now would wait, probably; None where nobody would take it."""
        if not self.taking:
            return None
        return 0.0 if self.waiting < self.states["idle"] else self.seconds_until(self.waiting + 1)


def describe_crew(crew: CrewFigures) -> dict[str, Any]:
    """The figures as JSON has them. Of very many workers those are listed with which something is the matter."""
    workers = crew.workers
    if len(workers) > MOST_DESCRIBED:
        workers = tuple(sorted(workers, key=lambda worker: worker.state in TAKES_JOBS)[:MOST_DESCRIBED])
    described: dict[str, Any] = {
        "workers": [_describe_worker(worker) for worker in workers],
        "states": crew.states,
        "taking": crew.taking,
        "waiting": crew.waiting,
        "background": crew.background,
        "oldest_seconds": round(crew.oldest_seconds, 1),
        "job_seconds": round(crew.job_seconds, 2),
    }
    return {**described, "words": crew.words} if crew.words else described


def _describe_worker(worker: WorkerFigures) -> dict[str, Any]:
    described = {**vars(worker), "seconds": round(worker.seconds, 1)}
    return described if worker.words else {name: value for name, value in described.items() if name != "words"}
