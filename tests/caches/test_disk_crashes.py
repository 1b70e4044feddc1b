"""DiskCache and kill -9: what is there afterwards is right, within the bound, and nothing is left over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from caches import writer
from caches.family import DAY, MB, answer_files, bytes_in
from pico_a1111_proxy.caches.disk import open_disk_cache

PATIENCE = 120  # seconds; reached only by a writer that hangs
WRITES = 1000


def write_and_kill(folder: Path, first: int, kill_after: int) -> list[str]:
    """Have a process write, kill it when it has said that so many are written, and return all that it said."""
    command = [sys.executable, "-W", "error", writer.__file__, str(folder), str(2 * MB), str(first), str(WRITES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(kill_after + 1)]
            process.kill()
            rest = process.stdout.readlines()
            process.wait(PATIENCE)
        finally:
            process.kill()
    return [line.strip() for line in said + rest]


async def test_two_writers_are_killed_one_after_the_other(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    for turn, kill_after in enumerate((60, 90)):
        said = write_and_kill(folder, turn * WRITES, kill_after)
        assert said[: kill_after + 1] == ["open", *map(str, range(turn * WRITES, turn * WRITES + kill_after))]
        assert len(said) < WRITES
        async with open_disk_cache(str(folder), 2 * MB, DAY) as cache:
            found = {number: await cache.get(writer.key_of(number)) for number in range(writer.KEYS)}
            assert all(writer.is_right(writer.key_of(number), one) for number, one in found.items() if one)
            # The last but one was written for certain; the one after it may have been removed by the next.
            assert writer.key_of(int(said[-2])) in {writer.key_of(number) for number, one in found.items() if one}
            assert bytes_in(folder) <= 2 * MB
            assert len(answer_files(tmp_path)) == cache.figures().entries > 0
            assert not list(folder.glob("*.part"))
            assert cache.figures().trouble == 0
