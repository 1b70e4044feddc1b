"""A studio that draws what a fleet is asked for, each picture of its own colour, and what its clients were told."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import fleets  # noqa: F401 - first: it says where the fakes are

from fakes.a1111 import Reply, Seen, answer, open_scripted_a1111
from fakes.marked import IDLE, QUERY, body_of, frame_of
from fakes.pictures import png
from service import Said, Service

AT_A_TIME = 15  # clients of each proxy
DRAWING = (0.5, 1.0)  # seconds


@dataclass(frozen=True)
class Post:
    """A job that came to the upstream of a worker."""

    mark: int
    worker: int
    at: float


@dataclass
class Studio:
    """What all upstreams draw with: it remembers who drew what, and ends whoever draws what is in `poison`."""

    span: tuple[float, float] = DRAWING
    posts: list[Post] = field(default_factory=list)
    poison: set[int] = field(default_factory=set)
    end: Callable[[int], Coroutine[Any, Any, None]] | None = None
    _ending: set[asyncio.Task[None]] = field(default_factory=set)

    def times(self, mark: int) -> list[float]:
        return [post.at for post in self.posts if post.mark == mark]

    @asynccontextmanager
    async def open_upstream(self, worker: int) -> AsyncIterator[str]:
        """The address of the upstream of this worker."""
        async with open_scripted_a1111() as upstream:
            upstream.standing = self._upstream(worker)
            yield upstream.url

    def _upstream(self, worker: int) -> Callable[[Seen], Reply]:
        def reply(seen: Seen) -> Reply:
            if seen.method != "POST" or "2img" not in seen.target:
                return IDLE
            mark = int(re.findall(r"\d+", json.loads(seen.body)["prompt"])[0])
            self.posts.append(Post(mark, worker, time.monotonic()))
            if mark in self.poison and self.end:
                self._ending.add(asyncio.create_task(self.end(worker)))
            gate = asyncio.Event()
            asyncio.get_running_loop().call_later(random.uniform(*self.span), gate.set)
            return replace(answer(png(tuple(mark.to_bytes(3, "big")))), gate=gate)

        return reply


@dataclass
class Asked:
    """What clients were told of each job, and when."""

    said: dict[int, Said] = field(default_factory=dict)
    at: dict[int, float] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    async def ask(self, service: Service, mark: int) -> Said | None:
        try:
            got = await service.frame(body_of(mark), QUERY)
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            self.lost.append(f"{mark}: {type(error).__name__}")
            return None
        self.said[mark], self.at[mark] = got, time.monotonic()
        return got

    async def ask_all(self, services: Iterable[Service], marks: Iterable[int]) -> None:
        """All of them, AT_A_TIME at each service."""
        left = iter(marks)

        async def ask_on(service: Service) -> None:
            for mark in left:
                await self.ask(service, mark)

        await asyncio.gather(*(ask_on(service) for service in services for _ in range(AT_A_TIME)))

    def own(self) -> int:
        """How many were answered with their own picture."""
        return sum(got.status == 200 and got.body == frame_of(mark) for mark, got in self.said.items())

    def statuses(self) -> str:
        count = Counter(str(got.status) for got in self.said.values())
        return ", ".join(f"{number} x {status}" for status, number in sorted(count.items()))
