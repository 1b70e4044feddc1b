"""worker: draws for a fleet, one beside each web UI."""

from __future__ import annotations

import sys

import click

from pico_a1111_proxy.cli.settings import load_settings


@click.command()
@click.option("--upstream", help="Address of the web UI that draws, instead of A1111_BASE_URL; demo: needs none.")
@click.option("--name", help="What the fleet calls it, instead of this computer's name with a number.")
def worker(upstream: str | None, name: str | None) -> None:
    """Draw what the proxies of a fleet are asked for, one job after the other.

    REDIS_URL brings them together. Start one beside each web UI, never two beside the same. Ctrl+C or SIGTERM ends it
    when the job in hand is done.
    """
    given = {"a1111_base_url": upstream} if upstream else {}
    settings = load_settings(**given)
    if settings.redis_url is None:
        raise click.ClickException("A worker takes its jobs from a Redis: set REDIS_URL to that of the proxies.")
    if len(settings.base_urls) > 1:
        raise click.ClickException("A worker draws with one web UI: choose it with --upstream.")
    # Of an extra: without it, the settings have said so.
    from pico_a1111_proxy import worker as working  # noqa: PLC0415
    from pico_a1111_proxy.logs import set_up_logs  # noqa: PLC0415

    set_up_logs(settings.log_format, settings.debug_mode)
    name = name or working.name_worker()
    where = "the demo painter" if settings.draws_itself else settings.a1111_base_url
    click.echo(f"Worker {name} draws with {where}. Ctrl+C ends it when the job in hand is done.")
    sys.exit(working.run(settings, name))
