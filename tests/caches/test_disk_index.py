"""DiskCache with an index that is damaged, locked or not its own: made anew, and no wrong hit on the way."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from caches.family import Clock, answer, answer_files, open_disk


def scramble(index: Path) -> None:
    index.write_bytes(os.urandom(8192))


def tear(index: Path) -> None:
    os.truncate(index, index.stat().st_size // 2)


def spoil_a_page(index: Path) -> None:
    data = bytearray(index.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    index.write_bytes(data)


def make_foreign(index: Path) -> None:
    index.unlink()
    with closing(sqlite3.connect(index)) as db:
        db.execute("CREATE TABLE entries (name)")
        db.commit()


def make_of_another_version(index: Path) -> None:
    with closing(sqlite3.connect(index)) as db:
        db.execute("PRAGMA user_version = 99")


def lead_elsewhere(index: Path) -> None:
    index.rename(index.parent / "elsewhere")
    index.symlink_to(index.parent / "elsewhere")


@pytest.mark.parametrize(
    "spoil", [scramble, tear, spoil_a_page, make_foreign, make_of_another_version, lead_elsewhere, Path.unlink]
)
@pytest.mark.parametrize("under_way", [True, False])
async def test_an_index_that_is_no_good_is_made_anew(
    tmp_path: Path, spoil: Callable[[Path], None], under_way: bool
) -> None:
    index = tmp_path / "cache" / "pico-index.sqlite"
    async with open_disk(tmp_path, Clock()) as cache:
        for key in "abc":
            await cache.set(key, answer(key))
        assert await cache.get("a")
        if under_way:
            spoil(index)
            for key in "abc":
                assert await cache.get(key) in (answer(key), None)
    if not under_way:
        spoil(index)
    async with open_disk(tmp_path, Clock()) as cache:
        for key in "abc":
            assert await cache.get(key) in (answer(key), None)
            await cache.set(key, answer("z"))
            assert await cache.get(key) == answer("z")
        assert len(answer_files(tmp_path)) == 3


@contextmanager
def locked(index: Path) -> Iterator[None]:
    with closing(sqlite3.connect(index, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        yield


async def test_an_index_that_stays_locked_is_made_anew(tmp_path: Path) -> None:
    async with open_disk(tmp_path, Clock()) as cache:
        await cache.set("k", answer())
        assert await cache.get("k")
        with locked(tmp_path / "cache" / "pico-index.sqlite"):
            for _ in range(4):
                assert await cache.get("k") is None
            for _ in range(100):  # on a slow machine it may take more
                await cache.set("k", answer("b"))
                if await cache.get("k"):
                    break
            assert await cache.get("k") == answer("b")


async def test_to_forget_works_where_the_index_is_locked(tmp_path: Path) -> None:
    async with open_disk(tmp_path, Clock()) as cache:
        await cache.set("k", answer())
        assert await cache.get("k")
        with locked(tmp_path / "cache" / "pico-index.sqlite"):
            await cache.clear()
    async with open_disk(tmp_path, Clock()) as cache:
        assert await cache.get("k") is None
