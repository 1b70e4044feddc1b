"""Newest pictures that all proxies share: what is published at one becomes the newest at the others too."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog

from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.hub import Hub
from pico_a1111_proxy.fleet.link import PATIENCE, Health, Link, end, key, within
from pico_a1111_proxy.newest import Newest, Published

CHANNEL = "newest"
KEPT_SECONDS = 7 * 24 * 3600.0
MOST_BYTES = 20_000_000  # of a picture that is shared
FIRST_PAUSE_SECONDS = 0.5  # before what went wrong is tried again
LONGEST_PAUSE_SECONDS = 5.0

log = structlog.get_logger("fleet")

# KEYS picture; ARGV version, moment, kept ms, channel, name, bytes, count, seed.
# Refused where a later one is there. One that is to come yet was stored before Redis' clock was put back.
_STORE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local there = redis.call('HMGET', KEYS[1], 'version', 'moment')
if there[1] == ARGV[1] then return there[1] end
if there[1] and tonumber(there[2]) <= now and tonumber(there[2]) > tonumber(ARGV[2]) then return there[1] end
local ends = ARGV[2] + ARGV[3]
if ends <= now then return '' end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'moment', ARGV[2],
    'picture', ARGV[6], 'count', ARGV[7], 'seed', ARGV[8])
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ends))
redis.call('PUBLISH', ARGV[4], ARGV[1] .. ' ' .. ARGV[5])
return ARGV[1]
"""

# KEYS picture; ARGV the version that is known. What it is costs nothing where it is that one.
_FETCH = """
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return {} end
if version == ARGV[1] then return {version} end
return redis.call('HMGET', KEYS[1], 'version', 'moment', 'picture', 'count', 'seed')
"""


@dataclass(frozen=True)
class _Shared:
    """What is in Redis: a word that no other picture has, and when it was published, in Redis' own milliseconds."""

    version: str
    moment: int


@dataclass(frozen=True)
class _Offer:
    """What is to be in Redis: published `at`, by our own clock, or at the `moment` at which it once was."""

    version: str
    published: Published
    at: float
    moment: int | None = None


