"""Line: the jobs of the fleet in Redis, from the moment they come until somebody has fetched what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from pico_a1111_proxy.errors import ProxyError
from pico_a1111_proxy.fleet.link import PATIENCE, Link, key
from pico_a1111_proxy.fleet.parcels import error_of, pack, read_error, unpack, wrap_error
from pico_a1111_proxy.fleet.scripts import BEGIN, ENTER, FINISH, GIVE_BACK, LOOK, RENEW, REPORT
from pico_a1111_proxy.jobs import Job, Priority, Progress, Route

__all__ = ["Begun", "Held", "Line", "Seen"]

LINE = key("line")
JOB_SECONDS = key("job_seconds")
MOST_DELIVERIES = 3
ANSWER_SECONDS = 120  # for which an answer waits to be fetched
PREVIEW_SECONDS = 5  # for which one is good, and for which somebody's wish for one holds
LONG = 2**20  # bytes of a body, which take some milliseconds to pack
SENDING_SECONDS = 5.0  # for what may hold a picture

RANKS: dict[Priority, int] = {"interactive": 0, "background": 1}
Renewed = Literal["kept", "watched", "lost"]


@dataclass(frozen=True)
class Begun:
    """A job that a worker may draw now, for the `delivery`th time, from 1."""

    route: Route
    body: bytes
    query: str
    content_type: str | None
    delivery: int


@dataclass(frozen=True)
class Held:
    """A job that another worker is drawing; its right to that ends in `seconds` unless it is renewed."""

    seconds: float


@dataclass(frozen=True)
class Seen:
    """How a job is: its `position` from 1, 0 once it has `begun` for the nth time, `seconds` ago; whether it is over.

    One that `is_gone` nobody knows any more.
    """

    is_gone: bool = False
    is_over: bool = False
    position: int = 0
    begun: int = 0
    seconds: float = 0.0
    told: Progress | None = None


class Line:
    """The line behind `link`. All raise FleetUnavailable."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def enter(self, name: str, job: Job, reply_to: str, patience: float, keep: float) -> int:
        """Have `job` stand in line under `name`, and give its place; it is to begin within `patience` seconds.

        After `keep` seconds nobody knows it any more. What happens to it is told on the channel `reply_to`.
        """
        # A long one would hold up everybody else.
        body = await asyncio.to_thread(pack, job.body) if len(job.body) > LONG else pack(job.body)
        typed = int(job.content_type is not None), "content_type", job.content_type or ""
        said = ["route", job.route, "query", job.query, "reply_to", key("channel", reply_to), "typed", *typed]
        keys = [key("job", name), LINE]
        arguments = [name, RANKS[job.priority], int(patience * 1000), int(keep * 1000), key("job", "")]
        place: int = await self._run(ENTER, keys, [*arguments, *said, "body", body], SENDING_SECONDS)
        return place

    async def begin(self, name: str, worker: str, lease: float) -> Begun | Held | ProxyError | None:
        """Let `worker` draw it, with the right to that for `lease` seconds.

        None where there is nothing to be done: it is over, withdrawn, or late. An error where it has been delivered
        too often.
        """
        keys = [key("job", name), LINE, key("claim", name)]
        status, *said = await self._run(
            BEGIN, keys, [name, worker, int(lease * 1000), MOST_DELIVERIES], SENDING_SECONDS
        )
        if status == b"held":
            return Held(int(said[0]) / 1000)
        if status == b"poison":
            words = f"The job was given up: {MOST_DELIVERIES} workers of the fleet have ended while drawing it"
            return error_of("UpstreamUnavailable", words)
        if status != b"begun":
            return None
        delivery, route, query, typed, content_type, body = said
        return Begun(
            "img2img" if route == b"img2img" else "txt2img",
            unpack(body),
            query.decode(),
            content_type.decode() if typed == b"1" else None,
            int(delivery),
        )

    async def renew(self, name: str, worker: str, lease: float) -> Renewed:
        """Prolong the right to draw it. `watched` is that somebody wants to see it; `lost` ends the right."""
        keys = [key("job", name), key("claim", name), key("watched", name)]
        status: bytes = await self._run(RENEW, keys, [worker, int(lease * 1000)])
        return "kept" if status == b"kept" else "watched" if status == b"watched" else "lost"

    async def report(self, name: str, progress: Progress) -> None:
        """Tell how far it is."""
        said = orjson.dumps([progress.fraction, progress.eta_seconds, progress.step, progress.steps])
        keys = [key("job", name), key("preview", name)]
        await self._run(REPORT, keys, [said, progress.picture or b"", PREVIEW_SECONDS * 1000], SENDING_SECONDS)

    async def give_back(self, name: str, worker: str) -> None:
        """Have it stand where it stood: nothing of it was sent anywhere."""
        await self._run(GIVE_BACK, [key("job", name), LINE, key("claim", name)], [name, worker])

    async def finish(self, name: str, outcome: bytes | ProxyError, seconds: float | None) -> None:
        """It is over: `outcome` is an answer, packed, or what went wrong. `seconds` is what a good one has taken."""
        error, parcel = wrap_error(outcome) if isinstance(outcome, ProxyError) else (b"", outcome)
        keys = [key("job", name), LINE, key("claim", name), key("answer", name), key("preview", name), JOB_SECONDS]
        arguments = [name, error, parcel, ANSWER_SECONDS * 1000, -1 if seconds is None else seconds]
        await self._run(FINISH, keys, arguments, SENDING_SECONDS)

    async def look(self, names: Sequence[str]) -> list[Seen]:
        """How each of them is."""
        keys = [LINE, *(key("job", name) for name in names)]
        return [_seen(said) for said in await self._run(LOOK, keys, list(names))]

    async def watch(self, name: str) -> bytes | None:
        """Ask for its progress, and give the last preview, if there is one."""

        def _ask(redis: Any) -> Any:
            pipe = redis.pipeline(transaction=False)
            pipe.set(key("watched", name), 1, ex=PREVIEW_SECONDS)
            pipe.get(key("preview", name))
            return pipe.execute()

        preview: bytes | None = (await self._link.ask(_ask, SENDING_SECONDS))[1]
        return preview or None

    async def fetch(self, name: str) -> bytes | ProxyError | None:
        """What came of it: an answer, packed, or what went wrong; None where that is not known any more."""

        def _ask(redis: Any) -> Any:
            pipe = redis.pipeline(transaction=False)
            pipe.hget(key("job", name), "error")
            pipe.get(key("answer", name))
            return pipe.execute()

        error, parcel = await self._link.ask(_ask, SENDING_SECONDS)
        if error:
            return read_error(error, parcel)
        return bytes(parcel) if parcel else None

    async def withdraw(self, name: str) -> None:
        """Forget it: who has begun it hears of that when it renews its right."""
        names = [key(kind, name) for kind in ("job", "answer", "preview", "watched")]

        def _ask(redis: Any) -> Any:
            pipe = redis.pipeline()
            pipe.unlink(*names)
            pipe.zrem(LINE, name)
            return pipe.execute()

        await self._link.ask(_ask)

    async def _run(self, script: str, keys: list[str], arguments: list[Any], patience: float = PATIENCE) -> Any:
        return await self._link.ask(lambda redis: redis.eval(script, len(keys), *keys, *arguments), patience)


def _seen(said: list[Any]) -> Seen:
    if not said:
        return Seen(is_gone=True)
    over, position, begun, milliseconds, progress = said
    told = _read_progress(progress) if progress else None
    return Seen(False, bool(over), int(position), int(begun), int(milliseconds) / 1000, told)


def _read_progress(said: bytes) -> Progress | None:
    """None for what no worker of ours has written."""
    try:
        fraction, eta, step, steps = orjson.loads(said)
        return Progress(float(fraction), float(eta), int(step), int(steps))
    except (OverflowError, TypeError, ValueError):
        return None
