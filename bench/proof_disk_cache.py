"""Does the cache on disk hold what it promises when its process is killed, and when the disk is full?

Killed: a process writes into the cache and is killed (kill -9) after some of its writes, round after round, in the same
folder. After each round the cache is opened again: every hit has to be an answer that was once set under this key,
whole; what had been written before the last must be there; the files may not be more than the bound, before that and
after, and none may be left over. `bare files` are plain files without a temporary name, checksum or index, whose
writer is killed in the same way: how many of them are torn shows that the kills do hit writes.

Full: the cache lies on a disk of 1 MB (root only), and is filled up by somebody else. It has to answer with misses,
raise nothing, and serve again when there is room. A process that may write no large file stands in for it.

The times are of one entry, written and read one after the other, without a rest.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tables import print_table, tell_machine

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.caches.disk import open_disk_cache

MB = 1_000_000
DAY = 86400.0
KEYS = 300
BOUND = 20 * MB
WRITES = 1000
SIZES = {"600 KB": 600_000, "2 MB": 2_000_000}
PATIENCE = 60


def main() -> int:
    options = argparse.ArgumentParser(description="The cache on disk, killed and out of room.")
    options.add_argument("--rounds", type=int, default=20, help="how often the writer is killed")
    options.add_argument("--seed", type=int, default=1, help="of when that is")
    options.add_argument("--write", nargs=3, metavar=("HOW", "FOLDER", "FIRST"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.write:
        how, folder, first = given.write
        asyncio.run(write(folder, int(first)) if how == "cache" else write_bare(Path(folder), int(first)))
        return 0
    tell_machine()
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        missed += asyncio.run(prove_killed(Path(folder), given.rounds, random.Random(given.seed)))
        missed += asyncio.run(prove_full(Path(folder)))
        asyncio.run(measure(Path(folder)))
    print("\n".join(f"MISSED: {one}" for one in missed) or "All bounds hold.")
    return 1 if missed else 0


def key_of(number: int) -> str:
    return hashlib.sha256(str(number % KEYS).encode()).hexdigest()


def answer_of(number: int) -> Answer:
    words = f"{number % KEYS} {number} ".encode()
    return Answer(200, (("X-Number", str(number)),), words * (500 + number * 7919 % 30_000))


def is_right(key: str, answer: Answer) -> bool:
    number = int(answer.headers[0][1])
    return key_of(number) == key and answer == answer_of(number)


async def write(folder: str, first: int) -> None:
    async with open_disk_cache(folder, BOUND, DAY) as cache:
        for number in range(first, first + WRITES):
            await cache.set(key_of(number), answer_of(number))
            found = await cache.get(key_of(number))  # waits until it is written
            print(number if found == answer_of(number) else "wrong", flush=True)


async def write_bare(folder: Path, first: int) -> None:
    for number in range(first, first + WRITES):
        (folder / key_of(number)).write_bytes(answer_of(number).body)
        print(number, flush=True)


def write_and_kill(how: str, folder: Path, first: int, after: int) -> list[str]:
    """What the writer said until it was killed, after so many writes and a moment."""
    command = [sys.executable, __file__, "--write", how, str(folder), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(after)]
            time.sleep(random.random() * 0.003)  # somewhere in the middle of one
            process.kill()
            said += process.stdout.readlines()
            process.wait(PATIENCE)
        finally:
            process.kill()
    return [line.strip() for line in said]


def bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


async def prove_killed(folder: Path, rounds: int, chance: random.Random) -> list[str]:
    cache_folder, bare = folder / "cache", folder / "bare"
    bare.mkdir()
    written = wrong = lost = left = trouble = most = torn = 0
    for turn in range(rounds):
        after = chance.randrange(1, WRITES)
        said = write_and_kill("cache", cache_folder, turn * WRITES, after)
        written += len(said)
        wrong += said.count("wrong")
        most = max(most, bytes_in(cache_folder))
        async with open_disk_cache(str(cache_folder), BOUND, DAY) as cache:
            most = max(most, bytes_in(cache_folder))
            found = {key_of(number): await cache.get(key_of(number)) for number in range(KEYS)}
            hits = {key for key, one in found.items() if one}
            wrong += sum(not is_right(key, one) for key, one in found.items() if one)
            # The last may have gone for the one that was being written; nothing is in the way of the one before.
            lost += len(said) > 1 and key_of(int(said[-2])) not in hits
            left += len(list(cache_folder.glob("pico-*.*"))) - len(list(cache_folder.glob("pico-index*"))) - len(hits)
            trouble += cache.figures().trouble
        write_and_kill("bare", bare, turn * WRITES, after)
        torn += sum(not is_whole(file) for file in bare.iterdir())
        for file in bare.iterdir():
            file.unlink()
    rows = [
        ["rounds, writes", f"{rounds}, {written}", ""],
        ["wrong hits", str(wrong), "0"],
        ["written before the last, and lost", str(lost), "0"],
        ["files left over after a start", str(left), "0"],
        ["trouble counted", str(trouble), "0"],
        ["most bytes on disk, MB", f"{most / MB:.2f}", f"{BOUND / MB:.0f}"],
        ["bare files: torn", str(torn), "for comparison"],
    ]
    print_table("Killed while it writes", ["", "figure", "bound"], rows)
    figures = {"wrong hits": wrong, "lost answers": lost, "files left over": left, "trouble": trouble}
    return [f"{name}: {figure}" for name, figure in figures.items() if figure] + ["the bound"] * (most > BOUND)


def is_whole(file: Path) -> bool:
    words = file.read_bytes().split()
    return len(words) > 1 and file.read_bytes() == answer_of(int(words[1])).body


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of 1 MB; raises CalledProcessError or OSError where nobody may mount one."""
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)], check=True, timeout=PATIENCE
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=PATIENCE)


