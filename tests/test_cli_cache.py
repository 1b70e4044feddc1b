"""cache info and cache clear: what they say, and that a service which runs meanwhile forgets as well."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from caches.family import answer
from fakes.commands import enter
from pico_a1111_proxy.caches.disk import open_disk_cache
from pico_a1111_proxy.cli.cache import cache


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CACHE_DIR, which is not there yet."""
    enter(tmp_path, monkeypatch)
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("CACHE_MAX_MB", "20")
    return tmp_path / "cache"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cache, arguments, catch_exceptions=False)


def fill(folder: Path, count: int, age: float = 0) -> None:
    async def write() -> None:
        async with open_disk_cache(str(folder), 20_000_000, 86400, lambda: time.time() - age) as opened:
            for number in range(count):
                await opened.set(f"{number}", answer("x", 500_000))
                await opened.get(f"{number}")

    asyncio.run(write())


def test_before_there_is_a_cache(folder: Path) -> None:
    assert run("info").stdout == f"Folder   {folder}\nThere is no cache yet. The service makes it when it starts.\n"
    assert run("clear").stdout == f"There was nothing to remove in {folder}.\n"
    assert not folder.exists()


def test_a_persons_folder_is_no_cache_and_stays_as_it_is(folder: Path) -> None:
    folder.mkdir()
    (folder / "holiday.png").write_bytes(b"a person's")
    assert "There is no cache yet." in run("info").stdout
    assert run("clear").exit_code == 0
    assert [file.name for file in folder.iterdir()] == ["holiday.png"]


def test_what_is_in_it(folder: Path) -> None:
    fill(folder, 7, age=2 * 3600 + 600)
    said = run("info").stdout.splitlines()
    assert said == [
        f"Folder   {folder}",
        "Entries  7",
        "Size     3.5 MB of 20 MB",
        "Oldest   2 hours ago, kept for 1 day",
    ]


def test_when_caching_is_off_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folder, 1)
    monkeypatch.setenv("ENABLE_CACHING", "false")
    said = run("info").stdout.splitlines()
    assert said[0] == "Caching is off: ENABLE_CACHING is false, and the service remembers nothing."
    assert "Entries  1" in said


def test_to_clear_leaves_nothing_but_a_persons_files(folder: Path) -> None:
    fill(folder, 7)
    (folder / "holiday.png").write_bytes(b"a person's")
    assert run("clear").stdout == f"Removed 7 entries, 3.5 MB, from {folder}.\n"
    assert {file.name for file in folder.iterdir()} - {"pico-index.sqlite", "pico-index.sqlite-journal"} == {
        "holiday.png"
    }
    assert "Entries  0" in run("info").stdout
    fill(folder, 1)
    assert run("clear").stdout == f"Removed 1 entry, 0.5 MB, from {folder}.\n"


def test_a_service_that_runs_forgets_as_well_and_goes_on(folder: Path) -> None:
    async def serve() -> None:
        async with open_disk_cache(str(folder), 20_000_000, 86400) as running:
            await running.set("k", answer())
            assert await running.get("k")
            assert "Entries  1" in (await asyncio.to_thread(run, "info")).stdout
            assert "Removed 1 entry" in (await asyncio.to_thread(run, "clear")).stdout
            assert await running.get("k") is None
            assert await running.was_forgotten()
            await running.set("k", answer("b"))
            assert await running.get("k") == answer("b")
            assert running.figures().trouble == 0

    asyncio.run(serve())


def spoil(folder: Path) -> None:
    fill(folder, 1)
    (folder / "pico-index.sqlite").write_bytes(os.urandom(8192))


def link(folder: Path) -> None:
    folder.symlink_to(folder.parent)


def open_to_all(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (spoil, "file is not a database"),
        (link, "it is a symbolic link"),
        (open_to_all, "others than its owner may write there"),
    ],
)
def test_what_keeps_it_from_looking_is_one_sentence(folder: Path, prepare: Callable[[Path], None], words: str) -> None:
    prepare(folder)
    result = run("info")
    assert result.exit_code == 1
    assert result.output == f"Error: The cache in {folder} can't be used: {words}\n"


def test_to_clear_helps_where_the_index_is_damaged(folder: Path) -> None:
    spoil(folder)
    assert run("clear").stdout == f"Removed 1 entry, 0.5 MB, from {folder}.\n"
    assert "Entries  0" in run("info").stdout
