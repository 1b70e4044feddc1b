"""Settings as a command reads them: a fault ends it with one message, and none are read that it does not need."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pico_a1111_proxy.settings import Settings

_ENV_FILE = Path(".env")
_DISPLAYS_FILE = "displays_file"
# A line that names it and is no comment. It may be part of another value: then the settings are read for nothing.
_NAMES_DISPLAYS_FILE = re.compile(rf"^[^#\r\n]*{_DISPLAYS_FILE}".encode(), re.IGNORECASE | re.MULTILINE)


def load_settings(**overrides: Any) -> Settings:
    """The settings of the environment and .env. Raises ClickException, which names every wrong one."""
    # Imported here, since a display known by name is converted for without any, in half the time.
    from pico_a1111_proxy.settings import SettingsError, read_settings  # noqa: PLC0415

    try:
        return read_settings(**overrides)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def may_have_own_displays() -> bool:
    """Whether the environment or .env may set DISPLAYS_FILE; only reading the settings tells for sure.

    A file of one's own may also replace a display known by name, so this has to be asked first of all.
    """
    if any(name.lower() == _DISPLAYS_FILE and value for name, value in os.environ.items()):
        return True
    try:
        return bool(_NAMES_DISPLAYS_FILE.search(_ENV_FILE.read_bytes().replace(b"\r", b"\n")))
    except FileNotFoundError:
        return False
    except OSError:
        return True  # reading the settings will say what is wrong with the file
