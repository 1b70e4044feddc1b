"""Settings: every knob, read from the environment and `.env`, all faults told at once."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pico_a1111_proxy.displays import MAX_SIDE

DEMO_URL = "demo:"

Relay = Literal["on", "off"]


# Read and checked, but nothing uses them in this version; whoever sets one is told.
LATER = frozenset(
    {
        "displays_file",
        "enable_caching",
        "cache_dir",
        "cache_max_mb",
        "cache_ttl",
        "cache_random",
        "job_ttl",
        "rate_limit",
        "relay",
        "relay_prefixes",
        "relay_server_control",
        "allow_image_urls",
        "trusted_proxies",
        "cors_origins",
        "redis_url",
        "fleet",
    }
)


class SettingsError(Exception):
    """One message that names every wrong setting; it shows no secret."""


def _check_base_url(text: str) -> str:
    """A web UI's address, with or without a sub-path, or `demo:`; the trailing slash is dropped."""
    if text == DEMO_URL:
        return text
    if "," in text:
        raise ValueError("takes one upstream in this version")
    if "://" not in text:
        raise ValueError(f"starts with http:// or https://, as in http://{text or '192.168.1.100:7860'}")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https"):
        raise ValueError("starts with http:// or https://")
    if not parts.hostname or any(c.isspace() for c in text):
        raise ValueError("names a host, as in http://192.168.1.100:7860")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds no credentials: they go into A1111_USERNAME and A1111_PASSWORD")
    if parts.query or parts.fragment:
        raise ValueError("ends before any ? or #")
    _ = parts.port  # raises ValueError for one that is no port
    return text.rstrip("/")


def _lower(value: object) -> object:
    """YAML and people write `Off`; YAML's bare `off` is even a boolean by the time it gets here."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value.lower() if isinstance(value, str) else value


Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Choice = BeforeValidator(_lower)


class Settings(BaseSettings):
    """Every knob, named as its environment variable in lower case; an empty value counts as not set."""

    model_config = SettingsConfigDict(env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore")

    a1111_base_url: Annotated[str, AfterValidator(_check_base_url)] = Field(
        DEMO_URL, description="address of the web UI, such as http://192.168.1.100:7860; demo: draws without one"
    )
    a1111_username: str | None = Field(None, description="user of the web UI's --api-auth")
    a1111_password: SecretStr | None = Field(None, description="its password")
    a1111_timeout: float = Field(60, gt=0, le=86400, description="seconds that a generation may take")

    service_host: str = Field("0.0.0.0", description="address to listen on")  # noqa: S104 - Picos must reach it
    service_port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    service_api_key: SecretStr | None = Field(None, description="keys that clients must send, comma-separated")
    debug_mode: bool = Field(False, description="log requests and answers, secrets and pictures left out")
    log_format: Annotated[Literal["console", "json"], Choice] = Field("console", description="console or json")

    target_width: Side = Field(240, description="pixels of the default display")
    target_height: Side = Field(240, description="pixels of the default display")
    luminance_invert: bool = Field(True, description="send the default display a colour negative")
    json_images: Annotated[Literal["frame", "original"], Choice] = Field(
        "frame", description="what a client gets that asks for nothing: frame or original"
    )
    displays_file: str | None = Field(None, description="TOML file with displays of your own")

    max_workers: int = Field(4, ge=1, le=1000, description="generations in flight")
    queue_size: int = Field(10, ge=0, le=100000, description="requests that may wait")
    max_body_mb: float = Field(10, gt=0, le=4096, description="largest request body, in megabytes")
    drain_seconds: float = Field(30, ge=0, le=3600, description="time for running work at shutdown")

    enable_caching: bool = Field(True, description="remember repeatable pictures")
    cache_dir: str = Field("/tmp/pico_images", description="where")  # noqa: S108 - the plan's
    cache_max_mb: float = Field(512, gt=0, description="how much")
    cache_ttl: float = Field(86400, gt=0, description="for how many seconds")
    cache_random: bool = Field(False, description="also pictures with a random seed")
    job_ttl: float = Field(600, gt=0, description="seconds that a finished job is kept")
    rate_limit: str | None = Field(None, description="such as 30/minute")

    relay: Annotated[Relay, Choice] = Field("on", description="pass on A1111's other routes")
    relay_prefixes: str = Field("", description="further paths to pass on")
    relay_server_control: bool = Field(False, description="let clients stop the web UI")
    allow_image_urls: bool = Field(False, description="let init_images be addresses")
    trusted_proxies: str = Field("", description="whose X-Forwarded-For is believed")
    cors_origins: str = Field("", description="pages that may call the service")
    redis_url: str | None = Field(None, description="Redis of a fleet")
    fleet: Annotated[Literal["off", "celery"], Choice] = Field("off", description="off or celery")

    @model_validator(mode="after")
    def _check_credentials(self) -> Settings:
        if (self.a1111_username is None) != (self.a1111_password is None):
            raise ValueError("A1111_USERNAME and A1111_PASSWORD go together")
        if self.a1111_username and ":" in self.a1111_username:
            raise ValueError("A1111_USERNAME can't hold a colon")
        return self

    @property
    def set_in_vain(self) -> list[str]:
        """Settings that somebody changed and that nothing uses in this version."""
        changed = {
            name for name in self.model_fields_set if getattr(self, name) != type(self).model_fields[name].default
        }
        return sorted(name.upper() for name in changed & LATER)

    @property
    def api_keys(self) -> tuple[str, ...]:
        """The keys that clients may send; empty means that none is asked for."""
        text = self.service_api_key.get_secret_value() if self.service_api_key else ""
        return tuple(key.strip() for key in text.split(",") if key.strip())


def read_settings(env_file: str | None = ".env", **overrides: object) -> Settings:
    """Read the environment and `env_file`. Raises SettingsError, which names every wrong setting."""
    faults: list[str] = []
    settings = None
    try:
        settings = Settings(_env_file=env_file, **overrides)  # type: ignore[call-arg, arg-type]
    except ValidationError as error:
        faults += [_describe(fault["loc"], fault["msg"]) for fault in error.errors(include_input=False)]
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{env_file} can't be read: {error.__class__.__name__}")
    else:
        faults += _misspelt(env_file)
    if settings is None or faults:
        lines = "".join(f"\n  {fault}" for fault in faults)
        raise SettingsError(f"{len(faults)} wrong setting{'s' * (len(faults) > 1)}:{lines}")
    return settings


def _describe(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    name = ".".join(map(str, location)).upper()
    return f"{name}: {message}" if name else message


def _misspelt(env_file: str | None) -> list[str]:
    """Names in the file that are nearly one of ours: a typo there would be silent otherwise."""
    known = [name.upper() for name in Settings.model_fields]
    faults = []
    for name in dotenv_values(env_file) if env_file else ():
        close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.85)
        if name.upper() not in known and close:
            faults.append(f"{name}: no such setting; {close[0]} is meant?")
    return faults
