"""What every cache promises, checked on each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from caches.family import DAY, FAMILY, MB, Clock, Make, answer
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.archive import Cache


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=FAMILY)
def make(request: pytest.FixtureRequest) -> Make:
    """How each member of the family is made."""
    return FAMILY[request.param]


@pytest.fixture
async def member(make: Make, tmp_path: Path, clock: Clock) -> AsyncIterator[Cache]:
    async with make(tmp_path, clock) as cache:
        yield cache


async def test_what_was_never_set_is_a_miss(member: Cache) -> None:
    assert await member.get("a" * 64) is None


@pytest.mark.parametrize(
    "known",
    [
        Answer(200, (("Content-Type", "application/json"),), b'{"images": []}'),
        Answer(404, (), b""),
        Answer(200, (("X", "1"), ("x", "2"), ("X", "1")), bytes(range(256)) * 9000),
        Answer(200, (("X-Odd", "caf\udce9 \u2603 \x00 é"),), b"\x00"),
    ],
)
async def test_an_answer_comes_back_as_it_was_set(member: Cache, known: Answer) -> None:
    await member.set("ab12", known)
    assert await member.get("ab12") == known
    assert await member.get("ab12") == known


async def test_each_key_has_its_own(member: Cache) -> None:
    for key in "abc":
        await member.set(key, answer(key))
    assert [await member.get(key) for key in "abc"] == [answer(key) for key in "abc"]


async def test_the_last_one_set_counts(member: Cache) -> None:
    await member.set("k", answer("a"))
    await member.set("k", answer("b", 10))
    assert await member.get("k") == answer("b", 10)
    assert member.figures().entries == 1


async def test_too_old_is_a_miss_and_new_again_when_set_again(member: Cache, clock: Clock) -> None:
    await member.set("k", answer("a"))
    clock.now += DAY - 1
    assert await member.get("k") == answer("a")
    clock.now += 1
    assert await member.get("k") is None
    await member.set("k", answer("b"))
    assert await member.get("k") == answer("b")


async def test_what_comes_from_the_future_is_a_miss(member: Cache, clock: Clock) -> None:
    await member.set("k", answer("a"))
    clock.now -= 3600
    assert await member.get("k") is None
    clock.now += 3600
    assert await member.get("k") == answer("a")


async def test_everything_is_forgotten_and_what_is_set_after_stays(member: Cache) -> None:
    for key in "abc":
        await member.set(key, answer(key))
    await member.clear()
    await member.set("a", answer("z"))
    assert [await member.get(key) for key in "abc"] == [answer("z"), None, None]
    assert member.figures().entries == 1


async def test_the_one_used_longest_ago_goes_first(make: Make, tmp_path: Path, clock: Clock) -> None:
    async with make(tmp_path, clock, most_bytes=MB) as cache:
        for key in "abc":
            await cache.set(key, answer(key, 250_000))
        assert await cache.get("a")
        await cache.set("d", answer("d", 250_000))
        found = {key for key in "abcd" if await cache.get(key)}
        assert found == {"a", "c", "d"}
        assert cache.figures().bytes <= MB


async def test_the_bound_holds_for_many_of_many_sizes(make: Make, tmp_path: Path, clock: Clock) -> None:
    async with make(tmp_path, clock, most_bytes=MB) as cache:
        for number in range(60):
            await cache.set(f"{number:x}", answer("x", number * 7919 % 300_000))
            assert await cache.get(f"{number:x}") == answer("x", number * 7919 % 300_000)
            await cache.get("none")  # the lowest layer has done its work when it has looked for this
            assert cache.figures().bytes <= MB


async def test_one_that_is_too_large_is_not_kept_and_costs_nobody_else(
    make: Make, tmp_path: Path, clock: Clock
) -> None:
    async with make(tmp_path, clock, most_bytes=MB) as cache:
        await cache.set("a", answer("a"))
        await cache.set("k", answer("k"))
        await cache.set("k", answer("l", MB))
        assert await cache.get("a") == answer("a")
        assert await cache.get("k") is None  # not the one before it, either


async def test_every_get_is_one_hit_or_one_miss(member: Cache) -> None:
    await member.get("a")
    await member.set("a", answer("a"))
    await member.get("a")
    await member.get("a")
    await member.get("b")
    figures = member.figures()
    assert (figures.hits, figures.misses, figures.trouble, figures.entries) == (2, 2, 0, 1)
    assert 1000 < figures.bytes < 3000


async def test_a_new_one_has_no_figures(member: Cache) -> None:
    figures: Any = member.figures()
    assert (figures.hits, figures.misses, figures.trouble, figures.entries, figures.bytes) == (0, 0, 0, 0, 0)
