"""DiskCache: what outlives the process, who shares the folder, and what of it is touched at all."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from pathlib import Path

from caches.family import DAY, MB, Clock, answer, answer_files, bytes_in, open_disk
from pico_a1111_proxy.caches.disk import MOST_WRITES, open_disk_cache


class HeldClock(Clock):
    """Whoever asks it in the thread of the cache has to wait, as for a disk that hangs; nobody else."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.is_asked = threading.Event()

    def __call__(self) -> float:
        if threading.current_thread().name.startswith("cache"):
            self.is_asked.set()
            assert self.may_go_on.wait(60)
        return self.now

    async def hold(self, key: str, cache: object) -> asyncio.Task[object]:
        """Have a call hang; returns when it does."""
        self.may_go_on.clear()
        self.is_asked.clear()
        task = asyncio.create_task(cache.get(key))  # type: ignore[attr-defined]
        assert await asyncio.to_thread(self.is_asked.wait, 60)
        return task


async def test_it_outlives_the_process(tmp_path: Path) -> None:
    clock = Clock()
    async with open_disk(tmp_path, clock) as cache:
        for key in "abc":
            await cache.set(key, answer(key))
    async with open_disk(tmp_path, clock) as cache:
        assert [await cache.get(key) for key in "abc"] == [answer(key) for key in "abc"]
        assert cache.figures().entries == 3
        assert cache.figures().bytes == sum(file.stat().st_size for file in answer_files(tmp_path))


async def test_so_does_which_one_was_used_last(tmp_path: Path) -> None:
    clock = Clock()
    async with open_disk(tmp_path, clock, MB) as cache:
        for key in "abc":
            await cache.set(key, answer(key, 250_000))
        assert await cache.get("a")
    clock.now -= 3600  # and the clock does not matter for it
    async with open_disk(tmp_path, clock, MB) as cache:
        await cache.set("d", answer("d", 250_000))
        clock.now += 3600
        assert {key for key in "abcd" if await cache.get(key)} == {"a", "c"} | {"d"}


async def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with open_disk(tmp_path, Clock()) as cache:
            await cache.set("k", answer())
            assert await cache.get("k")
            modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "cache").iterdir()}
            assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
            assert modes == {0o600}
    finally:
        os.umask(before)


async def test_a_persons_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    theirs = ["holiday.answer", "pico-1.answer", "pico-index.sqlite.bak", f"pico-{'a' * 32}.png", f"x-{'a' * 32}.part"]
    for name in theirs:
        (folder / name).write_bytes(bytes(MB))
    (folder / "pico-index").mkdir()
    (folder / f"pico-{'b' * 32}.answer").mkdir()
    async with open_disk(tmp_path, Clock(), MB) as cache:
        for key in "abc":
            await cache.set(key, answer(key, 400_000))
        assert await cache.get("c")
        await cache.clear()
    assert {file.name for file in folder.iterdir()} >= {*theirs, "pico-index", f"pico-{'b' * 32}.answer"}
    assert cache.figures().trouble == 0


async def test_what_a_crash_left_is_swept(tmp_path: Path) -> None:
    async with open_disk(tmp_path, Clock()) as cache:
        await cache.set("k", answer())
    left = [f"pico-{'a' * 32}.answer", f"pico-{'b' * 32}.part"]
    for name in left:
        (tmp_path / "cache" / name).write_bytes(bytes(MB))
    async with open_disk(tmp_path, Clock()) as cache:
        assert await cache.get("k") == answer()
        assert not any((tmp_path / "cache" / name).exists() for name in left)


async def test_a_bound_that_was_made_smaller_holds_from_the_start(tmp_path: Path) -> None:
    async with open_disk(tmp_path, Clock(), 10 * MB) as cache:
        for key in "abcdefgh":
            await cache.set(key, answer(key, 250_000))
    async with open_disk(tmp_path, Clock(), MB) as cache:
        assert await cache.get("h")
        assert await cache.get("a") is None
        assert bytes_in(tmp_path / "cache") <= MB


async def test_the_bound_counts_all_that_is_on_the_disk(tmp_path: Path) -> None:
    async with open_disk(tmp_path, Clock(), MB) as cache:
        for number in range(300):
            await cache.set(f"{number}", answer("x", 1 + number * 37 % 5000))
            assert await cache.get(f"{number}")
            assert bytes_in(tmp_path / "cache") <= MB
        assert cache.figures().entries > 100


async def test_forgetting_leaves_no_file_in_the_end(tmp_path: Path) -> None:
    async with open_disk(tmp_path, Clock()) as cache:
        for number in range(100):
            await cache.set(f"{number}", answer())
            await cache.get(f"{number}")
        await cache.clear()
        assert cache.figures().entries == 0
        for _ in range(50):  # each look gives the one who removes a turn
            await cache.get("0")
        assert answer_files(tmp_path) == []


