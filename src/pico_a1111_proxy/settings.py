"""Settings: every knob, read from the environment and `.env`, all faults told at once."""

from __future__ import annotations

import difflib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from dotenv.parser import parse_stream
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pico_a1111_proxy import checks
from pico_a1111_proxy.checks import DEMO_URL, split
from pico_a1111_proxy.displays import MAX_SIDE, Display, default_display
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.peers import check_proxies
from pico_a1111_proxy.profiles import Profiles, read_profiles
from pico_a1111_proxy.rates import check_rates

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Relay = Literal["on", "off"]


class SettingsError(Exception):
    """One message that names every wrong setting; it shows no secret."""


Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Choice = BeforeValidator(checks.lower)


class Settings(BaseSettings):
    """Every knob, named as its environment variable in lower case; an empty value counts as not set."""

    model_config = SettingsConfigDict(env_file_encoding="utf-8-sig", env_ignore_empty=True, extra="ignore")

    a1111_base_url: Annotated[str, AfterValidator(checks.check_base_urls)] = Field(
        DEMO_URL, description="address of the web UI, such as http://192.168.1.100:7860; demo: draws without one"
    )
    a1111_username: Annotated[str | None, AfterValidator(checks.check_username)] = Field(
        None, description="user of the web UI's --api-auth"
    )
    a1111_password: SecretStr | None = Field(None, validate_default=True, description="its password")
    a1111_timeout: float = Field(60, gt=0, le=86400, description="seconds that a generation may take")

    service_host: str = Field("0.0.0.0", description="address to listen on")  # noqa: S104 - Picos must reach it
    service_port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    service_api_key: Annotated[SecretStr | None, AfterValidator(checks.check_keys)] = Field(
        None, description="keys that clients must send, comma-separated"
    )
    background_keys: SecretStr | None = Field(
        None, description="those of SERVICE_API_KEY whose jobs come after all others in the line of a fleet"
    )
    debug_mode: bool = Field(False, description="log requests and answers, secrets and pictures left out")
    log_format: Annotated[Literal["console", "json"], Choice] = Field("console", description="console or json")

    target_width: Side = Field(240, description="pixels of the default display")
    target_height: Side = Field(240, description="pixels of the default display")
    luminance_invert: bool = Field(True, description="send the default display a colour negative")
    json_images: Annotated[Literal["frame", "original"], Choice] = Field(
        "frame", description="what a client gets that asks for nothing: frame or original"
    )
    displays_file: Annotated[Profiles | None, NoDecode] = Field(
        None, exclude=True, description="TOML file with displays of your own, such as displays.toml"
    )

    max_workers: int = Field(4, ge=1, le=1000, description="generations in flight")
    queue_size: int = Field(10, ge=0, le=100000, description="requests that may wait")
    max_body_mb: float = Field(10, gt=0, le=4096, description="largest request body, in megabytes")
    drain_seconds: float = Field(30, ge=0, le=3600, description="time for running work at shutdown")

    enable_caching: bool = Field(True, description="remember repeatable pictures")
    cache_dir: str = Field("/tmp/pico_images", description="where")  # noqa: S108 - the plan's
    cache_max_mb: float = Field(512, gt=0, le=1e7, description="megabytes of pictures there")
    cache_ttl: float = Field(86400, gt=0, le=1e9, description="seconds that one is good for")
    cache_random: bool = Field(False, description="also pictures with a random seed")
    job_ttl: float = Field(600, gt=0, le=1e6, description="seconds that a finished job is kept")
    rate_limit: Annotated[str | None, AfterValidator(check_rates)] = Field(
        None, description="how often a client may ask for more than to look, such as 30/minute"
    )

    relay: Annotated[Relay, Choice] = Field("on", description="pass on A1111's other routes")
    relay_prefixes: Annotated[str, AfterValidator(checks.check_prefixes)] = Field(
        "", description="further paths to pass on, comma-separated, such as /sam, /StableStudio"
    )
    relay_server_control: bool = Field(False, description="let clients stop the web UI")
    allow_image_urls: bool = Field(False, description="let init_images be addresses")
    trusted_proxies: Annotated[str, AfterValidator(check_proxies)] = Field(
        "", description="whose X-Forwarded-For is believed, comma-separated, such as 127.0.0.1, 172.16.0.0/12"
    )
    cors_origins: Annotated[str, AfterValidator(checks.check_origins)] = Field(
        "", description="pages that may call the service, comma-separated, such as http://localhost:3000; * is all"
    )
    redis_url: Annotated[SecretStr | None, AfterValidator(checks.check_redis_url)] = Field(
        None, description="Redis that several proxies share, such as redis://:PASSWORD@192.168.1.5:6379/0"
    )
    fleet: Annotated[Literal["off", "celery"], Choice] = Field(
        "off", validate_default=True, description="celery: workers draw, which REDIS_URL brings together; or off"
    )

    @field_validator("a1111_password")
    @classmethod
    def _check_credentials(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        username = info.data.get("a1111_username", password)  # a wrong one has been told
        if (username is None) != (password is None):
            raise ValueError("goes together with A1111_USERNAME")
        return password

    @field_validator("background_keys")
    @classmethod
    def _check_background_keys(cls, keys: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        all_keys = info.data.get("service_api_key", keys)  # a wrong one has been told
        known = set(split(all_keys.get_secret_value())) if all_keys else set()
        if keys and not set(split(keys.get_secret_value())) <= known:
            raise ValueError("lists keys that are in SERVICE_API_KEY as well")
        return keys

    @field_validator("fleet")
    @classmethod
    def _check_fleet(cls, fleet: str, info: ValidationInfo) -> str:
        if fleet != "off" and info.data.get("redis_url", fleet) is None:  # a wrong one has been told
            raise ValueError("goes together with REDIS_URL")
        return fleet

    @field_validator("displays_file", mode="plain")
    @classmethod
    def _read_displays(cls, file: object, info: ValidationInfo) -> Profiles | None:
        """Read it here, so that its faults are told with all the others."""
        if not isinstance(file, str):
            return file if isinstance(file, Profiles) else None
        said = {name: info.data.get(name, field.default) for name, field in cls.model_fields.items()}
        default = default_display(said["target_width"], said["target_height"], said["luminance_invert"])
        return read_profiles(file, default)

    @property
    def displays(self) -> dict[str, Display]:
        """The displays known by name: the default one first, then the panels, then the own, which may replace them."""
        own = self.displays_file.displays if self.displays_file else {}
        return {self.default_display.name: self.default_display, **DISPLAYS, **own}

    @property
    def default_display(self) -> Display:
        """The display of whoever names none."""
        return default_display(self.target_width, self.target_height, self.luminance_invert)

    @property
    def draws_itself(self) -> bool:
        """Whether the built-in painter draws."""
        return self.a1111_base_url == DEMO_URL

    @property
    def base_urls(self) -> tuple[str, ...]:
        """The upstreams' addresses."""
        return split(self.a1111_base_url)

    @property
    def api_keys(self) -> tuple[str, ...]:
        """The keys that clients may send; empty means that none is asked for."""
        return split(self.service_api_key.get_secret_value()) if self.service_api_key else ()

    @property
    def background_api_keys(self) -> tuple[str, ...]:
        """Those of them whose jobs let all others go first."""
        return split(self.background_keys.get_secret_value()) if self.background_keys else ()

    @property
    def further_prefixes(self) -> tuple[str, ...]:
        """The paths that are relayed beside A1111's own."""
        return split(self.relay_prefixes)

    @property
    def origins(self) -> tuple[str, ...]:
        """The pages that may call."""
        return split(self.cors_origins)


def read_settings(env_file: str | None = ".env", **overrides: object) -> Settings:
    """Read the environment and `env_file`. Raises SettingsError, which names every wrong setting."""
    faults: list[str] = []
    try:
        faults += _strange_lines(env_file)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        faults.append(f"{env_file} can't be read: {why}")
        env_file = None
    try:
        settings = Settings(_env_file=env_file, **overrides)  # type: ignore[call-arg, arg-type]
    except ValidationError as error:
        faults += [line for fault in error.errors(include_input=False) for line in _describe(fault)]
    if faults:
        lines = "".join(f"\n  {fault}" for fault in faults)
        raise SettingsError(f"{len(faults)} wrong setting{'s' * (len(faults) > 1)}:{lines}")
    return settings


# It would warn of every strange line, twice and in its own words; ours are in the message.
logging.getLogger("dotenv.main").setLevel(logging.ERROR)

# What pydantic says in a programmer's words, by its own names of the faults.
_PLAIN_WORDS = {
    "bool_parsing": "is true or false",
    "float_parsing": "is a number",
    "int_parsing": "is a whole number",
    "greater_than": "is more than {gt:g}",
    "greater_than_equal": "is at least {ge:g}",
    "less_than_equal": "is at most {le:g}",
    "literal_error": "is {expected}",
}


def _describe(fault: ErrorDetails) -> list[str]:
    """A line for each thing that is wrong with one setting."""
    name = ".".join(map(str, fault["loc"])).upper()
    words = _PLAIN_WORDS.get(fault["type"])
    message = words.format(**fault.get("ctx", {})) if words else fault["msg"].removeprefix("Value error, ")
    return [f"{name}: {line}" for line in message.splitlines()]


def _strange_lines(env_file: str | None) -> list[str]:
    """Lines of the file that are no setting, or whose name is nearly one of ours: both would be silent otherwise."""
    if env_file is None or not Path(env_file).is_file():
        return []
    known = [name.upper() for name in Settings.model_fields]
    faults = []
    with Path(env_file).open(encoding="utf-8-sig") as lines:
        for line in parse_stream(lines):
            name = (line.key or "").upper()
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if line.error:
                faults.append(f"{env_file}, line {line.original.line}: is not NAME=value")
            elif name not in known and close:
                faults.append(f"{line.key}: no such setting; {close[0]} may be meant")
    return faults
