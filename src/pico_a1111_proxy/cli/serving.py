"""serve, demo, check-config and doctor: the service, and what has to be right before it works."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import click

from pico_a1111_proxy.cli.settings import load_settings

if TYPE_CHECKING:
    from pico_a1111_proxy.settings import Settings


@click.command()
@click.option("--host", help="Address to listen on, instead of SERVICE_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of SERVICE_PORT.")
def serve(host: str | None, port: int | None) -> None:
    """Start the service with the settings of the environment and .env.

    Ctrl+C or SIGTERM ends it when what is in flight is answered, after DRAIN_SECONDS at the latest; a second one ends
    it at once, with the status 130 or 143.
    """
    _serve(host, port)


@click.command()
@click.option("--host", help="Address to listen on, instead of SERVICE_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of SERVICE_PORT.")
def demo(host: str | None, port: int | None) -> None:
    """Start the service with the built-in painter, whatever A1111_BASE_URL and FLEET say."""
    _serve(host, port, a1111_base_url="demo:", fleet="off")


@click.command("check-config")
def check_config() -> None:
    """Read the settings and say what is wrong with them, and nothing else."""
    settings = load_settings()
    upstream = "the demo painter" if settings.draws_itself else settings.a1111_base_url
    if settings.fleet != "off":
        upstream = "the workers of the fleet"
    click.echo(f"The settings are good. Pictures come from {upstream}.")


@click.command()
def doctor() -> None:
    """Check the way to the upstream, and say in plain words what to do next."""
    from pico_a1111_proxy.doctor import examine  # noqa: PLC0415 - convert and preview need no network

    settings = load_settings()

    async def walk() -> bool:
        """Print each finding as it comes; say whether all were good."""
        good = True
        async for finding in examine(settings):
            good = finding.good
            click.echo(f"{finding.what:<12} {'ok' if good else 'WRONG':<6} {finding.words}")
        return good

    if not asyncio.run(walk()):
        sys.exit(1)
    click.echo("All is well.")


def _serve(host: str | None, port: int | None, **overrides: Any) -> None:
    given = {"service_host": host, "service_port": port, **overrides}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    # Imported here, since convert and preview need no web server and should start without one.
    from pico_a1111_proxy.logs import set_up_logs  # noqa: PLC0415
    from pico_a1111_proxy.web import server  # noqa: PLC0415

    set_up_logs(settings.log_format, settings.debug_mode)
    try:
        listener = server.open_socket(settings.service_host, settings.service_port)
    except OSError as error:
        where = f"{settings.service_host}:{settings.service_port}"
        why = error.strerror or error
        raise click.ClickException(f"Can't listen on {where}: {why}. Another port: --port or SERVICE_PORT") from error
    # The server finishes its work on SIGTERM and then raises it again; by then all is well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _greet(settings, listener.getsockname()[1])
    try:
        server.run(settings, listener)
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)


def _greet(settings: Settings, port: int) -> None:
    host = "localhost" if settings.service_host in ("0.0.0.0", "::") else settings.service_host  # noqa: S104
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if settings.fleet != "off":
        click.echo("The workers of the fleet draw: see pico-a1111-proxy fleet status.\n")
    elif settings.draws_itself:
        click.echo("DEMO: the built-in painter draws. Set A1111_BASE_URL in .env to use a real A1111.\n")
    click.echo(f"Listening on {address}, the page is {address}/, all routes are at {address}/docs")
    if host == "localhost":
        click.echo(f"A Pico in your network reaches it at http://{_own_address()}:{port}")
    click.echo("\nThe first frame:\n")
    click.echo("  curl -o frame.rgb565 -H 'Accept: application/octet-stream' -H 'Content-Type: application/json' \\")
    click.echo(f"""    -d '{{"prompt": "a mountain lake at sunset"}}' {address}/sdapi/v1/txt2img\n""")


def _own_address() -> str:
    """This computer's address in its network; its name where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only chooses the way there
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
