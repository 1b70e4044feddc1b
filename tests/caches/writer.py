"""A process that writes into a cache until somebody kills it: FOLDER MOST_BYTES FIRST COUNT."""

from __future__ import annotations

import asyncio
import hashlib
import sys

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.caches.disk import open_disk_cache

KEYS = 200
DAY = 86400.0


def key_of(number: int) -> str:
    return hashlib.sha256(str(number % KEYS).encode()).hexdigest()


def answer_of(number: int) -> Answer:
    """What is set in this place of the row: of another size each time, and it names itself."""
    words = f"{number % KEYS} {number} ".encode()
    return Answer(200, (("X-Number", str(number)),), words * (50 + number * 7919 % 3000))


def is_right(key: str, answer: Answer) -> bool:
    """Whether this is an answer that was once set under this key, whole."""
    number = int(answer.headers[0][1])
    return key_of(number) == key and answer == answer_of(number)


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def write(folder: str, most_bytes: int, first: int, count: int) -> None:
    async with open_disk_cache(folder, most_bytes, DAY) as cache:
        say("open")
        for number in range(first, first + count):
            await cache.set(key_of(number), answer_of(number))
            # Which waits until it is written; that it is the last one is checked on the way.
            found = await cache.get(key_of(number))
            say(str(number) if found == answer_of(number) else "wrong")


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], *map(int, sys.argv[2:])))
