"""cache: what the service remembers, on disk and in Redis, and how to make it forget."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import TYPE_CHECKING

import click

from pico_a1111_proxy.cli.settings import load_settings

if TYPE_CHECKING:
    from pico_a1111_proxy.archive import CacheFigures
    from pico_a1111_proxy.settings import Settings

_MB = 1_000_000
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@click.group()
def cache() -> None:
    """The pictures that the service remembers in CACHE_DIR, and shares with others behind REDIS_URL."""


@cache.command()
def info() -> None:
    """Say what is in the cache, and how much it may hold."""
    from pico_a1111_proxy.caches.visits import take_inventory  # noqa: PLC0415 - no other command needs SQLite

    settings = load_settings()
    try:
        inventory = take_inventory(settings.cache_dir)
    except (OSError, sqlite3.Error, ValueError) as error:
        raise _trouble(settings, error) from error
    if not settings.enable_caching:
        click.echo("Caching is off: ENABLE_CACHING is false, and the service remembers nothing.")
    click.echo(f"Folder   {settings.cache_dir}")
    if inventory is None:
        click.echo("There is no cache yet. The service makes it when it starts.")
    else:
        click.echo(f"Entries  {inventory.entries}")
        click.echo(f"Size     {inventory.bytes / _MB:.1f} MB of {settings.cache_max_mb:g} MB")
    if inventory is not None and inventory.oldest is not None:
        click.echo(f"Oldest   {_ago(time.time() - inventory.oldest)}, kept for {_span(settings.cache_ttl)}")
    shared = _visit_shared(settings)
    if shared:
        click.echo(f"Shared   {_entries(shared.entries)} in Redis, {shared.bytes / _MB:.1f} MB")


@cache.command()
def clear() -> None:
    """Remove all that is in the cache, and nothing else from its folder; with REDIS_URL, for all proxies there."""
    from pico_a1111_proxy.caches.visits import empty  # noqa: PLC0415 - no other command needs SQLite

    settings = load_settings()
    try:
        removed = empty(settings.cache_dir)
    except (OSError, sqlite3.Error, ValueError) as error:
        raise _trouble(settings, error) from error
    if removed.entries:
        click.echo(f"Removed {_entries(removed.entries)}, {removed.bytes / _MB:.1f} MB, from {settings.cache_dir}.")
    else:
        click.echo(f"There was nothing to remove in {settings.cache_dir}.")
    shared = _visit_shared(settings, clears=True)
    if shared:
        click.echo(f"Removed {_entries(shared.entries)}, {shared.bytes / _MB:.1f} MB, from Redis.")


def _visit_shared(settings: Settings, *, clears: bool = False) -> CacheFigures | None:
    """What is in the cache in Redis, or was; None where there is no Redis."""
    if settings.redis_url is None:
        return None
    # Of an extra: without it, the settings have said so.
    from pico_a1111_proxy.caches.redis import RedisCache  # noqa: PLC0415
    from pico_a1111_proxy.errors import FleetUnavailable  # noqa: PLC0415
    from pico_a1111_proxy.fleet.link import CACHE_DATABASE, open_link  # noqa: PLC0415

    url = settings.redis_url.get_secret_value()

    async def visit() -> CacheFigures:
        """The bound is that of who writes."""
        async with open_link(url, time.monotonic, CACHE_DATABASE) as link:
            return await RedisCache(link, 0, settings.cache_ttl, time.time).visit(clears=clears)

    try:
        return asyncio.run(visit())
    except FleetUnavailable as error:
        undone = ", and what is there is not removed" if clears else ""
        raise click.ClickException(f"{error.detail or error}{undone}") from error


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _trouble(settings: Settings, error: Exception) -> click.ClickException:
    words = error.strerror if isinstance(error, OSError) else str(error)
    return click.ClickException(f"The cache in {settings.cache_dir} can't be used: {words}")


def _ago(seconds: float) -> str:
    return f"{_span(seconds)} ago" if seconds >= 1 else "just now"


def _span(seconds: float) -> str:
    """The largest unit of which there is at least one: `90` is a minute."""
    length, unit = next(((length, unit) for length, unit in _UNITS if seconds >= length), _UNITS[-1])
    count = int(seconds // length)
    return f"{count} {unit}{'s' * (count != 1)}"
