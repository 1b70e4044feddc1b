"""Flags: A1111 tells its command line to whoever asks, passwords included; here those are blanked."""

from __future__ import annotations

import re
from typing import Any

from pico_a1111_proxy.answers import Headers, at_once, without
from pico_a1111_proxy.errors import UpstreamNonsense
from pico_a1111_proxy.jobs import read_json
from pico_a1111_proxy.proxy import RelayAnswer
from pico_a1111_proxy.web.access import names_secret
from pico_a1111_proxy.web.bodies import replace_values
from pico_a1111_proxy.web.transfers import whole_body

LONGEST_FLAGS = 2**20  # bytes; A1111 has 10 kB of them
LONGEST_SYSINFO = 2**23  # bytes; A1111 has some 100 kB of it
# As they stand in one text, or in two of a list; and in an address.
_ARGUMENT = re.compile(rb'(--(?:api-auth|gradio-auth|ngrok)(?:=|\s+|"\s*,\s*")(?:\\")?)[^\s"\\]+')
_LOGIN = re.compile(rb'//[^/@\s"]{1,200}@')


def ask_in_plain(headers: Headers) -> Headers:
    """A request's headers that ask for an answer that can be read here."""
    return (*without(headers, {"accept-encoding"}), ("Accept-Encoding", "identity"))


async def without_secrets(answer: RelayAnswer, by_name: bool) -> RelayAnswer:
    """The answer with passwords blanked in what looks like a command line or an address, and no other byte changed.

    `by_name` also blanks the values whose names tell of a secret; the answer must then be a JSON object. Raises
    UpstreamError.
    """
    body = await whole_body(answer, LONGEST_FLAGS if by_name else LONGEST_SYSINFO)
    if body and any(
        name.lower() == "content-encoding" and value.lower() != "identity" for name, value in answer.headers
    ):
        raise UpstreamNonsense("The upstream's answer is compressed and can't be looked through for passwords")
    if by_name:
        body = _blank_by_name(body, answer.status)
    body = _LOGIN.sub(b"//***@", _ARGUMENT.sub(rb"\1***", body))
    # To HEAD there is no body, and its length is not known.
    length = (("Content-Length", str(len(body))),) if body else ()
    return RelayAnswer(answer.status, without(answer.headers, {"content-length"}) + length, at_once(body))


def _blank_by_name(body: bytes, status: int) -> bytes:
    if isinstance(read_json(body), dict):
        try:
            return replace_values(body, _blank)
        except (RecursionError, ValueError) as error:
            raise UpstreamNonsense("The upstream's flags can't be looked through for passwords") from error
    if status < 300 and body:
        raise UpstreamNonsense("The upstream's flags are no JSON object")
    return body


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
