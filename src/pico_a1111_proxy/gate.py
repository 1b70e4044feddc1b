"""Gate: who may go upstream, and when; a bounded number works, a bounded line waits its turn, the rest is refused."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable

from pico_a1111_proxy.crews import CrewFigures
from pico_a1111_proxy.errors import LONGEST_RETRY_SECONDS, ProxyError, QueueFull, ShuttingDown, whole_retry
from pico_a1111_proxy.timetable import Timetable

FIRST_GUESS_SECONDS = 5.0  # how long a job is taken to last before one was seen
WEIGHT_OF_NEWEST = 0.2  # of the newest job in the moving average
SHORTEST_JOB_SECONDS = 0.001  # for the pace of what takes no time


class Visit:
    """One job's way through the gate: in line, inside, gone. Made by `Gate.come`; whoever has it must `leave`.

    `number` counts those who came. `was_expected` is whether its client was sent away before, and has come again when
    it was told to. One that `is_promised` never loses its place in line to another.
    """

    def __init__(self, gate: Gate, who: str, number: int) -> None:
        self.who = who
        self.number = number
        self.deadline = gate.clock() + gate.patience
        self.was_expected = False
        self.is_promised = False
        self._gate = gate
        self._turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._started = math.nan
        self._gone = False

    @property
    def is_inside(self) -> bool:
        """Whether it has its place."""
        return not math.isnan(self._started) and not self._gone

    @property
    def position(self) -> int:
        """Its place in line, the next to go in being 1; 0 for one that is not in line."""
        return 0 if self._turn.done() or self._gone else self._gate.position(self)

    @property
    def seconds_inside(self) -> float:
        """For how long it has had its place; 0 before."""
        return self._gate.clock() - self._started if self.is_inside else 0.0

    async def admitted(self) -> None:
        """Wait for the place; who is cancelled in line leaves it.

        Raises QueueFull when its time in line is over or its place there goes to another, and ShuttingDown.
        """
        timer = None
        if self.deadline < math.inf and not self._turn.done():
            seconds = max(self.deadline - self._gate.clock(), 0.0)
            timer = asyncio.get_running_loop().call_later(seconds, self._gate.expire, self)
        try:
            await asyncio.wait([self._turn])
            self._turn.result()
        except BaseException:
            self.leave(worked=False)
            raise
        finally:
            if timer:
                timer.cancel()

    def admit(self) -> None:
        """Give it its place. The gate's own."""
        self._started = self._gate.clock()
        self._turn.set_result(None)

    def refuse(self, error: ProxyError) -> None:
        """Send it away from the line. The gate's own."""
        self._turn.set_exception(error)
        self._turn.exception()  # nobody may be waiting for it yet, and asyncio would call it a surprise

    def leave(self, *, worked: bool = True) -> None:
        """Give up the place, inside or in line; a second time does nothing. What did not work tells no length."""
        if self._gone:
            return
        seconds = self.seconds_inside if worked and self.is_inside else None
        was_inside, self._gone = self.is_inside, True
        self._gate.let_go(self, was_inside, seconds)


