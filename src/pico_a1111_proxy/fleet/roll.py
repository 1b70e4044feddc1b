"""Roll: which workers a fleet has. They sign it again and again, and the proxies read from it who takes jobs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from typing import Any, get_args

import orjson
import structlog

from pico_a1111_proxy.crews import CrewFigures, SaidState, WorkerFigures, WorkerState
from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.line import JOB_SECONDS, LINE
from pico_a1111_proxy.fleet.link import Link, end, key

GONE_SECONDS = 10.0  # after its last one a worker is no longer on the roll
LOOK_SECONDS = 1.0  # between two looks of a proxy
LONGEST_JOB_SECONDS = 1e6  # that can be true
STUCK_SECONDS = 10.0  # for which a job waits and a worker idles before that is no coincidence
SKEW_SECONDS = 5.0  # by which a clock may be wrong; a signature is under way for less than one

EXPIRIES = key("workers")  # a sorted set: when each is gone, in milliseconds of Redis' own clock
SIGNATURES = key("signatures")  # a hash: the last of each

log = structlog.get_logger("fleet")


# KEYS expiries, signatures; ARGV name, signature, milliseconds. Who has not signed in time is taken off.
_SIGN = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, 1000)
if gone[1] then
    redis.call('ZREM', KEYS[1], unpack(gone))
    redis.call('HDEL', KEYS[2], unpack(gone))
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[3]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
"""

# KEYS expiries, signatures, line, job_seconds; ARGV prefix of jobs. The line's scores are rank * 1e13 + milliseconds.
# Jobs that nobody knows any more are taken out of the line, and who may not be begun any more is not waited for.
_READ = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function waited(from, to, base)
    local first = redis.call('ZRANGEBYSCORE', KEYS[3], from, to, 'WITHSCORES', 'LIMIT', 0, 50)
    for at = 1, #first, 2 do
        local job = redis.call('HMGET', ARGV[1] .. first[at], 'deadline', 'deliveries')
        if not job[1] then
            redis.call('ZREM', KEYS[3], first[at])
        elseif tonumber(job[2]) > 0 or tonumber(job[1]) > now then
            return now - (first[at + 1] - base)
        else
            redis.call('ZREM', KEYS[3], first[at])
        end
    end
    return 0
