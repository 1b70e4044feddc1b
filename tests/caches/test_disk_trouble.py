"""DiskCache in trouble: strangers, damage, locks and full disks are misses that are counted, and it goes on."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from caches.family import DAY, MB, Clock, answer, answer_files, open_disk
from pico_a1111_proxy.caches.disk import open_disk_cache

ROOT = os.geteuid() == 0


def refuse_link(folder: Path) -> None:
    (folder / "elsewhere").mkdir(mode=0o700)
    (folder / "cache").symlink_to(folder / "elsewhere")


def refuse_group(folder: Path) -> None:
    (folder / "cache").mkdir()
    (folder / "cache").chmod(0o770)


def refuse_world(folder: Path) -> None:
    (folder / "cache").mkdir()
    (folder / "cache").chmod(0o1777)


def refuse_stranger(folder: Path) -> None:
    if not ROOT:
        pytest.skip("only root can give a folder away")
    (folder / "cache").mkdir(mode=0o700)
    os.chown(folder / "cache", 65534, 65534)


def refuse_file(folder: Path) -> None:
    (folder / "cache").write_text("a person's")


def refuse_missing_disk(folder: Path) -> None:
    (folder / "cache").symlink_to(folder / "nowhere")


def refuse_index(folder: Path) -> None:
    (folder / "cache" / "pico-index.sqlite").mkdir(parents=True, mode=0o700)


REFUSED = [
    refuse_link,
    refuse_group,
    refuse_world,
    refuse_stranger,
    refuse_file,
    refuse_missing_disk,
    refuse_index,
]


def everything_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("prepare", REFUSED)
@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_folder_that_may_be_a_strangers_is_not_used(
    tmp_path: Path, prepare: Callable[[Path], None], slash: str
) -> None:
    prepare(tmp_path)
    before = everything_in(tmp_path)
    with capture_logs() as told:
        async with open_disk_cache(f"{tmp_path}/cache{slash}", MB, DAY) as cache:
            for _ in range(3):
                await cache.set("k", answer())
                assert await cache.get("k") is None
            await cache.clear()
    assert cache.figures().misses == 3
    assert cache.figures().trouble >= 6
    assert [line["event"] for line in told if line["log_level"] == "warning"] == ["cache trouble"]
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("path", ["/proc/cache", "/dev/null/cache", "bad\0name", "/sys/cache"])
async def test_where_nothing_can_be_written_it_goes_on_without(path: str) -> None:
    async with open_disk_cache(path, MB, DAY) as cache:
        await cache.set("k", answer())
        assert await cache.get("k") is None
    assert cache.figures().trouble >= 2


async def test_as_soon_as_the_folder_is_good_it_is_used(tmp_path: Path) -> None:
    refuse_group(tmp_path)
    async with open_disk(tmp_path, Clock()) as cache:
        await cache.set("k", answer())
        assert await cache.get("k") is None
        (tmp_path / "cache").chmod(0o700)
        await cache.set("k", answer())
        assert await cache.get("k") == answer()


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def flip_the_last(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"?")


def make_older(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[9] += 1
    file.write_bytes(data)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def blank(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def lengthen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"?")


def link(file: Path) -> None:
    file.rename(file.parent / "moved")
    file.symlink_to(file.parent / "moved")


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


DAMAGES = [flip, flip_the_last, make_older, cut, blank, lengthen, link, pipe, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_answer_is_a_miss_and_gone(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    async with open_disk(tmp_path, Clock()) as cache:
        await cache.set("k", answer())
        assert await cache.get("k")
        (file,) = answer_files(tmp_path)
        damage(file)
        assert await cache.get("k") is None
        assert (cache.figures().trouble, cache.figures().entries) == (1, 0)
        assert file not in answer_files(tmp_path)
        assert await cache.get("k") is None
        assert cache.figures().trouble == 1


async def test_a_file_in_anothers_place_is_no_answer(tmp_path: Path) -> None:
    async with open_disk(tmp_path, Clock()) as cache:
        await cache.set("a", answer("a"))
        await cache.set("b", answer("b"))
        assert await cache.get("a")
        one, other = answer_files(tmp_path)
        shutil.copy(one, other)
        found = {key: await cache.get(key) for key in "ab"}
        assert sorted(map(str, found.values())) == sorted(
            map(str, [None, next(a for k in "ab" if (a := answer(k)) == found[k])])
        )
        assert cache.figures().trouble == 1


async def test_a_row_of_the_index_that_lies_is_no_answer(tmp_path: Path) -> None:
    async with open_disk(tmp_path, Clock()) as cache:
        await cache.set("a", answer("a"))
        await cache.set("b", answer("b"))
        assert await cache.get("a")
        with closing(sqlite3.connect(tmp_path / "cache" / "pico-index.sqlite")) as index:
            index.execute("UPDATE entries SET key = 'x' WHERE key = 'a'")
            index.commit()
        assert await cache.get("x") is None
        assert cache.figures().trouble == 1


async def test_a_row_that_makes_its_answer_younger_is_no_answer(tmp_path: Path) -> None:
    clock = Clock()
    async with open_disk(tmp_path, clock) as cache:
        await cache.set("a", answer("a"))
        assert await cache.get("a")
        clock.now += DAY
        with closing(sqlite3.connect(tmp_path / "cache" / "pico-index.sqlite")) as index:
            index.execute("UPDATE entries SET stored = ?", (clock.now,))
            index.commit()
        assert await cache.get("a") is None
        assert cache.figures().trouble == 1


async def test_a_row_that_names_a_file_elsewhere_neither_reads_nor_removes_it(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("a person's")
    async with open_disk(tmp_path, Clock()) as cache:
        await cache.set("a", answer("a"))
        assert await cache.get("a")
        with closing(sqlite3.connect(tmp_path / "cache" / "pico-index.sqlite")) as index:
            index.execute("UPDATE entries SET name = '../theirs', size = 10")
            index.commit()
        assert await cache.get("a") is None
    assert theirs.read_text() == "a person's"


async def test_a_file_that_can_not_be_written_is_a_miss_and_later_it_can(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with open_disk(tmp_path, Clock()) as cache:
        await cache.set("k", answer("a"))
        await cache.set("small", answer())
        assert await cache.get("k")
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            await cache.set("k", answer("b", 400_000))
            assert await cache.get("k") is None
            assert await cache.get("small") == answer()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert cache.figures().trouble == 1
        assert len(answer_files(tmp_path)) == 1
        await cache.set("k", answer("b", 400_000))
        assert await cache.get("k") == answer("b", 400_000)


async def test_the_folder_may_vanish_under_way(tmp_path: Path) -> None:
    async with open_disk(tmp_path, Clock()) as cache:
        await cache.set("k", answer())
        assert await cache.get("k")
        shutil.rmtree(tmp_path / "cache")
        assert await cache.get("k") is None
        await cache.set("k", answer("b"))
        assert await cache.get("k") == answer("b")
