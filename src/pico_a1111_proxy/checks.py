"""Checks: how a setting is written, and what is said to who writes it otherwise; each raises ValueError."""

from __future__ import annotations

import re
from importlib.util import find_spec
from urllib.parse import urlsplit

from pydantic import SecretStr

DEMO_URL = "demo:"


def check_base_urls(text: str) -> str:
    """Web UIs' addresses, comma-separated, or `demo:`; the trailing slashes are dropped."""
    if "@" in text:  # first of all, so that no other message repeats them
        raise ValueError("holds no credentials: they go into A1111_USERNAME and A1111_PASSWORD")
    addresses = [_check_base_url(word) for word in split(text)] or [_check_base_url(text)]
    if len(set(addresses)) < len(addresses):
        raise ValueError("lists the same upstream twice")
    if DEMO_URL in addresses and len(addresses) > 1:
        raise ValueError("lists web UIs, or is demo:")
    return ",".join(addresses)


def _check_base_url(text: str) -> str:
    text = text.strip()
    if text.lower() in (DEMO_URL, DEMO_URL.rstrip(":")):
        return DEMO_URL
    if "://" not in text:
        raise ValueError(f"starts with http:// or https://, as in http://{text.lstrip('/')}")
    if "?" in text or "#" in text:
        raise ValueError("ends before any ? or #")
    no_host = ValueError("names a host and perhaps a port, as in http://192.168.1.100:7860")
    try:
        parts = urlsplit(text)
        port = parts.port
        (parts.hostname or "").encode("idna")  # as the resolver will
    except ValueError as error:
        raise no_host from error
    if parts.scheme not in ("http", "https"):
        raise ValueError("starts with http:// or https://")
    if not parts.hostname or port == 0 or any(c.isspace() for c in text):
        raise no_host
    return text.rstrip("/")


def check_redis_url(url: SecretStr | None) -> SecretStr | None:
    """The address of a Redis: `redis://`, or `rediss://` with TLS."""
    if url is None:
        return None
    if find_spec("redis") is None or find_spec("celery") is None:
        raise ValueError("needs what is not installed: pip install 'pico-a1111-proxy[fleet]'")
    good_form = ValueError("is an address such as redis://:PASSWORD@192.168.1.5:6379/0, or rediss://… with TLS")
    try:
        parts = urlsplit(url.get_secret_value())
        database = parts.path.lstrip("/")
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise good_form from None
    if parts.scheme not in ("redis", "rediss") or not has_place or parts.query or parts.fragment:
        raise good_form
    if database and not database.isdecimal():
        raise good_form
    return url


def check_username(text: str | None) -> str | None:
    """A user of Basic authentication."""
    if text and ":" in text:
        raise ValueError("can't hold a colon")
    return text


def check_keys(keys: SecretStr | None) -> SecretStr | None:
    """API keys, comma-separated."""
    if keys and not split(keys.get_secret_value()):
        raise ValueError("holds no key")  # else the service would be open, and its owner believe it closed
    return keys


def check_prefixes(prefixes: str) -> str:
    """Paths, comma-separated."""
    for prefix in split(prefixes):
        if not re.fullmatch(r"/[!-~]*", prefix) or re.search(r"//|/\.\.?(/|$)|[%?#\\]", prefix):
            raise ValueError("lists paths that begin with a slash, as in /sam, /StableStudio")
    return prefixes


def check_origins(origins: str) -> str:
    """Origins of pages, comma-separated, or `*`."""
    for origin in split(origins):
        if origin != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s?#@*]+", origin):
            raise ValueError("lists origins without a path, as in http://localhost:3000, or is *")
    return origins


def split(text: str) -> tuple[str, ...]:
    """The words between commas, without the empty ones."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def lower(value: object) -> object:
    """YAML and people write `Off`; YAML's bare `off` is even a boolean by the time it gets here."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value.lower() if isinstance(value, str) else value