async def prove_full(folder: Path) -> list[str]:
    results = {}
    try:
        with small_disk(folder / "small"):
            results |= await fill_disk(folder / "small")
    except (OSError, subprocess.SubprocessError) as error:
        print(f"The full disk is skipped: {error}")
    results |= await limit_files(folder / "limited")
    rows = [[what, "yes" if good else "NO"] for what, good in results.items()]
    print_table("No room", ["what has to be", ""], rows)
    return [what for what, good in results.items() if not good]


async def fill_disk(folder: Path) -> dict[str, bool]:
    results = {}
    async with open_disk_cache(str(folder / "cache"), BOUND, DAY) as cache:

        async def works(number: int) -> bool:
            await cache.set(key_of(number), answer_of(number))
            return await cache.get(key_of(number)) == answer_of(number)

        small = [number for number in range(KEYS) if len(answer_of(number).body) < 200_000]
        results["a disk smaller than the bound: each of 50 is there after its set"] = all(
            [await works(number) for number in small[:50]]
        )
        await cache.clear()
        await cache.set("kept", Answer(200, (), b"kept"))
        await cache.get("kept")
        with (folder / "somebody else's").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1000)):
                    pass
            except OSError:
                pass
        found = [await works(number) for number in small[50:70]]
        trouble = cache.figures().trouble
        results["full: every set is a miss, counted"] = not any(found) and trouble >= len(found)
        results["full: what was there before is still there"] = await cache.get("kept") == Answer(200, (), b"kept")
        await cache.clear()
        results["full: all can be forgotten"] = await cache.get("kept") is None
        (folder / "somebody else's").unlink()
        results["room again: it serves again"] = all([await works(number) for number in small[70:80]])
    return results


async def limit_files(folder: Path) -> dict[str, bool]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    answer = Answer(200, (), bytes(MB))
    async with open_disk_cache(str(folder), BOUND, DAY) as cache:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MB // 2, hard))
        try:
            await cache.set("k", answer)
            missed = await cache.get("k") is None and cache.figures().trouble == 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await cache.set("k", answer)
        served = await cache.get("k") == answer
    return {"a file too large for the process: a miss, counted": missed, "allowed again: it serves again": served}


async def measure(folder: Path) -> None:
    rows = []
    async with open_disk_cache(str(folder / "speed"), 500 * MB, DAY) as cache:
        await cache.get("none")
        for name, size in SIZES.items():
            sets, gets, misses = [], [], []
            for number in range(60):
                answer = Answer(200, (("Content-Type", "application/json"),), os.urandom(size))
                start = time.perf_counter()
                await cache.set(f"{size} {number}", answer)
                await cache.get("none")  # until it is written
                written = time.perf_counter()
                await cache.get("none")
                looked = time.perf_counter()
                found = await cache.get(f"{size} {number}")
                gets.append(time.perf_counter() - looked)
                misses.append(looked - written)
                sets.append(written - start - misses[-1])
                assert found == answer
            rows += [[f"{what}, {name}", *times(taken)] for what, taken in (("set", sets), ("get", gets))]
        rows.append(["a miss", *times(misses)])
    print_table("One entry, ms", ["", "median", "p95", "most"], rows)


def times(taken: list[float]) -> list[str]:
    last = statistics.quantiles(taken, n=20)[-1]
    return [f"{1000 * value:.2f}" for value in (statistics.median(taken), last, max(taken))]


if __name__ == "__main__":
    sys.exit(main())
