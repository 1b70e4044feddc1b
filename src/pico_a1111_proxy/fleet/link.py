"""Link: the way to Redis, on which nobody waits for long; every failure of it is translated here."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from pico_a1111_proxy.errors import FleetUnavailable

T = TypeVar("T")

PREFIX = "pico_a1111:"  # of all keys and channels, so that others may use the same Redis
PATIENCE = 0.7  # seconds for one question; who asks is to be answered within a second
LEFT_ALONE_SECONDS = 0.5  # after a failure, so that not everybody waits in vain
LEFT_TO_THE_HUB_SECONDS = 3.0  # the same where a hub notices when it is back
SLICES = 7  # of that time: one that takes too long is the event loop's fault
SOCKET_SECONDS = 10.0  # for what is left behind by who has lost patience
MOST_CONNECTIONS = 64
CACHE_DATABASE = 1  # the cache's is so many after that of the setting

UNREACHABLE = "The fleet's Redis can't be reached"


def key(*words: str) -> str:
    """The name of a key or of a channel: `key("job", id)` is "pico_a1111:job:…"."""
    return PREFIX + ":".join(words)


class Health:
    """When a Redis has failed to answer last, by `clock`; all links to it have this together.

    For `left_alone` seconds after that it is asked nothing. `is_up` is whether the last question was answered.
    """

    def __init__(self, clock: Callable[[], float], left_alone: float = LEFT_ALONE_SECONDS) -> None:
        self._clock = clock
        self._left_alone = left_alone
        self.is_up = True
        self._failed = -math.inf

    @property
    def is_left_alone(self) -> bool:
        """Whether it has failed just now."""
        return self._clock() < self._failed + self._left_alone

    def fail(self) -> None:
        """It has not answered."""
        self.is_up, self._failed = False, self._clock()

    def revive(self) -> None:
        """Somebody has reached it: the next question is asked again."""
        self.is_up, self._failed = True, -math.inf


class Link:
    """A pool of connections to one database. Made by `open_link`."""

    def __init__(self, redis: Redis, health: Health) -> None:
        self.redis = redis
        self._health = health

    @property
    def is_up(self) -> bool:
        """Whether the last question was answered."""
        return self._health.is_up

    async def ask(self, question: Callable[[Redis], Awaitable[T]], patience: float = PATIENCE) -> T:
        """What `question` makes of the client, as in `link.ask(lambda redis: redis.get(name))`.

        Raises FleetUnavailable after `patience` seconds at the latest, and at once where another has just failed.
        """
        if self._health.is_left_alone:
            raise FleetUnavailable(UNREACHABLE)
        try:
            answer = await within(patience, question(self.redis))
        except (RedisError, OSError, asyncio.TimeoutError) as error:
            if not isinstance(error, ResponseError):  # which is an answer
                self._health.fail()
            raise FleetUnavailable(UNREACHABLE, _explain(error)) from error
        self._health.is_up = True
        return answer

    def revive(self) -> None:
        """Somebody has just reached it: the next question is asked again."""
        self._health.revive()


async def within(seconds: float, awaitable: Awaitable[T]) -> T:
    """Like asyncio.wait_for, which before Python 3.12 loses a cancellation that comes together with the answer.

    For how long the event loop itself stands still does not count: the answer may have come meanwhile.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        for _ in range(SLICES):
            await asyncio.wait([task], timeout=seconds / SLICES)
            if task.done():
                break
        else:
            raise asyncio.TimeoutError
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody else asks for it, and asyncio would call it a surprise


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel it, and return when it is over: before Python 3.12 a cancellation may be lost in a time-out."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.1)


@asynccontextmanager
async def open_link(
    url: str, clock: Callable[[], float], shift: int = 0, health: Health | None = None
) -> AsyncIterator[Link]:
    """A link to the Redis at `url`, to the database `shift` after the one it names; connects when it is asked.

    `health` is for links to the same Redis; without one it has its own.
    """
    # Once, as an idle connection may have been closed; one that is silent would be so again.
    retry = Retry(NoBackoff(), 1, (RedisConnectionError,))
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MOST_CONNECTIONS,
        timeout=SOCKET_SECONDS,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        socket_keepalive=True,
        retry=retry,
    )
    pool.connection_kwargs["db"] = pool.connection_kwargs.get("db", 0) + shift
    try:
        yield Link(Redis(connection_pool=pool), health or Health(clock))
    finally:
        await pool.disconnect()


def _explain(error: BaseException) -> str:
    """In plain words, without the address."""
    if isinstance(error, asyncio.TimeoutError) or "Timeout" in type(error).__name__:
        return f"{UNREACHABLE}: it does not answer in time"
    kind = type(error).__name__
    if kind in ("AuthenticationError", "NoPermissionError", "AuthorizationError"):
        return f"{UNREACHABLE}: it refuses the password of REDIS_URL"
    if kind in ("OutOfMemoryError", "ReadOnlyError", "BusyLoadingError"):
        return {
            "OutOfMemoryError": "The fleet's Redis is full: it needs a larger maxmemory",
            "ReadOnlyError": "The fleet's Redis is a replica: REDIS_URL must name the one that can be written",
            "BusyLoadingError": "The fleet's Redis is starting",
        }[kind]
    return UNREACHABLE
