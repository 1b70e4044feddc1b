"""LayeredCache: what is found below moves up, at the age that it has, and never over something newer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from caches.family import DAY, MB, Clock, answer, open_disk
from pico_a1111_proxy.caches.ages import Found
from pico_a1111_proxy.caches.layers import LayeredCache
from pico_a1111_proxy.caches.memory import MemoryCache


class Slow(MemoryCache):
    """Finds what was there when it was asked, but says so only when it may."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(MB, DAY, clock)
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def find(self, key: str) -> Found | None:
        found = await super().find(key)
        self.asked.set()
        await self.may_answer.wait()
        return found


class SlowToForget(MemoryCache):
    """Forgets only when it may."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(MB, DAY, clock)
        self.asked = asyncio.Event()
        self.may_forget = asyncio.Event()

    async def clear(self) -> None:
        self.asked.set()
        await self.may_forget.wait()
        await super().clear()


def memory(clock: Clock) -> MemoryCache:
    return MemoryCache(MB, DAY, clock)


async def test_a_hit_below_fills_what_is_above() -> None:
    clock = Clock()
    layers = [memory(clock), memory(clock), memory(clock)]
    await layers[2].set("k", answer())
    cache = LayeredCache(layers)

    assert await cache.get("k") == answer()
    assert [layer.figures().entries for layer in layers] == [1, 1, 1]
    assert await cache.get("k") == answer()
    assert [layer.figures().hits for layer in layers] == [1, 0, 1]
    assert (cache.figures().hits, cache.figures().misses) == (2, 0)


async def test_nothing_becomes_young_by_moving_up() -> None:
    clock = Clock()
    above, below = memory(clock), memory(clock)
    await below.set("k", answer())
    clock.now += DAY - 1
    cache = LayeredCache([above, below])
    assert await cache.get("k") == answer()
    clock.now += 1
    assert await cache.get("k") is None


async def test_what_is_found_late_does_not_replace_what_was_set_meanwhile() -> None:
    clock = Clock()
    below = Slow(clock)
    await below.set("k", answer("a"))
    cache = LayeredCache([memory(clock), below])
    getting = asyncio.create_task(cache.get("k"))
    await below.asked.wait()
    await cache.set("k", answer("b"))
    below.may_answer.set()
    await getting
    assert await cache.get("k") == answer("b")


async def test_what_is_found_late_does_not_come_back_after_all_was_forgotten() -> None:
    clock = Clock()
    below = Slow(clock)
    await below.set("k", answer("a"))
    cache = LayeredCache([memory(clock), below])
    getting = asyncio.create_task(cache.get("k"))
    await below.asked.wait()
    await cache.clear()
    below.may_answer.set()
    await getting
    assert await cache.get("k") is None


async def test_one_that_is_slow_to_forget_holds_up_no_other() -> None:
    clock = Clock()
    above, slow, below = memory(clock), SlowToForget(clock), memory(clock)
    for layer in (above, slow, below):
        await layer.set("k", answer())
    cache = LayeredCache([above, slow, below])
    clearing = asyncio.create_task(cache.clear())
    await slow.asked.wait()
    assert [layer.figures().entries for layer in (above, below)] == [0, 0]
    clearing.cancel()  # who asked has gone
    with suppress(asyncio.CancelledError):
        await clearing
    slow.may_forget.set()
    for _ in range(100):
        if not slow.figures().entries:
            break
        await asyncio.sleep(0)
    assert await cache.get("k") is None


async def test_the_figures_count_what_is_in_two_layers_once(tmp_path: Path) -> None:
    clock = Clock()
    async with open_disk(tmp_path, clock) as disk:
        cache = LayeredCache([MemoryCache(5000, DAY, clock), disk])
        for key in "abcdef":
            await cache.set(key, answer(key))
        assert await cache.get("a") == answer("a")
        figures = cache.figures()
    assert (figures.entries, figures.hits, figures.misses) == (6, 1, 0)
    assert 6000 < figures.bytes < 9000


async def test_trouble_is_that_of_all_layers(tmp_path: Path) -> None:
    (tmp_path / "cache").symlink_to(tmp_path)
    clock = Clock()
    async with open_disk(tmp_path, clock) as disk:
        cache = LayeredCache([memory(clock), disk])
        await cache.set("k", answer())
        assert await cache.get("k") == answer()  # what works goes on
    assert cache.figures().trouble == disk.figures().trouble >= 1


async def test_what_another_process_forgot_is_forgotten_above_too(tmp_path: Path) -> None:
    clock = Clock()
    async with open_disk(tmp_path, clock) as disk, open_disk(tmp_path, clock) as another:
        cache = LayeredCache([memory(clock), disk])
        await cache.set("k", answer())
        assert await cache.get("k") == answer()
        assert not await cache.was_forgotten()
        await another.clear()
        assert await cache.was_forgotten()
        assert not await cache.was_forgotten()
        assert await cache.get("k") is None
        await cache.clear()
        assert not await cache.was_forgotten()  # that was nobody else
