"""Headers: which of them pass between a client and the upstream, on the way up and on the way down."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pico_a1111_proxy.answers import Headers, end_to_end

# Host and Expect are settled by each connection. The client's credentials are for us. What it says about its own
# address would be believed by a web UI on this computer.
_NOT_UPWARDS = frozenset(
    (
        *("host", "expect", "authorization", "x-api-key"),
        *("forwarded", "x-real-ip", "x-client-ip", "x-original-url", "x-rewrite-url", "x-http-method-override"),
    )
)
_FAMILY_OF_FORWARDED = "x-forwarded-"

# Ours to say, and so is which pages may read the answer.
_NOT_DOWNWARDS = frozenset({"date", "server"})
_FAMILY_OF_CORS = "access-control-"


# They belong into no header, and our own HTTP library refuses to write some of them.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def upwards(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """A client's raw headers as they go up: in order, duplicates kept."""
    headers = end_to_end((name.decode("latin-1"), _text(value)) for name, value in raw)
    return tuple((name, value) for name, value in headers if _goes_up(name) and not _CONTROL.search(value))


def _goes_up(name: str) -> bool:
    plain = name.lower().replace("_", "-")  # some servers take the one for the other
    return plain not in _NOT_UPWARDS and not plain.startswith(_FAMILY_OF_FORWARDED)


def _text(value: bytes) -> str:
    """A value as text, which goes up as UTF-8: other bytes arrive as the same characters, if not as the same bytes."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def downwards(headers: Headers, base: str = "") -> list[tuple[bytes, bytes]]:
    """An upstream's headers as they go down, raw; a Location leads back under the client's own `base`."""
    raw = []
    for name, value in headers:
        low = name.lower()
        if low in _NOT_DOWNWARDS or low.startswith(_FAMILY_OF_CORS) or _CONTROL.search(value):
            continue
        led = base + value if low == "location" and value.startswith("/") else value
        raw.append((low.encode("latin-1"), led.encode("utf-8", "surrogateescape")))
    return raw
