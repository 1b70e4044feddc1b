"""Windows that all proxies share: how often a client has come to any of them."""

from __future__ import annotations

from typing import Any

from limits.aio.storage import MovingWindowSupport, RedisStorage

from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.link import Link, key
from pico_a1111_proxy.rates import Windows


class SharedWindows(MovingWindowSupport):
    """The library's own windows in Redis, by the clock time.time; and `local`, which is by the same clock.

    What is counted in Redis is counted in `local` too, and both must have room. So who has used up a rate here has used
    it up also when Redis is gone, or comes back without what it knew: each proxy allows it once at the most. What was
    refused by one counts in neither.
    """

    def __init__(self, link: Link, local: Windows) -> None:
        self._link = link
        self._local = local
        # With a pool the address is not used, and says only whose client it is.
        pool: dict[str, Any] = {"connection_pool": link.redis.connection_pool}
        self._shared = RedisStorage("redis://", implementation="redispy", key_prefix=key("rates"), **pool)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` for `key` unless that makes more than `limit` in the last `expiry` seconds, here or in all."""
        if (await self._local.get_moving_window(key, limit, expiry))[1] + amount > limit:
            return False
        try:
            is_free = await self._link.ask(lambda _: self._shared.acquire_entry(key, limit, expiry, amount))
        except FleetUnavailable:
            return await self._local.acquire_entry(key, limit, expiry, amount)
        if is_free:
            await self._local.acquire_entry(key, limit, expiry, amount)
        return is_free

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest of the last `expiry` seconds came, and how many did; of two that are full the later one's."""
        here = await self._local.get_moving_window(key, limit, expiry)
        try:
            shared = await self._link.ask(lambda _: self._shared.get_moving_window(key, limit, expiry))
        except FleetUnavailable:
            return here
        full = [window for window in (here, shared) if window[1] >= limit]
        return max(full) if full else max(here, shared, key=lambda window: window[1])