class SharedNewest:
    """Has `newest` agree with those of the other proxies. Publishing goes on at once, whatever Redis does.

    Of each display Redis has the picture that was published last by its own clock: what was published while it was
    away as well as all others. What a proxy publishes waits here until Redis has it, the last one of each display,
    which `newest` holds anyway; until then nothing of the others is taken over for that display.
    """

    def __init__(self, hub: Hub, link: Link, newest: Newest, clock: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        # Of its own: a picture takes long on a slow network, which is no failure of what others ask.
        self._link = Link(link.redis, Health(clock))
        self._newest = newest
        self._clock = clock
        self._offers: dict[str, _Offer] = {}
        self._unread: dict[str, None] = {}  # displays that may have another picture in Redis
        self._known: dict[str, _Shared] = {}
        self._foreign: Published | None = None
        self._work = asyncio.Event()
        self._agreed = asyncio.Event()  # once
        newest.heard = self._published
        hub.listen(CHANNEL, self._told, self._connected)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Share until the block ends. It begins with what the others have, if Redis tells that at once."""
        task = asyncio.create_task(self._run())
        try:
            with suppress(asyncio.TimeoutError):
                await within(PATIENCE, self._agreed.wait())
            yield
        finally:
            await end(task)
            if self._hub.is_up:
                with suppress(asyncio.TimeoutError):
                    await within(PATIENCE, self._offer_all())

    def _published(self, name: str, published: Published) -> None:
        """Called with all that becomes the newest here, what comes from the others too."""
        if published is self._foreign:
            return
        self._offers.pop(name, None)
        if len(published.picture) > MOST_BYTES:
            log.warning("not_shared", display=name, bytes=len(published.picture), most=MOST_BYTES)
            return
        self._offers[name] = _Offer(secrets.token_hex(8), published, self._clock())
        self._work.set()

    def _told(self, message: bytes) -> None:
        version, _, name = message.decode(errors="replace").partition(" ")
        known, offer = self._known.get(name), self._offers.get(name)
        if name in self._newest.names and version not in (known and known.version, offer and offer.version):
            self._unread[name] = None
            self._work.set()

    def _connected(self) -> None:
        self._unread.update(dict.fromkeys(self._newest.names))
        self._work.set()

    async def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            went_well = False
            try:
                went_well = await self._settle()
            except Exception:
                log.exception("surprise")
            if went_well:
                pause = FIRST_PAUSE_SECONDS
                await self._work.wait()
            else:
                with suppress(asyncio.TimeoutError):
                    await within(pause, self._work.wait())
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _settle(self) -> bool:
        """Have Redis and the newest agree: whether nothing is to be tried again."""
        self._work.clear()
        if not self._hub.is_up:
            return True  # with the connection there is work again
        went_well = await self._offer_all()
        for name in list(self._unread):
            went_well &= await self._tried(self._read(name))
        if went_well:
            self._agreed.set()
        return went_well

    async def _offer_all(self) -> bool:
        went_well = True
        for name in list(self._offers):
            if offer := self._offers.get(name):
                went_well &= await self._tried(self._offer(name, offer))
        return went_well

    async def _tried(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether Redis was there for it; if not, the next is tried all the same: it may be smaller."""
        self._link.revive()
        try:
            await work
        except FleetUnavailable:
            return False
        return True

    async def _offer(self, name: str, offer: _Offer) -> None:
        """Store it, unless there is a later one. Raises FleetUnavailable."""
        moment = await self._moment(name, offer)
        published = offer.published
        picture, *numbers = published.picture, _written(published.count), _written(published.seed)
        told = [key("channel", CHANNEL), name]
        said: list[Any] = [offer.version, moment, int(KEPT_SECONDS * 1000), *told, picture, *numbers]
        there = await self._link.ask(lambda redis: redis.eval(_STORE, 1, key("newest", name), *said))
        if there.decode() == offer.version:
            self._known[name] = _Shared(offer.version, moment)
        elif there:
            self._unread[name] = None
        else:
            self._known.pop(name, None)  # too old to be shared again
        if self._offers.get(name) is offer:
            del self._offers[name]

    async def _moment(self, name: str, offer: _Offer) -> int:
        """When it was published, in Redis' milliseconds.

        It is said and not reckoned there: a Redis that was stopped for a while does later what it was told before.
        """
        if offer.moment is not None:
            return offer.moment
        seconds, microseconds = await self._link.ask(lambda redis: redis.time())
        moment = int(seconds * 1000 + microseconds // 1000 - (self._clock() - offer.at) * 1000)
        # Later than what was here before it, however long the answer took.
        return max(moment, self._known[name].moment + 1) if name in self._known else moment

    async def _read(self, name: str) -> None:
        """Take over what Redis has, if it is another than ours. Raises FleetUnavailable."""
        known = self._known.get(name)
        version = known.version if known else ""
        del self._unread[name]  # before it is asked: what is told meanwhile is to be read again
        try:
            said: Any = await self._link.ask(lambda redis: redis.eval(_FETCH, 1, key("newest", name), version))
        except FleetUnavailable:
            self._unread[name] = None
            raise
        if name in self._offers:
            return  # which is later, or is told so
        if len(said) > 1:
            self._take_over(name, said)
        elif not said and known and (ours := self._newest.get(name)):
            # Redis has lost what it had.
            self._offers[name] = _Offer(known.version, ours, 0.0, known.moment)
            self._work.set()

    def _take_over(self, name: str, said: list[bytes]) -> None:
        version, moment, picture, count, seed = said
        self._known[name] = _Shared(version.decode(), int(moment))
        self._foreign = Published(picture, _read_number(count), _read_number(seed))
        self._newest.publish(name, self._foreign)
        self._foreign = None


def _written(number: int | None) -> str:
    return "" if number is None else str(number)


def _read_number(written: bytes) -> int | None:
    return int(written) if written else None
