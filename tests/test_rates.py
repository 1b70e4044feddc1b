"""Rates: windows that move, a Retry-After that is true, and a memory that is bounded."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pico_a1111_proxy.rates import Rates, TooOften, Windows, read_rates


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def make(text: str, clock: Clock, **bounds: int) -> Rates:
    return Rates(read_rates(text), Windows(clock, **bounds), clock)


async def test_who_waits_as_long_as_told_is_served_and_no_sooner() -> None:
    clock = Clock()
    rates = make("3/minute", clock)
    for _ in range(3):
        assert await rates.come("a") is None
        clock.now += 10
    # At 1030: the first came at 1000, and counts until 1060.
    assert await rates.come("a") == TooOften("3 per minute", 30)
    clock.now += 29.5
    assert await rates.come("a") == TooOften("3 per minute", 1)
    clock.now += 0.5
    assert await rates.come("a") is None
    assert await rates.come("a") == TooOften("3 per minute", 10)


async def test_no_minute_holds_more_wherever_it_begins() -> None:
    clock = Clock()
    rates = make("5/minute", clock)
    served = []
    for _ in range(2000):
        if await rates.come("a") is None:
            served.append(clock.now)
        clock.now += 0.7
    assert len(served) > 100
    assert all(later - earlier >= 60 for earlier, later in zip(served, served[5:], strict=False))


async def test_refused_ones_do_not_count_for_any_rate() -> None:
    clock = Clock()
    rates = make("1/second; 3/hour", clock)
    assert await rates.come("a") is None
    for _ in range(50):
        assert await rates.come("a") == TooOften("1 per second", 1)
    for _ in range(2):
        clock.now += 1
        assert await rates.come("a") is None
    assert await rates.come("a") == TooOften("3 per hour", 3598)


async def test_clients_do_not_touch_each_other() -> None:
    clock = Clock()
    rates = make("1/2 hours", clock)
    assert await rates.come("a") is None
    assert await rates.come("b") is None
    assert await rates.come("a") == TooOften("1 per 2 hours", 7200)
    assert await rates.come("b") == TooOften("1 per 2 hours", 7200)


async def test_the_memory_is_bounded_and_forgets_who_came_longest_ago() -> None:
    clock = Clock()
    rates = make("2/hour", clock, keys=100)
    await rates.come("first")
    await rates.come("first")
    for number in range(99):
        assert await rates.come(f"{number}") is None
    assert await rates.come("first") is not None
    assert await rates.come("one more") is None
    assert await rates.come("first") is None
    # The same with the times: three clients with two each are more than five.
    rates = make("2/hour", clock, times=5)
    for client in "aabb":
        assert await rates.come(client) is None
    assert await rates.come("a") is not None
    for client in "cc":
        assert await rates.come(client) is None
    assert await rates.come("b") is not None
    assert await rates.come("a") is None


async def test_what_is_too_old_takes_no_room() -> None:
    clock = Clock()
    rates = make("2/minute", clock, times=4)
    for _ in range(100):
        for client in "ab":
            assert await rates.come(client) is None
            assert await rates.come(client) is None
            assert await rates.come(client) is not None
        clock.now += 60


@pytest.mark.parametrize("text", ["30/minute", "10/second;500/hour", "30 per 5 minutes", "1/day, 2/month"])
def test_good_rates(text: str) -> None:
    assert read_rates(text)


@pytest.mark.parametrize(
    "text", ["", "30", "30/m", "thirty/minute", "-1/minute", "0/minute", "1.5/second", "9" * 9 + "/day"]
)
def test_a_wrong_one_names_the_good_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is a number of requests.* as in 30/minute"):
        read_rates(text)
