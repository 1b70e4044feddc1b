"""Visitors: who goes through a gate in tests, and leaves when told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from pico_a1111_proxy.gate import Gate, Visit


@dataclass
class Clock:
    """Seconds that pass when the test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def inside(gate: Gate) -> AsyncIterator[None]:
    """Wait for a place and hold it."""
    visit = gate.come()
    await visit.admitted()
    try:
        yield
    except BaseException:
        visit.leave(worked=False)
        raise
    visit.leave()


@dataclass
class Visitor:
    """Goes through the gate, stays inside until told to leave, and writes down that it was there."""

    gate: Gate
    entered: list[Visitor] = field(default_factory=list)
    who: str = ""
    visit: Visit | None = None
    may_leave: asyncio.Event = field(default_factory=asyncio.Event)
    inside: bool = False
    has_to_wait: bool = False

    async def go(self) -> None:
        self.has_to_wait = self.gate.waiting > 0 or self.gate.inside == self.gate.places
        self.visit = self.gate.come(self.who)
        await self.visit.admitted()
        self.inside = True
        self.entered.append(self)
        try:
            await self.may_leave.wait()
        finally:
            self.inside = False
            self.visit.leave()

    def __hash__(self) -> int:
        return id(self)


async def settle() -> None:
    """Let everybody go as far as they get; nothing here takes longer than a few turns of the loop."""
    for _ in range(6):
        await asyncio.sleep(0)


async def ends_of(tasks: list[asyncio.Task[None]]) -> list[Any]:
    """What became of those who were all told to leave: a place that was lost would keep somebody for ever."""
    for _ in tasks:
        await settle()
    lost = [task for task in tasks if not task.done()]
    for task in lost:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert lost == []
    return ends


@asynccontextmanager
async def crowd(gate: Gate, count: int) -> AsyncIterator[list[tuple[Visitor, asyncio.Task[None]]]]:
    """So many visitors, come one after the other."""
    entered: list[Visitor] = []
    visitors = [Visitor(gate, entered) for _ in range(count)]
    tasks = [asyncio.create_task(visitor.go()) for visitor in visitors]
    await settle()
    try:
        yield list(zip(visitors, tasks, strict=True))
    finally:
        for visitor in visitors:
            visitor.may_leave.set()
        await ends_of(tasks)
        assert (gate.inside, gate.waiting) == (0, 0)


async def failure_of(visit: Awaitable[None], kind: type[Exception]) -> Any:
    """What keeps a visitor out, at once."""
    task = asyncio.ensure_future(visit)
    await settle()
    assert task.done()
    with pytest.raises(kind) as caught:
        task.result()
    return caught.value
