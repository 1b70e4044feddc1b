"""Any row of sets, gets, clears, crashes, damage and steps of the clock: no cache ever says what was not set last."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from caches.family import FAMILY, MB, Clock, Make, answer, answer_files, bytes_in
from pico_a1111_proxy.answers import Answer

T = TypeVar("T")

TTL = 100.0
BOUND = MB // 2
KEYS = st.sampled_from("abcd")
SIZES = st.sampled_from([0, 10, 100_000, 200_000, BOUND])


class Machine(RuleBasedStateMachine):
    """A cache beside a dictionary that never forgets: a hit is what the dictionary says, a miss may always be."""

    make: Make

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.set_last: dict[str, tuple[Answer, float]] = {}
        self.number = 0
        self.is_damaged = False
        self.must_be_there: str | None = None
        self.hits = self.misses = 0
        self.run(self.open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def open(self) -> None:
        self.stack = AsyncExitStack()
        self.cache = await self.stack.enter_async_context(self.make(self.folder, self.clock, BOUND, TTL))
        self.hits = self.misses = 0

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)

    @rule(key=KEYS, size=SIZES)
    def set(self, key: str, size: int) -> None:
        self.number += 1
        said = answer(f"{self.number % 10}", size, number=str(self.number))
        self.run(self.cache.set(key, said))
        self.set_last[key] = said, self.clock.now
        self.must_be_there = key if size < BOUND / 2 else None
        self.run(self.cache.get("none"))  # until it is written
        self.misses += 1

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        found = self.run(self.cache.get(key))
        self.hits += found is not None
        self.misses += found is None
        said, stored = self.set_last.get(key, (None, 0.0))
        is_good = 0 <= self.clock.now - stored < TTL
        if found is not None:
            assert found == said
            assert is_good
        elif is_good and key == self.must_be_there:
            assert self.is_damaged

    @rule()
    def clear(self) -> None:
        self.run(self.cache.clear())
        self.set_last.clear()
        self.must_be_there = None

    @rule(seconds=st.sampled_from([-50, -1, 1, 50, 99, 100, 1000]))
    def step(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def reopen(self) -> None:
        self.run(self.stack.aclose())
        if self.make is FAMILY["memory"]:
            self.must_be_there = None
        self.run(self.open())

    @rule(which=st.integers(0, 3), at=st.integers(0, 400_000), how=st.sampled_from(["flip", "cut", "swap", "leave"]))
    def damage(self, which: int, at: int, how: str) -> None:
        files = answer_files(self.folder)
        if how == "leave" and (self.folder / "cache").is_dir():
            # As a crash does, so it is swept at the next start.
            (self.folder / "cache" / f"pico-{self.number:032x}.part").write_bytes(bytes(10))
        elif files:
            self.is_damaged = True
            file, other = files[which % len(files)], files[at % len(files)]
            with suppress(FileNotFoundError):  # the cache's own thread may remove it just now
                data = bytearray(file.read_bytes())
                if how == "swap":
                    data = bytearray(other.read_bytes())
                elif data and how == "flip":
                    data[at % len(data)] ^= 0x10
                elif data:
                    del data[at % len(data) :]
                file.write_bytes(data)

    @rule(at=st.integers(0, 20_000))
    def damage_index(self, at: int) -> None:
        index = self.folder / "cache" / "pico-index.sqlite"
        if index.exists():
            self.is_damaged = True
            data = bytearray(index.read_bytes())
            data[at % len(data)] ^= 0xFF
            index.write_bytes(data)

    @invariant()
    def every_get_is_counted_once(self) -> None:
        figures = self.cache.figures()
        assert (figures.hits, figures.misses) == (self.hits, self.misses)

    @invariant()
    def trouble_has_a_reason(self) -> None:
        assert self.is_damaged or self.cache.figures().trouble == 0

    @invariant()
    def the_bound_holds(self) -> None:
        assert self.cache.figures().bytes <= BOUND
        if (self.folder / "cache").is_dir() and not self.is_damaged:
            assert bytes_in(self.folder / "cache") <= BOUND + 10 * self.number  # what was left by hand


@pytest.mark.parametrize("member", FAMILY)
def test_no_cache_ever_says_what_was_not_set_last(member: str) -> None:
    kind = type(f"Machine_{member}", (Machine,), {"make": staticmethod(FAMILY[member])})
    # None of its examples has a time limit: a slow machine takes what it takes.
    slow = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(kind, settings=slow)
