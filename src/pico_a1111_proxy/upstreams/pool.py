"""Pool: several upstreams as one; who is down is left alone, and nothing is sent twice."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from pico_a1111_proxy.answers import at_once
from pico_a1111_proxy.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable
from pico_a1111_proxy.jobs import Generation, Job, Progress
from pico_a1111_proxy.outlooks import Stage
from pico_a1111_proxy.proxy import Condition, Finding, RelayAnswer, RelayRequest, Upstream
from pico_a1111_proxy.upstreams.circuit import Circuit, State
from pico_a1111_proxy.upstreams.sharing import (
    Unbegun,
    ends_the_drawing,
    hold,
    hold_answer,
    is_for_all,
    is_for_the_busy,
)

T = TypeVar("T")

STOP_SECONDS = 5.0  # for an upstream to say that it has stopped drawing


@dataclass(frozen=True)
class MemberFigures:
    """How one of a pool is: its circuit's `state` and what opened it, and how many jobs of ours it works on."""

    name: str
    state: State
    in_flight: int
    words: str


@dataclass(eq=False)
class _Member:
    number: int
    upstream: Upstream
    circuit: Circuit
    in_flight: int = 0
    last_job: int = 0  # which of the pool's jobs it got last

    @property
    def name(self) -> str:
        return f"upstream {self.number}"

    @contextmanager
    def busy(self) -> Iterator[None]:
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


_Rank = Callable[[_Member], tuple[int, int]]


def _by_load(member: _Member) -> tuple[int, int]:
    return member.in_flight, member.last_job


def _as_listed(member: _Member) -> tuple[int, int]:
    return 0, member.number


def _busy_first(member: _Member) -> tuple[int, int]:
    return 0 if member.in_flight else 1, member.number


