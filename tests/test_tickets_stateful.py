"""Tickets in any order of events: each is always in the state that what happened to it leads to, within the bounds."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from fakes.turns import turns
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.archive import Archive
from pico_a1111_proxy.claims import Ticket
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import QueueFull, UpstreamUnavailable
from pico_a1111_proxy.gate import Gate
from pico_a1111_proxy.jobs import Generation, Job
from pico_a1111_proxy.newest import Newest
from pico_a1111_proxy.proxy import Proxy
from pico_a1111_proxy.tickets import Bounds, Tickets

PLACES, LINE, MOST = 2, 2, 6
KEEP = 10.0
DISPLAY = default_display(2, 2, invert=True)
GENERATION = Generation.read(Answer(200, (), b'{"images": []}'))


@dataclass
class Painter:
    """As much of an Upstream as the proxy asks for: what it is at work on, by the job's body."""

    at_work: dict[bytes, asyncio.Future[Generation]] = field(default_factory=dict)

    async def generate(self, job: Job) -> Generation:
        self.at_work[job.body] = asyncio.get_running_loop().create_future()
        try:
            return await self.at_work[job.body]
        finally:
            del self.at_work[job.body]

    async def abandon(self, job: Job) -> None:
        return

    def stage(self, job: Job, *, closely: bool = False) -> None:
        return


class Machine(RuleBasedStateMachine):
    """`expected` is what each ticket has come to, None while it is wanted."""

    posted = Bundle("posted")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.threads = ThreadPoolExecutor(1)
        self.now = 0.0
        self.count = 0
        self.expected: dict[Ticket, str | None] = {}
        self.ended: dict[Ticket, float] = {}
        self.words: dict[Ticket, bytes] = {}
        self.wanted: dict[bytes, set[Ticket]] = {}
        self.progress: dict[Ticket, float] = {}

    @initialize()
    def build(self) -> None:
        async def build() -> None:
            self.painter = Painter()
            painter: Any = self.painter
            archive = Archive(None, KEEP, self.clock)
            self.gate = Gate(PLACES, LINE, self.clock)
            self.proxy = Proxy(painter, self.gate, archive, self.threads, Newest({}, self.threads))
            self.tickets = Tickets(self.proxy, KEEP, self.clock, Bounds(most=MOST))

        self.loop.run_until_complete(build())

    def clock(self) -> float:
        return self.now

    @rule(target=posted, seed=st.integers(0, 3))
    def post(self, seed: int) -> Ticket | None:
        # 0 is none: such a job is never shared.
        self.count += 1
        body = b"%d" % seed if seed else b"random %d" % self.count
        key = body.decode() if seed else None
        job = Job("txt2img", body, DISPLAY, "none", key=key, repeatable=bool(key), client=str(self.count % 2))
        joined = body in self.wanted
        unfinished = self.tickets.unfinished
        full = self.gate.waiting >= LINE
        try:
            ticket = self.loop.run_until_complete(self.tickets.open(job))
        except QueueFull:
            assert unfinished >= MOST or (full and not joined)
            return None
        assert unfinished < MOST
        self.expected[ticket], self.words[ticket] = None, body
        self.wanted.setdefault(body, set()).add(ticket)
        self._settle()
        return ticket

    @rule(ticket=posted)
    def cancel(self, ticket: Ticket | None) -> None:
        if ticket is None:
            return
        self.tickets.cancel(ticket)
        self._end(ticket, "cancelled")
        self._settle()

    @rule(ticket=consumes(posted))
    def forget(self, ticket: Ticket | None) -> None:
        if ticket and ticket.is_over:
            self.tickets.forget(ticket)
            self.ended[ticket] = -KEEP

    @rule(data=st.data(), good=st.booleans())
    def finish(self, data: st.DataObject, good: bool) -> None:
        if not self.painter.at_work:
            return
        body = data.draw(st.sampled_from(sorted(self.painter.at_work)))
        end = self.painter.at_work[body]
        end.set_result(GENERATION) if good else end.set_exception(UpstreamUnavailable("down"))
        for ticket in list(self.wanted.get(body, ())):
            self._end(ticket, "done" if good else "failed")
        self.loop.run_until_complete(turns(5))
        self.threads.submit(int).result()  # what is to be made is made
        self._settle()

    @rule(seconds=st.floats(0.1, 2 * KEEP))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def all_is_as_expected(self) -> None:
        for ticket, state in self.expected.items():
            outlook = ticket.outlook()
            assert outlook.state == ticket.state
            assert (outlook.state in ("queued", "running")) if state is None else (outlook.state == state)
            assert (outlook.position > 0) == (outlook.state == "queued")
            assert 0 <= self.progress.get(ticket, 0) <= outlook.progress <= 1
            self.progress[ticket] = outlook.progress
            if self.ended.get(ticket, self.now) <= self.now - KEEP:
                assert self.tickets.get(ticket.id) is None
            if state is None:
                assert self.tickets.get(ticket.id) is ticket

    @invariant()
    def nothing_piles_up(self) -> None:
        assert len(self.painter.at_work) == self.gate.inside <= PLACES
        assert self.gate.waiting <= LINE
        assert self.tickets.count <= MOST
        assert self.tickets.unfinished == sum(state is None for state in self.expected.values())
        # Nobody is drawn for who does not want it any more.
        assert self.painter.at_work.keys() <= self.wanted.keys()

    def teardown(self) -> None:
        if hasattr(self, "tickets"):
            self.loop.run_until_complete(self.tickets.end())
            self.loop.run_until_complete(self.proxy.close())
            assert not asyncio.all_tasks(self.loop)
        self.threads.shutdown()
        self.loop.close()

    def _end(self, ticket: Ticket, state: str) -> None:
        if self.expected[ticket] is None:
            self.expected[ticket], self.ended[ticket] = state, self.now
            others = self.wanted[self.words[ticket]]
            others.discard(ticket)
            if not others:
                del self.wanted[self.words[ticket]]

    def _settle(self) -> None:
        self.loop.run_until_complete(turns(30))
        # Who is pushed out of the line for another client's sake has failed.
        for ticket, state in list(self.expected.items()):
            if state is None and ticket.state == "failed":
                assert isinstance(ticket.error, QueueFull)
                self._end(ticket, "failed")


TestTickets = Machine.TestCase
TestTickets.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
