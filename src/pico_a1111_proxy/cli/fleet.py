"""fleet: who draws, and who waits, as it is in Redis at this moment."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from pico_a1111_proxy.cli.settings import load_settings

if TYPE_CHECKING:
    from pico_a1111_proxy.crews import CrewFigures, WorkerFigures

_COLUMNS = ("WORKER", "STATE", "FOR", "DRAWN", "FAILED", "")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@click.group()
def fleet() -> None:
    """The workers behind REDIS_URL, and the line before them."""


@fleet.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document, as /health has it.")
def status(*, as_json: bool) -> None:
    """Say who draws and who waits, and what is the matter.

    The exit status is 1 where Redis can't be reached, nobody takes jobs, or a worker is stuck.
    """
    url = load_settings().redis_url
    if url is None:
        raise click.ClickException("REDIS_URL is not set: it names the Redis that brings a fleet together")
    from pico_a1111_proxy.crews import describe_crew  # noqa: PLC0415 - no other command needs any of these
    from pico_a1111_proxy.errors import FleetUnavailable  # noqa: PLC0415

    try:
        crew = asyncio.run(_look(url.get_secret_value()))
    except FleetUnavailable as error:
        words = error.detail
        if as_json:
            click.echo(json.dumps({"redis": "down", "words": words}))
            sys.exit(1)
        raise click.ClickException(_explain(words, url.get_secret_value())) from error
    if as_json:
        click.echo(json.dumps({"redis": "up", **describe_crew(crew)}))
    else:
        click.echo("\n".join(_report(crew)))
    if not crew.is_well:
        sys.exit(1)


async def _look(url: str) -> CrewFigures:
    # Of an extra: without it, the settings have said so.
    from pico_a1111_proxy.fleet.link import open_link  # noqa: PLC0415
    from pico_a1111_proxy.fleet.roll import Roll  # noqa: PLC0415

    async with open_link(url, time.monotonic) as link:
        return await Roll(link).look()


def _report(crew: CrewFigures) -> Iterator[str]:
    """The lines that a person reads."""
    yield f"Line     {_line(crew)}"
    yield f"Jobs     {crew.job_seconds:.1f} s each; {_outlook(crew)}"
    yield f"Workers  {len(crew.workers)}, of which {crew.taking} take{'s' * (crew.taking == 1)} jobs"
    if crew.workers:
        yield ""
        yield from _table([_COLUMNS, *(_cells(worker) for worker in crew.workers)])
    advice = list(_advise(crew))
    yield from ["", *advice] if advice else []


def _line(crew: CrewFigures) -> str:
    if not crew.waiting:
        return "nobody waits"
    waiting = f"{crew.waiting} waiting: {crew.waiting - crew.background} interactive, {crew.background} background"
    return f"{waiting}; the oldest for {_span(crew.oldest_seconds)}"


def _outlook(crew: CrewFigures) -> str:
    wait = crew.wait_seconds
    if wait is None:
        return "a new one would find nobody"
    return f"a new one would wait for about {_span(wait)}" if wait else "a new one would begin at once"


def _cells(worker: WorkerFigures) -> tuple[str, ...]:
    return (worker.name, worker.state, _span(worker.seconds), str(worker.drawn), str(worker.failed), worker.words)


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _advise(crew: CrewFigures) -> Iterator[str]:
    """What to do, a sentence a trouble."""
    states = crew.states
    if not crew.workers:
        yield "No worker is there: start one beside each GPU with pico-a1111-proxy worker --upstream URL."
    elif not crew.taking:
        yield "Nobody takes jobs."
    if states["paused"]:
        yield "A paused worker takes jobs again by itself, once its upstream can be used: see to that one."
    if crew.stuck:
        yield "A stuck worker says that it is idle and leaves the line alone: restart it."
    if any("clock" in worker.words for worker in crew.workers) or crew.words:
        yield "Clocks that differ throw jobs away, or have them drawn twice: let NTP set them all."
    if crew.words:
        yield f"{crew.words[:1].upper()}{crew.words[1:]}."
    versions = sorted({worker.version for worker in crew.workers if worker.version})
    if len(versions) > 1:
        yield f"The workers are of several versions: {', '.join(versions)}."


def _explain(words: str, url: str) -> str:
    """With where it was looked for, but no password."""
    parts = urlsplit(url)
    where = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
    return f"{words}. REDIS_URL names {where}"


def _span(seconds: float) -> str:
    """Short, for a column."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.0f} h" if seconds < _DAY else f"{seconds / _DAY:.0f} d"
