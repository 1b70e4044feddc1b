"""MemoryCache: the bound in bytes, to the byte, and what it costs."""

from __future__ import annotations

import gc
import tracemalloc

from caches.family import DAY, MB, Clock, answer
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.caches.memory import MemoryCache


async def test_what_just_fits_is_kept_and_a_byte_more_is_not() -> None:
    probe = MemoryCache(MB, DAY, Clock())
    await probe.set("k", answer())
    size = probe.figures().bytes
    for most, entries in ((size, 1), (size - 1, 0)):
        cache = MemoryCache(most, DAY, Clock())
        await cache.set("k", answer())
        assert cache.figures().entries == entries


async def test_forgetting_gives_all_bytes_back() -> None:
    clock = Clock()
    cache = MemoryCache(MB, 10, clock)
    for key in "abc":
        await cache.set(key, answer(key))
    clock.now += 10
    for key in "abc":
        assert await cache.get(key) is None
    assert (cache.figures().entries, cache.figures().bytes) == (0, 0)


async def test_it_takes_no_more_memory_than_it_says() -> None:
    cache = MemoryCache(100 * MB, DAY, Clock())
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(2000):
            headers = tuple((f"Name-{number}-{at}", f"value {number} {at}") for at in range(5))
            await cache.set(f"key {number}", Answer(200, headers, bytes(100 + number % 7)))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken <= cache.figures().bytes
