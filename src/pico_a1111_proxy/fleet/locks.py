"""Locks: who draws what in the fleet, so that the same is drawn once; each ends by itself when its owner dies."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.link import Link
from pico_a1111_proxy.fleet.link import key as key_of

LEASE_SECONDS = 10.0  # after its owner's death, or as long as Redis was gone
RENEWALS = 3  # in that time
LOOK_SECONDS = 0.1  # between two looks whether somebody else is done

# KEYS lock; ARGV owner, lease in milliseconds. One that has run out is taken again unless another has it.
_HOLD = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

# KEYS lock; ARGV owner.
_DROP = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class Locks:
    """The locks of one process, each held until it is given up; see the protocol in `archive.py`.

    redis-py's own won't do: it knows itself as the owner only once it has the answer. Here the owner is named before
    Redis is asked, so that what was set without our hearing of it is renewed and dropped as any other. Where Redis
    can't be reached a lock is taken for ours, and asked for again later.
    """

    def __init__(self, link: Link, lease_seconds: float = LEASE_SECONDS) -> None:
        self._link = link
        self._seconds = lease_seconds
        self._held: set[_Lease] = set()

    async def take(self, key: str, seconds: float = 0.0) -> _Lease | None:
        """Have it drawn by nobody else; None where somebody else is drawing it still after `seconds`. Never raises."""
        now = asyncio.get_running_loop().time
        deadline = now() + seconds
        lease = _Lease(self._link, key_of("drawing", key), self._seconds, self._held)
        try:
            while not await lease.hold():
                if now() >= deadline:
                    return None
                await asyncio.sleep(LOOK_SECONDS)
        except asyncio.CancelledError:
            lease.abandon()
            raise
        lease.begin()
        return lease

    async def close(self) -> None:
        """Give up all that is held still."""
        await asyncio.gather(*[lease.give_up() for lease in self._held])


class _Lease:
    """One lock, which may be ours; as long as it is it stands in `held`."""

    def __init__(self, link: Link, name: str, seconds: float, held: set[_Lease]) -> None:
        self._link = link
        self._name = name
        self._seconds = seconds
        self._held = held
        self._owner = secrets.token_hex(8)
        self._task: asyncio.Task[None] | None = None

    async def hold(self) -> bool:
        """Take it, or keep it for longer: whether it is ours, as far as can be told."""
        milliseconds = str(int(self._seconds * 1000))
        try:
            return bool(await self._link.ask(lambda redis: redis.eval(_HOLD, 1, self._name, self._owner, milliseconds)))
        except FleetUnavailable:
            return True

    def begin(self) -> None:
        """Renew it until it is given up."""
        self._held.add(self)
        self._task = asyncio.create_task(self._renew())

    def abandon(self) -> None:
        """Give it up though nobody knows whether it is ours, and nobody waits for that."""
        self._held.add(self)
        self._task = asyncio.create_task(self._drop())

    async def give_up(self) -> None:
        """Let others have it; a second time does nothing. Never raises."""
        if self in self._held:
            if self._task:
                self._task.cancel()
            await self._drop()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / RENEWALS)
            await self.hold()

    async def _drop(self) -> None:
        with suppress(FleetUnavailable):  # then it runs out
            await self._link.ask(lambda redis: redis.eval(_DROP, 1, self._name, self._owner))
        self._held.discard(self)
