"""Flags: A1111 tells its command line to whoever asks, passwords included; here they are blanked."""

from __future__ import annotations

from typing import Any

from pico_a1111_proxy.answers import Headers
from pico_a1111_proxy.errors import UpstreamNonsense
from pico_a1111_proxy.jobs import read_json
from pico_a1111_proxy.proxy import RelayAnswer
from pico_a1111_proxy.web.access import names_secret
from pico_a1111_proxy.web.bodies import replace_values
from pico_a1111_proxy.web.transfers import at_once

LONGEST = 2**20  # bytes; A1111 has 10 kB of them


def ask_in_plain(headers: Headers) -> Headers:
    """A request's headers that ask for an answer that can be read here."""
    return (*(header for header in headers if header[0].lower() != "accept-encoding"), ("Accept-Encoding", "identity"))


async def without_secrets(answer: RelayAnswer) -> RelayAnswer:
    """The answer with its secrets blanked and no other byte changed. Raises UpstreamError."""
    body = b""
    async for chunk in answer.body:
        body += chunk
        if len(body) > LONGEST:
            raise UpstreamNonsense("The upstream's flags are too long to be looked through for passwords")
    if isinstance(read_json(body), dict):
        try:
            body = replace_values(body, _blank)
        except (RecursionError, ValueError) as error:
            raise UpstreamNonsense("The upstream's flags can't be looked through for passwords") from error
    elif answer.status < 300 and body:
        raise UpstreamNonsense("The upstream's flags are no JSON object")
    headers = tuple(header for header in answer.headers if header[0].lower() != "content-length")
    # To HEAD there is no body, and its length is not known.
    length = (("Content-Length", str(len(body))),) if body else ()
    return RelayAnswer(answer.status, headers + length, at_once(body))


def _blank(name: str, value: Any) -> str | None:
    """What stands in place of a flag's value; None leaves it. Who asks may still see that there is one."""
    if not _is_secret(name, value):
        return None
    return '"***"' if isinstance(value, str) else "null"


def _is_secret(name: str, value: Any) -> bool:
    if isinstance(value, dict) and any(_is_secret(inner, item) for inner, item in value.items()):
        return True
    if isinstance(value, list) and any(_is_secret(name, item) for item in value):
        return True
    return names_secret(name) and bool(value) and not isinstance(value, (bool, int, float))
