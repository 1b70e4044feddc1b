"""Claims: what a client comes back with for its picture: a ticket of ours, or one that another proxy holds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from pico_a1111_proxy.attempts import Attempt
from pico_a1111_proxy.crowds import Crowd
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import ProxyError, ShuttingDown, UpstreamError
from pico_a1111_proxy.gate import Gate, Visit
from pico_a1111_proxy.jobs import Progress
from pico_a1111_proxy.outlooks import Outlook, Stage, State, at_work, further_in_line, in_line
from pico_a1111_proxy.renderings import Rendering

E = TypeVar("E", bound=ProxyError)


class Ticket:
    """A job whose client comes back for it. Made by `Tickets.open`; `display` is what its frames are for.

    `ended` is the moment when it was over, None before. `stage` is asked where the upstream has its generation.
    """

    def __init__(self, display: Display, gate: Gate, stage: Callable[..., Stage | None]) -> None:
        self.id = secrets.token_urlsafe(16)  # who has it may fetch the picture and cancel the job
        self.display = display
        self.ended: float | None = None
        self.size = 0  # bytes of what is ready to be fetched
        self._gate = gate
        self._stage_of = stage
        self.attempt: Attempt | None = None  # while it is being done, or on its way there
        self._outcome: Rendering | ProxyError | None = None
        self._progress = 0.0
        self._crowd = Crowd()
        self._closed = False

    @property
    def is_over(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.ended is not None

    @property
    def state(self) -> State:
        """What has become of it so far."""
        if self.is_over:
            if self._outcome is None:
                return "cancelled"
            return "done" if isinstance(self._outcome, Rendering) else "failed"
        stage = self._stage
        return "queued" if (self._visit and self._visit.position) or (stage and stage.position) else "running"

    @property
    def error(self) -> ProxyError | None:
        """What went wrong, one that was never raised; None where nothing did."""
        # One that is raised again and again would hold on to all who were told.
        return _bare(self._outcome) if isinstance(self._outcome, ProxyError) else None

    @property
    def rendering(self) -> Rendering | None:
        """What came of it, where it is done."""
        return self._outcome if isinstance(self._outcome, Rendering) else None

    @property
    def is_at_work(self) -> bool:
        """Whether its generation has its place."""
        return bool(self._visit and self._visit.is_inside)

    @property
    def seconds_alone(self) -> float | None:
        """For how long its generation has been at work, where it is the only one, so that what an upstream tells is
        of this one; None where it is not, or the upstream tells of each by itself.
        """
        return None if self._stage else self._seconds_alone

    def look_closely(self) -> None:
        """Somebody wants to know how far it is, and will ask again."""
        if self.attempt and self.is_at_work:
            self._stage_of(self.attempt.job, closely=True)

    def outlook(self, told: Progress | None = None) -> Outlook:
        """How far it is; `told` is what the upstream says of it, None where nobody knows. It never falls back."""
        if self.is_over:
            state = self.state
            return Outlook(state, progress=1.0 if state == "done" else self._progress)
        visit, stage = self._visit, self._stage
        if visit and visit.position:
            return in_line(self._gate, visit)
        if stage and stage.position:  # again, perhaps, where the one who drew it has ended
            return replace(further_in_line(self._gate, stage), progress=self._progress)
        elapsed = stage.seconds if stage else visit.seconds_inside if visit else 0.0
        outlook = at_work(self._gate, elapsed, stage.told if stage else told, self._progress)
        self._progress = outlook.progress
        return replace(outlook, live=stage.is_shown if stage else self._seconds_alone is not None)

    async def wait(self, seconds: float) -> None:
        """Return once it is over, or after that time. Raises ShuttingDown, at once or while waiting."""
        if not self.is_over and not self._closed and seconds > 0:
            await self._crowd.wait(seconds)
        if not self.is_over and self._closed:
            raise ShuttingDown

    async def fetch(self) -> Rendering | None:
        """What came of it, where it is done."""
        return self.rendering

    def end(self, outcome: Rendering | ProxyError | None, moment: float) -> None:
        """It is over; None is cancelled. The registry's own."""
        self.attempt = None  # which holds all of the upstream's answer
        self.ended = moment
        if isinstance(outcome, Rendering):
            # The picture is published, where anybody wants it: what is fetched here is made of the frames.
            outcome = replace(outcome, picture=b"", answer=None)
            self.size = outcome.size
        self._outcome = _bare(outcome) if isinstance(outcome, ProxyError) else outcome
        self._crowd.wake()

    def close(self) -> None:
        """Send away who waits. The registry's own."""
        self._closed = True
        self._crowd.wake()

    @property
    def _visit(self) -> Visit | None:
        return self.attempt.visit if self.attempt else None

    @property
    def _stage(self) -> Stage | None:
        return self._stage_of(self.attempt.job) if self.attempt and self.is_at_work else None

    @property
    def _seconds_alone(self) -> float | None:
        visit = self._visit
        return visit.seconds_inside if visit and visit.is_inside and self._gate.inside == 1 else None


class Elsewhere(Protocol):
    """A ticket that another proxy holds, as it was when somebody last looked.

    All that is asynchronous raises FleetUnavailable where nobody can look.
    """

    @property
    def id(self) -> str:
        """As for a Ticket."""
        ...

    @property
    def display(self) -> Display:
        """What its frames are for."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether it is done, failed or cancelled."""
        ...

    @property
    def state(self) -> State:
        """What has become of it so far."""
        ...

    @property
    def error(self) -> ProxyError | None:
        """What went wrong, one that was never raised; None where nothing did."""
        ...

    @property
    def seconds_alone(self) -> None:
        """Nobody here can tell."""
        ...

    @property
    def expires_seconds(self) -> float | None:
        """Seconds until it is forgotten; None before it is over."""
        ...

    def look_closely(self) -> None:
        """As of a ticket; its own proxy asks no more for that."""
        ...

    def outlook(self, told: Progress | None = None) -> Outlook:
        """How far it is, as the proxy tells that holds it."""
        ...

    async def wait(self, seconds: float) -> None:
        """Look again once it is over, or after that time, or when this proxy closes."""
        ...

    async def fetch(self) -> Rendering | None:
        """What came of it, where it is done; None too where it is forgotten meanwhile."""
        ...

    async def withdraw(self) -> None:
        """Have it cancelled, or forgotten where it is done or failed."""
        ...


Claim = Ticket | Elsewhere


def _bare(error: E) -> E:
    """The same error without where it was raised, and without the upstream's words: both can be large."""
    bare = type(error).__new__(type(error), *error.args)
    bare.__dict__.update(vars(error))
    if isinstance(bare, UpstreamError) and bare.answer:
        bare.answer = replace(bare.answer, body=b"")
    return bare