class Pool:
    """Several upstreams, each behind a Circuit; `clock` gives seconds.

    A job goes to the least busy one. What fails before anything was sent goes on to the next, each is tried at most
    once, and what may have been sent is never sent again. Where every circuit is open, the one that failed longest ago
    is tried all the same. To stop drawing each has `stop_seconds`.
    """

    def __init__(
        self, members: Sequence[Upstream], clock: Callable[[], float], stop_seconds: float = STOP_SECONDS
    ) -> None:
        self._stop_seconds = stop_seconds
        self._members = [_Member(number, each, Circuit(clock)) for number, each in enumerate(members, 1)]
        self._jobs = 0
        # Whose job it was, by the id of the job: two that are equal may be with two members.
        self._had: dict[int, tuple[weakref.ref[Job], _Member]] = {}

    def members(self) -> tuple[MemberFigures, ...]:
        """How each is, as listed; from memory, at once, and without an address."""
        return tuple(MemberFigures(m.name, m.circuit.state, m.in_flight, m.circuit.words) for m in self._members)

    async def generate(self, job: Job) -> Generation:
        """Ask the least busy one, and the next where nothing was sent. Raises UpstreamError."""

        async def ask(member: _Member) -> Generation:
            """Have it draw."""
            self._jobs += 1
            member.last_job = self._jobs
            self._remember(job, member)
            with member.busy(), member.circuit.attempt(draws=True):
                return await member.upstream.generate(job)

        return await self._walk(_by_load, ask)

    async def abandon(self, job: Job) -> None:
        """Let the one that had it see to it; for so long it counts as busy with it."""
        _, member = self._had.pop(id(job), (None, None))
        if member is not None:
            with member.busy():
                await member.upstream.abandon(job)

    @asynccontextmanager
    async def relay(self, request: RelayRequest) -> AsyncIterator[RelayAnswer]:
        """Pass it on to the first that can be used, as listed, so that whoever comes again finds his files there.

        How far a generation is, is asked of one that works for us. What changes the state of an upstream goes to all
        that can be used; see `_tell_all`.
        """
        if is_for_all(request):
            yield await self._tell_all(request)
            return
        body = None if request.body is None else Unbegun(request.body)
        request = replace(request, body=body)
        async with AsyncExitStack() as stack:

            async def ask(member: _Member) -> RelayAnswer:
                """Have it answer; closed with the block."""
                with member.circuit.attempt():
                    return await stack.enter_async_context(member.upstream.relay(request))

            rank = _busy_first if is_for_the_busy(request) else _as_listed
            yield await self._walk(rank, ask, lambda: body is None or not body.begun)

    async def progress(self) -> Progress:
        """How far one that works for us is, else the first that can be used. Raises UpstreamError."""

        async def ask(member: _Member) -> Progress:
            """Have it tell."""
            with member.circuit.attempt():
                return await member.upstream.progress()

        return await self._walk(_busy_first, ask)

    def stage(self, job: Job, *, closely: bool = False) -> Stage | None:
        """It tells no job from another."""
        return None

    async def check(self) -> Condition:
        """Look at each that is not left alone; usable is the pool where one is. Never raises."""
        looked_at = [m for m in self._members if m.circuit.lets_in] or [self._last_resort(self._members)]
        await asyncio.gather(*map(_look, looked_at))
        down = [m for m in self._members if m.circuit.state == "open"]
        usable = len(self._members) - len(down)
        words = [f"{usable} of {len(self._members)} upstreams can be used"]
        words += [f"{m.name}: {m.circuit.words}" for m in down]
        return Condition("pool", usable=usable > 0, words="; ".join(words))

    async def examine(self) -> AsyncIterator[Finding]:
        """Walk the way to each in turn; a bad finding ends the way to that one only."""
        for member in self._members:
            async for finding in member.upstream.examine():
                yield replace(finding, what=f"{member.name}: {finding.what}")

    async def _walk(
        self, rank: _Rank, ask: Callable[[_Member], Awaitable[T]], may_go_on: Callable[[], bool] = lambda: True
    ) -> T:
        """Ask one after the other until one was sent something. Raises what the last one raised."""
        untried = list(self._members)
        last_resort = False
        failure: UpstreamError | None = None
        while untried and not last_resort:
            let_in = [m for m in untried if m.circuit.lets_in]
            last_resort = not let_in
            member = min(let_in, key=rank) if let_in else self._last_resort(untried)
            untried.remove(member)
            try:
                return await ask(member)
            except UpstreamError as error:
                if not error.unsent or not may_go_on():
                    raise
                failure = error
        assert failure is not None
        raise failure

    def _last_resort(self, members: Sequence[_Member]) -> _Member:
        """Who is tried where nobody lets in: one that is probed already, else the one that failed longest ago."""
        return min(members, key=lambda m: (m.circuit.state == "open", m.circuit.failed_at, m.in_flight))

    async def _tell_all(self, request: RelayRequest) -> RelayAnswer:
        """Send it to all that can be used, and answer as the first of them, or as the first that did not do it.

        One that turns out to be down is passed over as long as another one has done it.
        """
        body = await hold(request)
        told = [m for m in self._members if m.circuit.lets_in] or [self._last_resort(self._members)]

        async def tell(member: _Member) -> RelayAnswer | UpstreamError:
            copy = replace(request, body=at_once(body) if body else None)
            try:
                with member.circuit.attempt():
                    async with member.upstream.relay(copy) as answer:
                        return replace(answer, body=at_once(await hold_answer(answer)))
            except UpstreamError as error:
                return error

        async def tell_soon(member: _Member) -> RelayAnswer | UpstreamError:
            try:
                return await asyncio.wait_for(tell(member), self._stop_seconds)
            except asyncio.TimeoutError:
                return UpstreamTimeout("The upstream A1111 service did not answer in time")

        # Who wants a drawing stopped does not wait for one that hangs, where another has stopped.
        stops = ends_the_drawing(request)
        ends = await asyncio.gather(*map(tell_soon if stops else tell, told))
        heard = [end for end in ends if not (isinstance(end, UpstreamError) and (end.unsent or stops))] or ends
        end = next((e for e in heard if isinstance(e, UpstreamError) or e.status >= 400), heard[0])
        if isinstance(end, UpstreamError):
            raise end
        return end

    def _remember(self, job: Job, member: _Member) -> None:
        key = id(job)
        self._had[key] = weakref.ref(job, lambda _: self._had.pop(key, None)), member


async def _look(member: _Member) -> None:
    try:
        with member.circuit.attempt():
            condition = await member.upstream.check()
            if not condition.usable:
                # It says as much as a connection that fails.
                raise UpstreamUnavailable(condition.words, unsent=True)
    except UpstreamError:
        pass  # the circuit knows