end
local oldest = math.max(waited('-inf', '(1e13', 0), waited('1e13', '+inf', 1e13))
local names, expiries = {}, {}
local signed = redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 4000)
for at = 1, #signed, 2 do
    names[#names + 1] = signed[at]
    expiries[#expiries + 1] = signed[at + 1]
end
local said = {}
if names[1] then said = redis.call('HMGET', KEYS[2], unpack(names)) end
return {
    now, redis.call('ZCOUNT', KEYS[3], '-inf', '(1e13'), redis.call('ZCOUNT', KEYS[3], '1e13', '+inf'), oldest,
    redis.call('GET', KEYS[4]) or '', expiries, said
}
"""


@dataclass(frozen=True)
class Signature:
    """What a worker says of itself: its `state`, in `words` why, where there is something to say, and `since` when.

    `counts` are the jobs it has drawn and those it has failed since its start. `clock` is its time of day, as that of
    `since`: by it others see whether it is wrong, and nobody has to trust it.
    """

    name: str
    state: SaidState
    words: str = ""
    since: float = field(default_factory=time.time)
    counts: tuple[int, int] = (0, 0)
    version: str = field(default_factory=lambda: version("pico-a1111-proxy"))
    clock: float = field(default_factory=time.time)


_SAID = frozenset(each.name for each in fields(Signature))  # another version may say more


async def sign(link: Link, signature: Signature) -> None:
    """Be on the roll for the next GONE_SECONDS; a worker does so every second or two. Raises FleetUnavailable."""
    said, milliseconds = orjson.dumps(asdict(signature)), int(GONE_SECONDS * 1000)
    await link.ask(lambda redis: redis.eval(_SIGN, 2, EXPIRIES, SIGNATURES, signature.name, said, milliseconds))


async def leave(link: Link, name: str) -> None:
    """Be no longer on the roll, at once. Raises FleetUnavailable."""

    def _forget(redis: Any) -> Any:
        pipe = redis.pipeline()
        pipe.zrem(EXPIRIES, name)
        pipe.hdel(SIGNATURES, name)
        return pipe.execute()

    await link.ask(_forget)


class Roll:
    """The roll as a proxy reads it, with the length of the line beside it. `clock` is the time of day.

    `changed` are called when there is somebody who takes jobs, after nobody did, and when nobody does any more.
    """

    def __init__(self, link: Link, clock: Callable[[], float] = time.time) -> None:
        self.changed: list[Callable[[], None]] = []
        self._link = link
        self._clock = clock
        self._figures = CrewFigures()

    def figures(self) -> CrewFigures:
        """What the last look has shown, from memory."""
        return self._figures

    async def look(self) -> CrewFigures:
        """Read it now. Raises FleetUnavailable, and then the figures stay as they were, but for `is_up`."""
        keys = [EXPIRIES, SIGNATURES, LINE, JOB_SECONDS]
        try:
            said = await self._link.ask(lambda redis: redis.eval(_READ, len(keys), *keys, key("job", "")))
        except FleetUnavailable:
            self._figures = replace(self._figures, is_up=False)
            raise
        before, self._figures = self._figures, _read(said, self._clock())
        if bool(before.taking) != bool(self._figures.taking):
            for call in self.changed:
                call()
        return self._figures

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look every LOOK_SECONDS until the block ends, the first time before it begins."""
        await self._try()
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            await end(task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._try()

    async def _try(self) -> None:
        try:
            await self.look()
        except FleetUnavailable:
            pass  # it is in the figures
        except Exception:
            log.exception("surprise")


def _read(said: list[Any], clock: float) -> CrewFigures:
    now, interactive, background, waited, job_seconds, expiries, signatures = said
    oldest = max(0.0, waited / 1000)
    workers = []
    for expiry, signature in zip(expiries, signatures, strict=True):
        worker = _read_worker(signature, now / 1000, float(expiry) / 1000 - GONE_SECONDS, oldest)
        if worker:
            workers.append(worker)
    return CrewFigures(
        True,
        tuple(sorted(workers, key=lambda worker: worker.name)),
        interactive + background,
        oldest,
        _read_seconds(job_seconds),
        background,
        _explain_clock("the clock here", clock - now / 1000),
    )


def _read_worker(said: bytes | None, now: float, signed: float, oldest: float) -> WorkerFigures | None:
    """None for one of another version that can't be understood. Times are Redis' own, in seconds."""
    try:
        record = Signature(**{name: value for name, value in orjson.loads(said or b"").items() if name in _SAID})
        seconds = max(0.0, record.clock - record.since) + max(0.0, now - signed)
        drawn, failed = (int(count) for count in record.counts)
        texts = (record.name, record.words, record.version)
        if not all(isinstance(text, str) for text in texts) or not math.isfinite(seconds):
            return None
    except (AttributeError, OverflowError, TypeError, ValueError):
        return None
    if record.state not in get_args(SaidState):
        return None
    state: WorkerState = record.state
    words = [record.words]
    if state == "idle" and min(seconds, oldest) > STUCK_SECONDS:
        state = "stuck"
        words.append(f"idle, while a job has waited for {oldest:.0f} s")
    words.append(_explain_clock("its clock", record.clock - signed))
    all_words = "; ".join(filter(None, words))
    return WorkerFigures(record.name, state, seconds, drawn, failed, all_words, record.version)


def _read_seconds(said: bytes) -> float:
    with suppress(ValueError):
        seconds = float(said)
        if 0 <= seconds < LONGEST_JOB_SECONDS:
            return seconds
    return CrewFigures.job_seconds


def _explain_clock(whose: str, skew: float) -> str:
    """In words, where it is so far from Redis' clock that jobs may be thrown away or drawn twice."""
    if abs(skew) <= SKEW_SECONDS:
        return ""
    return f"{whose} is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} that of Redis"
