"""Hub: the one connection on which a process hears what others in the fleet say."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.exceptions import RedisError

from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.link import Link, end, key, within

PULSE_SECONDS = 0.5  # between two looks whether the connection still lives
LATE_SECONDS = 0.7  # after which one that says nothing to that is given up
FIRST_SECONDS = 1.0  # for which a start waits for the connection
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0

log = structlog.get_logger("fleet")


@dataclass
class _Ear:
    hear: Callable[[bytes], None]
    connected: Callable[[], None] | None


@dataclass
class Hub:
    """Hears the channels that were named with `listen` before it runs; `name` is this process's own, as nobody else's.

    `changed` are called whenever the connection comes or goes.
    """

    link: Link
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    changed: list[Callable[[], None]] = field(default_factory=list)
    is_up: bool = False
    _ears: dict[str, _Ear] = field(default_factory=dict)
    _was_lost: bool = False
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    def listen(self, channel: str, hear: Callable[[bytes], None], connected: Callable[[], None] | None = None) -> None:
        """Have `hear` called with each message on `channel`, which is a word of ours, as `key` takes it.

        `connected` is called when messages come from now on: what was said before may have been missed.
        """
        self._ears[key("channel", channel)] = _Ear(hear, connected)

    async def tell(self, channel: str, message: bytes) -> None:
        """Say `message` to all who listen on `channel`. Raises FleetUnavailable."""
        await self.link.ask(lambda redis: redis.publish(key("channel", channel), message))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hear until the block ends, which begins when the connection is there, or is not there in time."""
        task = asyncio.create_task(self._run())
        try:
            with suppress(asyncio.TimeoutError):
                await within(FIRST_SECONDS, self._came.wait())
            yield
        finally:
            await end(task)

    async def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._hear_all()
            except (RedisError, OSError, asyncio.TimeoutError, FleetUnavailable) as error:
                if self.is_up:
                    self._was_lost = True
                    log.warning("redis", up=False, words=type(error).__name__)
                    pause = FIRST_PAUSE_SECONDS
            except Exception:
                log.exception("surprise")
            self._set_up(False)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _hear_all(self) -> None:
        """Connect, and hear until the connection is lost, which is raised."""
        pubsub = self.link.redis.pubsub()
        try:
            await within(LATE_SECONDS, pubsub.subscribe(*self._ears))
            missing = set(self._ears)
            while True:
                said = await self._next(pubsub)
                if said["type"] == "message":
                    self._ears[said["channel"].decode()].hear(said["data"])
                elif said["type"] == "subscribe":
                    self._subscribed(said["channel"].decode(), missing)
        finally:
            with suppress(RedisError, OSError):
                await pubsub.aclose()  # type: ignore[no-untyped-call]  # theirs

    def _subscribed(self, channel: str, missing: set[str]) -> None:
        """It is heard from now on, as all others are that are not `missing`."""
        ears = [self._ears[channel]]  # redis-py connects again by itself, and says no more of it than this
        if missing:
            missing.discard(channel)
            if missing:
                return
            self.link.revive()
            self._set_up(True)
            ears = list(self._ears.values())
        for ear in ears:
            if ear.connected:
                ear.connected()

    async def _next(self, pubsub: Any) -> Any:
        """The next that is said. Raises what tells that the connection is dead."""
        said = await pubsub.get_message(timeout=PULSE_SECONDS)
        if said is None:
            await within(LATE_SECONDS, pubsub.ping())
            said = await within(LATE_SECONDS, pubsub.get_message(timeout=None))
        self.link.revive()  # one late answer is no reason to leave it alone for longer
        return said

    def _set_up(self, up: bool) -> None:
        if up != self.is_up:
            self.is_up = up
            if up:
                self._came.set()
                if self._was_lost:
                    log.info("redis", up=True)
            for call in self.changed:
                call()
