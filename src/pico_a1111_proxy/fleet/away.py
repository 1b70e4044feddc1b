"""Away: tickets that other proxies hold, found, waited for, fetched and withdrawn from here."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import FleetUnavailable, ProxyError
from pico_a1111_proxy.fleet.hub import Hub
from pico_a1111_proxy.fleet.link import Link, key, within
from pico_a1111_proxy.fleet.records import BODY, HEAD, Record, read_record, read_rendering
from pico_a1111_proxy.jobs import Progress
from pico_a1111_proxy.outlooks import Outlook, State
from pico_a1111_proxy.renderings import Rendering

ENDED = "tickets"  # the channel on which all hear of each that is over
LOOK_SECONDS = 1.0  # between two looks at one, should what was told have been missed
SENDING_SECONDS = 5.0  # for what may hold frames
OBEYING_SECONDS = 0.8  # that a proxy may take to cancel

_NAME = re.compile(r"[A-Za-z0-9_-]{22}")
_TOO_LARGE = "The job's frames are too large to be shared: only the proxy that took the job has them"
_SILENT = "The proxy that has the job does not answer"


def orders_of(holder: str) -> str:
    """The channel on which that proxy hears what others want to be done with its tickets."""
    return f"tickets:{holder}"


class Others:
    """What other proxies tell in Redis of their tickets. `displays` are those that are known here.

    For `grace_seconds` after a connection comes back nobody is taken to have ended.
    """

    def __init__(self, hub: Hub, link: Link, displays: Mapping[str, Display], grace_seconds: float) -> None:
        self.is_closed = False
        self._hub = hub
        self._link = link
        self._displays = displays
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._grace_seconds = grace_seconds
        self._up_since = math.inf

    async def find(self, name: str) -> Away | None:
        """The ticket with that id, if another proxy holds it. Raises FleetUnavailable."""
        found = await self.read(name) if _NAME.fullmatch(name) else None
        return Away(self, name, *found) if found else None

    async def read(self, name: str) -> tuple[Record, float] | None:
        """The record of that ticket, and the seconds until it is forgotten. Raises FleetUnavailable."""

        def _ask(redis: Any) -> Any:
            pipe = redis.pipeline(transaction=False)
            pipe.hmget(key("ticket", name), HEAD)
            pipe.pttl(key("ticket", name))
            return pipe.execute(raise_on_error=False)

        said, milliseconds = await self._link.ask(_ask)
        record = read_record(said, self._displays) if isinstance(said, list) else None
        if record is None or record.owner == self._hub.name:  # what was ours is forgotten
            return None
        if not record.is_over and not await self._is_alive(record.owner):
            record = record.orphaned
        return record, max(milliseconds, 0) / 1000

    async def fetch(self, name: str, display: Display) -> Rendering | None:
        """What came of that ticket; None where that is forgotten or damaged. Raises FleetUnavailable."""

        def _ask(redis: Any) -> Any:
            return redis.hmget(key("ticket", name), BODY)

        said = await self._link.ask(_ask, SENDING_SECONDS)
        if said[2]:
            raise FleetUnavailable(_TOO_LARGE, retry_after=1)
        return await asyncio.to_thread(read_rendering, said, display)

    async def order(self, word: str, name: str, owner: str) -> None:
        """Have the `owner` of that ticket do what `word` says: cancel or forget. Raises FleetUnavailable."""
        await self._hub.tell(orders_of(owner), f"{word} {name}".encode())

    async def unlink(self, name: str) -> None:
        """Let nobody find it any more. Raises FleetUnavailable."""
        await self._link.ask(lambda redis: redis.unlink(key("ticket", name)))

    @contextmanager
    def listening(self, name: str) -> Iterator[asyncio.Event]:
        """An event that is set when that ticket may be over, until the block ends."""
        event = asyncio.Event()
        self._waiting.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[name].discard(event)
            if not self._waiting[name]:
                del self._waiting[name]

    def hear_end(self, message: bytes) -> None:
        """Somebody says that a ticket is over."""
        _set_all(self._waiting.get(message.decode("ascii", "replace"), ()))

    def connected(self) -> None:
        """What was said before may have been missed."""
        self._up_since = asyncio.get_running_loop().time()
        self._look_all()

    def close(self) -> None:
        """Let nobody wait here any more."""
        self.is_closed = True
        self._look_all()

    def _look_all(self) -> None:
        for events in self._waiting.values():
            _set_all(events)

    async def _is_alive(self, owner: str) -> bool:
        # Of others whose connection was lost with ours nobody can tell yet.
        if not self._hub.is_up or asyncio.get_running_loop().time() < self._up_since + self._grace_seconds:
            return True
        return bool(await self._link.ask(lambda redis: redis.exists(key("holder", owner))))


class Away:
    """A ticket that another proxy holds. Made by `Others.find`; see `claims.Elsewhere`."""

    def __init__(self, others: Others, name: str, record: Record, seconds: float) -> None:
        self.id = name
        self.seconds_alone: None = None
        self._others = others
        self._record = record
        self._seconds = seconds  # until it is forgotten

    @property
    def display(self) -> Display:
        """What its frames are for."""
        return self._record.display

    @property
    def is_over(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self._record.is_over

    @property
    def state(self) -> State:
        """What has become of it."""
        return self._record.outlook.state

    @property
    def error(self) -> ProxyError | None:
        """What went wrong."""
        return self._record.error

    @property
    def expires_seconds(self) -> float | None:
        """Seconds until it is forgotten; None before it is over."""
        return self._seconds if self.is_over else None

    def look_closely(self) -> None:
        """Its proxy tells what it knows, and asks no more for this."""

    def outlook(self, told: Progress | None = None) -> Outlook:
        """How far it is; what is shown here of a drawing is another's."""
        return replace(self._record.outlook, live=False)

    async def wait(self, seconds: float) -> None:
        """Look again once it is over, or after that time, or when this proxy closes. Raises FleetUnavailable."""
        now = asyncio.get_running_loop().time
        deadline = now() + seconds
        with self._others.listening(self.id) as event:
            while not self.is_over and now() < deadline and not self._others.is_closed:
                event.clear()
                if not await self._look():
                    break  # it is forgotten
                if not self.is_over:
                    await pause(event, min(LOOK_SECONDS, max(deadline - now(), 0.0)))

    async def fetch(self) -> Rendering | None:
        """What came of it."""
        return await self._others.fetch(self.id, self.display)

    async def withdraw(self) -> None:
        """Have it cancelled, or forgotten where it is done or failed. Raises FleetUnavailable."""
        if self.state in ("done", "failed"):
            await self._others.unlink(self.id)
            await self._others.order("forget", self.id, self._record.owner)
        elif not self.is_over:
            await self._others.order("cancel", self.id, self._record.owner)
            await self.wait(OBEYING_SECONDS)
            if not self.is_over:
                raise FleetUnavailable(_SILENT, retry_after=1)

    async def _look(self) -> bool:
        """Whether it is still there. Raises FleetUnavailable."""
        found = await self._others.read(self.id)
        if found:
            self._record, self._seconds = found
        return found is not None


async def pause(event: asyncio.Event, seconds: float) -> None:
    """Return once it is set, or after that time."""
    with suppress(asyncio.TimeoutError):
        await within(seconds, event.wait())


def _set_all(events: Iterable[asyncio.Event]) -> None:
    for event in events:
        event.set()