class Gate:
    """At most `places` jobs inside and `line` waiting: each client's in their order, the clients by turns.

    `clock` gives seconds. Nobody waits in line for more than `patience` seconds. Behind the gate of a fleet is another
    line, its `crew`'s: who is inside may stand there still.
    """

    def __init__(
        self,
        places: int,
        line: int,
        clock: Callable[[], float],
        patience: float = math.inf,
        crew: Callable[[], CrewFigures] | None = None,
    ) -> None:
        self.places = places
        self.line = line
        self._crew = crew
        self.clock = clock
        self.inside = 0
        self.waiting = 0
        self.job_seconds = FIRST_GUESS_SECONDS  # the moving average
        self.patience = patience
        self._count = 0
        self._lines: OrderedDict[str, deque[Visit]] = OrderedDict()  # whose turn is next comes first
        self._timetable = Timetable(places if crew else line, clock, LONGEST_RETRY_SECONDS)
        self._closed = False

    @property
    def usual_seconds(self) -> float:
        """How long a job takes, once it is being drawn."""
        return self._crew().job_seconds if self._crew else self.job_seconds

    def come(self, who: str = "") -> Visit:
        """Take a place, or stand in line for it. `who` is the client.

        Raises QueueFull and ShuttingDown, at once. Where the line is full, who has but a few in it takes the place of
        the last one of whoever has most; and who was told to come now, that of another client's last that was not.
        """
        if self._closed:
            raise self._shutting_down()
        self._count += 1
        visit = Visit(self, who, self._count)
        if self.inside < self.places:
            self.inside += 1
            visit.admit()
            return visit
        if self.waiting >= self.line:
            visit.was_expected = self._timetable.keep(who)
            self._make_room(visit)
        self._lines.setdefault(who, deque()).append(visit)
        self.waiting += 1
        return visit

    def close(self) -> None:
        """Let nobody in any more: those in line are sent away, those inside finish."""
        self._closed = True
        error = self._shutting_down()
        while self._lines:
            for visit in self._lines.popitem()[1]:
                self.waiting -= 1
                visit.refuse(error)

    def retry_after(self) -> int:
        """Whole seconds after which there would probably be room for one more; nobody is promised any."""
        return whole_retry(self.seconds_until(self.waiting + 1))

    def seconds_until(self, position: int) -> float:
        """How long it takes, probably, until who stands there in line is drawn."""
        return self.seconds_ahead(position + (self._crew().waiting if self._crew else 0))

    def seconds_ahead(self, position: int) -> float:
        """The same for who stands in the line that is behind the gate of a fleet."""
        return self._crew().seconds_until(position) if self._crew else position / self.places * self.job_seconds

    def position(self, visit: Visit) -> int:
        """The place in line of one who stands there; see Visit."""
        own = self._lines[visit.who]
        rounds, place, passed = own.index(visit), 1, False
        for who, line in self._lines.items():
            if who == visit.who:
                place, passed = place + rounds, True
            else:
                place += min(len(line), rounds if passed else rounds + 1)
        return place

    def expire(self, visit: Visit) -> None:
        """Send it away if it is still in line. Visit's own."""
        line = self._lines.get(visit.who, ())
        if visit in line:
            self._remove(visit)
            visit.refuse(QueueFull("No place came free in time", self._come_again(visit.who)))

    def let_go(self, visit: Visit, was_inside: bool, seconds: float | None) -> None:
        """Take it out of the line, or hand its place to the next. Visit's own."""
        if seconds is not None:
            self.job_seconds += WEIGHT_OF_NEWEST * (seconds - self.job_seconds)
        if was_inside:
            self._hand_over()
        elif visit in self._lines.get(visit.who, ()):
            self._remove(visit)

    def _hand_over(self) -> None:
        """Give the place to the next who still waits, or free it."""
        now = self.clock()
        while self._lines:
            who, line = next(iter(self._lines.items()))
            visit = line[0]
            if visit.deadline <= now:
                self.expire(visit)
                continue
            self._remove(visit)
            if who in self._lines:
                self._lines.move_to_end(who)
            visit.admit()
            return
        self.inside -= 1

    def _make_room(self, visit: Visit) -> None:
        """Send away somebody else for `visit`. Raises QueueFull where nobody is to go."""
        most = max(self._lines.values(), key=len, default=deque[Visit]())
        if len(most) >= len(self._lines.get(visit.who, ())) + 2:
            may_go = list(most)
        else:
            others = (other for line in self._lines.values() for other in line if other.who != visit.who)
            may_go = [other for other in others if visit.was_expected and not other.was_expected]
        unpromised = (other for other in may_go if not other.is_promised)
        last = max(unpromised, key=lambda other: other.number, default=None)
        if last is None:
            raise QueueFull("The queue is full", self._come_again(visit.who))
        self._remove(last)
        words = "The queue is full, and others wait for their turn"
        last.refuse(QueueFull(words, self._come_again(last.who)))

    def _remove(self, visit: Visit) -> None:
        line = self._lines[visit.who]
        line.remove(visit)
        self.waiting -= 1
        if not line:
            del self._lines[visit.who]

    def _come_again(self, who: str) -> int:
        crew = self._crew() if self._crew else None
        ahead, at_once = (crew.waiting, max(1, crew.taking)) if crew else (self.waiting, self.places)
        return self._timetable.promise(who, ahead, at_once / max(self.usual_seconds, SHORTEST_JOB_SECONDS))

    def _shutting_down(self) -> ShuttingDown:
        return ShuttingDown(self.retry_after())
