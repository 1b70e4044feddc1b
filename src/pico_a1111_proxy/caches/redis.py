"""RedisCache: answers in Redis, which any number of proxies share; all that goes wrong there is a miss."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import structlog
from redis.commands.core import AsyncScript

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.archive import CacheFigures
from pico_a1111_proxy.caches import scripts
from pico_a1111_proxy.caches.ages import Found, is_good, is_too_old
from pico_a1111_proxy.caches.entries import pack_entry, unpack_entry
from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.link import PATIENCE, Link, key

KEYS = (key("cache", "state"), key("cache", "entries"), key("cache", "used"))
SPARE_BYTES = 2000  # of the bound, for what is there without any entry
SKEW_SECONDS = 0.9  # that another host's clock may be ahead
MOST_OWED = 1000  # keys; the oldest are let go then, and what is left of them is another drawing of the same job
MOST_ROUNDS = 500  # of making room for one answer
MOST_TOLD = 10  # kinds of trouble
_NAME = "redis"  # which entries bear in place of a file's name
_SETTLED = (b"kept", b"large", b"full", b"other")  # after which Redis has nothing older under that name
_START_BYTES = 38  # of an entry, with its checksum in it

T = TypeVar("T")

log = structlog.get_logger("cache")


class _Reply(NamedTuple):
    era: int
    since: int
    entries: int
    size: int
    now: int
    own: bytes | None


class RedisCache:
    """Keeps at most `most_bytes` of Redis's memory for all proxies together, each answer for `ttl_seconds`.

    `clock` gives seconds since the epoch, by which the answer's age is judged, also of those from other hosts. What
    could not be done because Redis was out of reach, to forget everything as well, is done with the next call that
    reaches it, before anything else.
    """

    def __init__(self, link: Link, most_bytes: int, ttl_seconds: float, clock: Callable[[], float]) -> None:
        self._link = link
        self._most_bytes = most_bytes - SPARE_BYTES
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._look, self._find, self._drop, self._put = (
            AsyncScript(link.redis, text) for text in (scripts.LOOK, scripts.FIND, scripts.DROP, scripts.PUT)
        )
        self._era = -1  # not known yet
        self._token = ""  # of a clear that is wanted
        self._clears = 0  # from here
        self._forgotten = False  # by others, and not yet told
        self._owed: dict[str, object] = {}  # keys whose last answer could not be kept, each with a mark of its own
        self._heard, self._held = 0, (0, 0)  # when, by Redis's clock, and how much is there
        self._hits = self._misses = self._trouble = 0
        self._told: set[str] = set()

    async def get(self, key: str) -> Answer | None:
        """What was set last, by whichever proxy, if it is still there and not too old."""
        found = await self.find(key)
        return found.answer if found else None

    async def find(self, key: str) -> Found | None:
        """The same, with its age."""
        clears = self._clears
        found = await self._ask(lambda: self._take(key))
        if clears != self._clears or key in self._owed:
            found = None
        self._hits += found is not None
        self._misses += found is None
        return found

    async def set(self, key: str, answer: Answer) -> None:
        """Remember `answer`, if there is room for it; others may be forgotten for it."""
        await self.keep(key, Found(answer, self._clock()))

    async def keep(self, key: str, found: Found) -> None:
        """Remember an answer that has an age already. What somebody has forgotten meanwhile is not kept."""
        outcome = None
        try:
            outcome = await self._ask(lambda: self._bring(key, b"".join(pack_entry(_NAME, key, found))))
        finally:
            if outcome in _SETTLED:
                self._owed.pop(key, None)
            else:
                self._owe(key)
        if outcome == b"full":
            self._fail("Redis is full")
        elif outcome is not None and outcome not in _SETTLED:
            self._fail("an answer could not be kept in time")

    async def clear(self) -> None:
        """Forget everything, for all proxies; where Redis is out of reach, as soon as this one reaches it again."""
        self._clears += 1
        self._token = secrets.token_hex(8)
        self._owed.clear()
        await self._ask(lambda: self._run(self._look))

    async def was_forgotten(self) -> bool:
        """Whether another process has forgotten everything since this was asked last: what came from here is old then.

        The first time, whether one has done so lately: what this host has kept from an earlier run may be old then.
        """
        # Asked all the time: while Redis is away this would be most of the trouble.
        trouble = self._trouble
        await self._ask(lambda: self._run(self._look))
        self._trouble = trouble
        forgotten, self._forgotten = self._forgotten, False
        return forgotten

    def figures(self) -> CacheFigures:
        """How it goes, from memory: `entries` and `bytes` as Redis said last, for all proxies together."""
        return CacheFigures(self._hits, self._misses, self._trouble, *self._held)

    async def visit(self, *, clears: bool = False) -> CacheFigures:
        """What is there for all proxies, and, if it `clears`, was: for a command. Raises FleetUnavailable."""
        await self._link.ask(lambda _: self._run(self._look))
        figures = self.figures()
        if clears:
            self._token = secrets.token_hex(8)
            await self._link.ask(lambda _: self._run(self._look))
        return figures

    async def _take(self, key: str) -> Found | None:
        data = (await self._run(self._find, key)).own
        if data is None:
            return None
        found, now = _unpack(data, key), self._clock()
        if found is not None and now < found.stored <= now + SKEW_SECONDS:
            found = Found(found.answer, now)
        if found is not None and is_good(found.stored, now, self._ttl_seconds):
            return found
        if found is None:
            self._fail("an answer is damaged")
        if found is None or is_too_old(found.stored, now, self._ttl_seconds):
            await self._run(self._drop, key, data[:_START_BYTES])
        return None

    async def _bring(self, key: str, entry: bytes) -> bytes | None:
        """What has come of it."""
        # Asked first, so that an era that begins from now on is not this one, and one that has begun already is. Who
        # sends a script that Redis is too slow for gives it up, but Redis would still run it.
        begun = await self._run(self._look)
        until = begun.now + int(PATIENCE * 1e6)
        body = entry if len(entry) < self._most_bytes else b""
        for _ in range(MOST_ROUNDS):
            outcome = (await self._run(self._put, key, begun.era, until, self._most_bytes, len(entry), body)).own
            if outcome == b"more":
                body = b""
            elif outcome == b"room":
                body = entry
            else:
                return outcome
        return b"more"

    async def _run(self, script: AsyncScript, *own: str | bytes | int) -> _Reply:
        token, owed = self._token, self._owed.copy()
        good = int(self._ttl_seconds * 1e6)
        common: tuple[str | bytes | int, ...] = (max(self._era, 0), token, good, len(owed), *owed)
        reply = _Reply(*await script(KEYS, common + own))
        if reply.era > self._era:
            is_ours = bool(token or self._token)
            is_late = self._era >= 0 or (reply.era > 0 and reply.since < good)
            self._forgotten |= is_late and not is_ours
            self._era = reply.era
        if token == self._token:
            self._token = ""
        self._settle(owed)
        # Answers come by many ways, and pass each other; but none is older than that.
        if not 0 < self._heard - reply.now < PATIENCE * 1e6:
            self._heard, self._held = reply.now, (reply.entries, reply.size)
        return reply

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """What is answered; None, and trouble, where that goes wrong in whatever way, or takes too long."""
        try:
            return await self._link.ask(lambda _: question())
        except FleetUnavailable as error:
            self._fail(error.detail or str(error))
        except Exception as error:  # noqa: BLE001 - a cache is never the reason why there is no picture
            self._fail(repr(error))
        return None

    def _owe(self, key: str) -> None:
        self._owed.pop(key, None)
        self._owed[key] = object()
        if len(self._owed) > MOST_OWED:
            del self._owed[next(iter(self._owed))]

    def _settle(self, owed: dict[str, object]) -> None:
        for name, mark in owed.items():
            if self._owed.get(name) is mark:
                del self._owed[name]

    def _fail(self, words: str) -> None:
        """Count it, and say it once: trouble with Redis comes with every call."""
        self._trouble += 1
        if words not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(words)
            log.warning("shared cache trouble", words=words)


def _unpack(data: bytes, key: str) -> Found | None:
    """None where it is damaged, or nothing that we have written."""
    try:
        found = unpack_entry(data, _NAME, key)
        return None if found is None else Found(found.answer, float(found.stored))
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