async def test_two_share_a_folder(tmp_path: Path) -> None:
    clock = Clock()
    async with open_disk(tmp_path, clock, MB) as one, open_disk(tmp_path, clock, MB) as other:
        for number in range(40):
            a, b = (one, other) if number % 2 else (other, one)
            await a.set("k", answer(chr(65 + number), 90_000))
            assert await a.get("k") == answer(chr(65 + number), 90_000)
            assert await b.get("k") == answer(chr(65 + number), 90_000)
            await b.set(f"{number}", answer("n", 90_000))
            await b.get(f"{number}")
            assert bytes_in(tmp_path / "cache") <= MB
        await one.clear()
        assert await other.get("k") is None
        assert other.figures().entries == 0
        assert one.figures().trouble == other.figures().trouble == 0


async def test_when_the_disk_is_slow_few_wait_and_none_is_wrong(tmp_path: Path) -> None:
    clock = HeldClock()
    async with open_disk(tmp_path, clock) as cache:
        await cache.set("k", answer("a"))
        assert await cache.get("k") == answer("a")
        held = await clock.hold("k", cache)
        for number in range(MOST_WRITES):
            await cache.set(f"{number}", answer())
        await cache.set("k", answer("b"))  # one too many
        await cache.set("other", answer("b"))
        assert cache.figures().trouble == 2
        clock.may_go_on.set()
        await held
        assert await cache.get("k") is None  # rather than the one before
        assert [await cache.get(f"{number}") for number in range(MOST_WRITES)] == [answer()] * MOST_WRITES
        await cache.set("k", answer("c"))
        assert await cache.get("k") == answer("c")


async def test_what_could_not_be_replaced_is_gone_for_the_next_one_too(tmp_path: Path) -> None:
    clock = HeldClock()
    async with open_disk(tmp_path, clock) as cache:
        await cache.set("k", answer("a"))
        await cache.get("k")
        held = await clock.hold("k", cache)
        for number in range(MOST_WRITES + 1):
            await cache.set("k" if number == MOST_WRITES else f"{number}", answer("b"))
        clock.may_go_on.set()
        await held
    async with open_disk(tmp_path, clock) as cache:
        assert await cache.get("k") is None


async def test_a_write_that_waits_is_forgotten_with_the_rest(tmp_path: Path) -> None:
    clock = HeldClock()
    async with open_disk(tmp_path, clock) as cache:
        held = await clock.hold("k", cache) if await _filled(cache) else None
        await cache.set("late", answer())
        clearing = asyncio.create_task(cache.clear())
        await asyncio.sleep(0)
        await cache.set("after", answer())
        clock.may_go_on.set()
        assert held
        assert await held is None  # it came back after all was forgotten
        await clearing
        assert await cache.get("late") is None
        assert await cache.get("after") == answer()


async def test_to_forget_is_not_undone_by_who_leaves(tmp_path: Path) -> None:
    clock = HeldClock()
    async with open_disk(tmp_path, clock) as cache:
        await _filled(cache)
        held = await clock.hold("k", cache)
        clearing = asyncio.create_task(cache.clear())
        await asyncio.sleep(0)
        clearing.cancel()
        clock.may_go_on.set()
        await asyncio.wait([held, clearing])
    async with open_disk(tmp_path, clock) as cache:
        assert await cache.get("k") is None


async def test_a_disk_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    clock = HeldClock()
    async with open_disk(tmp_path, clock) as cache:
        await _filled(cache)
        held = await clock.hold("k", cache)
        assert await held is None
        for _ in range(1000):  # at once, or this would take an hour
            assert await cache.get("k") is None
        assert cache.figures().trouble == 1001
        clock.may_go_on.set()
        await cache.clear()
        await cache.set("k", answer("z"))
        assert await cache.get("k") == answer("z")


async def _filled(cache: object) -> bool:
    await cache.set("k", answer("a"))  # type: ignore[attr-defined]
    return await cache.get("k") is not None  # type: ignore[attr-defined]


async def test_after_its_end_it_is_empty_and_no_error(tmp_path: Path) -> None:
    before = threading.active_count()
    async with open_disk_cache(str(tmp_path / "cache"), MB, DAY) as cache:
        await cache.set("k", answer())
        thread = next(one for one in threading.enumerate() if one.name.startswith("cache"))
    await asyncio.to_thread(thread.join, 60)
    assert threading.active_count() <= before + 1  # asyncio's own may have come
    await cache.set("k", answer())
    assert await cache.get("k") is None
    await cache.clear()
