"""The command line: serve, demo, convert, preview, doctor, check-config."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pico_a1111_proxy.displays import (
    DISPLAYS,
    DITHERS,
    FITS,
    MAX_SIDE,
    ROTATIONS,
    Display,
    is_colour,
)
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.frames import convert as convert_picture
from pico_a1111_proxy.frames import preview as preview_frame
from pico_a1111_proxy.frames import read_frame
from pico_a1111_proxy.pictures import kind_of
from pico_a1111_proxy.pixels import FORMATS

if TYPE_CHECKING:
    from pico_a1111_proxy.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

PIPE = "-"
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"})


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pico-a1111-proxy", message="%(prog)s %(version)s")
def main() -> None:
    """Stable Diffusion pictures for the small displays of microcontrollers."""


@main.command()
@click.option("--host", help="Address to listen on, instead of SERVICE_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of SERVICE_PORT.")
def serve(host: str | None, port: int | None) -> None:
    """Start the service with the settings of the environment and .env."""
    _serve(host, port)


@main.command()
@click.option("--host", help="Address to listen on, instead of SERVICE_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of SERVICE_PORT.")
def demo(host: str | None, port: int | None) -> None:
    """Start the service with the built-in painter, whatever A1111_BASE_URL says."""
    _serve(host, port, a1111_base_url="demo:")


@main.command("check-config")
def check_config() -> None:
    """Read the settings and say what is wrong with them, and nothing else."""
    settings = _settings()
    upstream = "the demo painter" if settings.draws_itself else settings.a1111_base_url
    click.echo(f"The settings are good. Pictures come from {upstream}.")


@main.command()
def doctor() -> None:
    """Check the way to the upstream, and say in plain words what to do next."""
    from pico_a1111_proxy.doctor import examine  # noqa: PLC0415 - convert and preview need no network

    settings = _settings()

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


def _display_options(command: F) -> F:
    for option in reversed(
        (
            click.option("--display", type=click.Choice(["default", *DISPLAYS]), default="default", show_default=True),
            click.option("--width", type=click.IntRange(1, MAX_SIDE), help="Pixels of a row."),
            click.option("--height", type=click.IntRange(1, MAX_SIDE), help="Rows."),
            click.option("--format", type=click.Choice(list(FORMATS)), help="How a pixel is written."),
            click.option("--fit", type=click.Choice(FITS), help="How the picture fills the display."),
            click.option("--rotate", type=click.Choice([str(r) for r in ROTATIONS]), help="Degrees clockwise."),
            click.option("--invert/--no-invert", default=None, help="Send a colour negative."),
            click.option("--dither", type=click.Choice(DITHERS), help="How missing levels are hidden."),
            click.option("--background", metavar="#RRGGBB", help="Shown where the picture is not."),
        )
    ):
        command = option(command)
    return command


@main.command()
@click.argument("sources", nargs=-1, required=True)
@click.argument("target")
@_display_options
def convert(sources: tuple[str, ...], target: str, **options: Any) -> None:
    """Make pictures the frames of a display.

    SOURCES are PNG, JPEG, WebP, GIF or BMP files, or - for standard input. TARGET is a file, a folder, or -
    for standard output. The default display is the one of the settings.
    """
    display = _display(options)
    _for_each(sources, target, f".{display.format}", lambda data: convert_picture(data, display).data)


@main.command()
@click.argument("sources", nargs=-1, required=True)
@click.argument("target")
@_display_options
def preview(sources: tuple[str, ...], target: str, **options: Any) -> None:
    """Make PNGs of what the panel shows.

    SOURCES are frames, or pictures that become frames first; TARGET is as in convert.
    """
    display = _display(options)

    def show(data: bytes) -> bytes:
        whole = len(data) == FORMATS[display.format].size(display.width, display.height)
        frame = convert_picture(data, display) if kind_of(data) and not whole else read_frame(data, display)
        return preview_frame(frame, display)

    _for_each(sources, target, ".png", show)


def _serve(host: str | None, port: int | None, **overrides: Any) -> None:
    given = {"service_host": host, "service_port": port, **overrides}
    settings = _settings(**{name: value for name, value in given.items() if value is not None})
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
    # uvicorn finishes its work on SIGTERM and then raises it again; by then all is well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _greet(settings, listener.getsockname()[1])
    try:
        server.run(settings, listener)
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)


def _greet(settings: Settings, port: int) -> None:
    host = "localhost" if settings.service_host in ("0.0.0.0", "::") else settings.service_host  # noqa: S104
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if settings.draws_itself:
        click.echo("DEMO: the built-in painter draws. Set A1111_BASE_URL in .env to use a real A1111.\n")
    if settings.set_in_vain:
        click.echo(f"Not used in this version: {', '.join(settings.set_in_vain)}\n")
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


def _settings(**overrides: Any) -> Settings:
    # Imported here, since a display known by name is converted for without any, in half the time.
    from pico_a1111_proxy.settings import SettingsError, read_settings  # noqa: PLC0415

    try:
        return read_settings(**overrides)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _display(options: dict[str, Any]) -> Display:
    given = {name: value for name, value in options.items() if value is not None and name != "display"}
    if "rotate" in given:
        given["rotate"] = int(given["rotate"])
    if "background" in given and not is_colour(given["background"]):
        raise click.BadParameter(f"{given['background']!r} is not a colour such as #000000", param_hint="--background")
    name = options["display"]
    return replace(_settings().default_display if name == "default" else DISPLAYS[name], **given)


def _for_each(sources: tuple[str, ...], target: str, suffix: str, work: Callable[[bytes], bytes]) -> None:
    """Do `work` on every source; one that fails is told and does not stop the others."""
    targets = _targets(sources, target, suffix)
    failed = 0
    with click.progressbar(targets, file=sys.stderr, hidden=len(targets) == 1, label="Converting") as bar:
        for source, into in zip(sources, bar, strict=True):
            try:
                _write(into, work(_read(source)))
            except PictureError as error:
                failed += 1
                click.echo(f"{source}: {error}", err=True)
            except OSError as error:
                failed += 1
                click.echo(f"{error.filename or source}: {error.strerror or error}", err=True)
    if failed:
        sys.exit(1)


def _targets(sources: tuple[str, ...], target: str, suffix: str) -> list[str]:
    """Where each source goes. Raises UsageError where something would be lost."""
    if target.endswith("/"):
        try:
            Path(target).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise click.UsageError(f"The folder {target} can't be made: {error.strerror}") from error
    if len(sources) == 1 and not Path(target).is_dir():
        targets = [target]
    elif Path(target).is_dir():
        targets = [str(Path(target) / (Path(source).stem + suffix)) for source in sources]
    else:
        raise click.UsageError(f"There is no folder {target} for what is to be written")
    files = [Path(file).resolve() for file in targets if file != PIPE]
    if len(set(files)) < len(files):
        raise click.UsageError("Two of the files would get the same name")
    if set(files) & {Path(source).resolve() for source in sources if source != PIPE}:
        raise click.UsageError("A file would be written over itself")
    for file in files:
        # By its name: the first pixels of a frame may well look like the start of a JPEG.
        if suffix != ".png" and file.is_file() and file.suffix.lower() in _PICTURES:
            raise click.UsageError(f"{file.name} is a picture, and a frame would be written over it")
    return targets


def _read(source: str) -> bytes:
    return sys.stdin.buffer.read() if source == PIPE else Path(source).read_bytes()


def _write(target: str, data: bytes) -> None:
    if target == PIPE:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        Path(target).write_bytes(data)
