"""The command line: a group of commands, each in the room of what it works on."""

from __future__ import annotations

import click

from pico_a1111_proxy.cli.cache import cache
from pico_a1111_proxy.cli.displays import displays
from pico_a1111_proxy.cli.fleet import fleet
from pico_a1111_proxy.cli.panel import panel
from pico_a1111_proxy.cli.pictures import convert, preview, testcard
from pico_a1111_proxy.cli.serving import check_config, demo, doctor, serve
from pico_a1111_proxy.cli.worker import worker


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pico-a1111-proxy", message="%(prog)s %(version)s")
def main() -> None:
    """Stable Diffusion pictures for the small displays of microcontrollers."""


for _command in (serve, demo, convert, preview, testcard, displays, panel, cache, worker, fleet, doctor, check_config):
    main.add_command(_command)
