"""If-None-Match as clients and what stands between them write it; what is not understood never hides a picture."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from pico_a1111_proxy.web.conditional import ANY, conditional, named_tags
from pico_a1111_proxy.web.representations import Representation

THERE = Representation(b"frame", "application/octet-stream", {"X-Image-Width": "240"})
TAG = THERE.etag


def ask(*lines: str) -> Request:
    headers = [(b"if-none-match", line.encode("latin-1")) for line in lines]
    return Request({"type": "http", "method": "GET", "headers": headers})


@pytest.mark.parametrize(
    "lines",
    [
        [TAG],
        [f"W/{TAG}"],  # what nginx makes of it where it compresses
        [f'"a", {TAG}'],
        [f'"a",{TAG},"b"'],
        ['"a"', f"W/{TAG}"],
        [f'"a,b" , {TAG}'],
        [f', ,{TAG},, "'],
        [f'"", {TAG}'],
        [f'"\xe9", {TAG}'],
        ["*"],
        [" * "],
        ["*", ""],
    ],
)
def test_what_names_it_gets_no_bytes(lines: list[str]) -> None:
    response = conditional(ask(*lines), THERE)
    assert (response.status_code, response.body) == (304, b"")
    assert dict(response.headers) == {"etag": TAG, "cache-control": "no-cache", "vary": "Accept"}


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        ['"a"'],
        ['"a", "b"', '"c"'],
        [TAG.strip('"')],  # a tag has quotes
        [f"w{TAG[:-1]}"],
        [TAG[:-2] + '"'],
        [f'"{TAG.strip(chr(34))} "'],
        ["**"],
        ["*, *"],
        ['"*"'],
        ["junk", '"', '"""', "W/"],
        [TAG.upper().replace("A", "B")],
    ],
)
def test_what_does_not_name_it_gets_all(lines: list[str]) -> None:
    response = conditional(ask(*lines), THERE)
    assert (response.status_code, response.body) == (200, b"frame")
    headers = dict(response.headers)
    assert headers["content-length"] == "5"
    assert (headers["etag"], headers["x-image-width"]) == (TAG, "240")
    assert (headers["cache-control"], headers["vary"]) == ("no-cache", "Accept")


@settings(deadline=None)
@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=30), max_size=4))
def test_whatever_comes_is_read(lines: list[str]) -> None:
    tags = named_tags(ask(*lines))
    assert tags == {ANY} or all(tag[0] == tag[-1] == '"' and tag.count('"') == 2 for tag in tags)


def test_a_long_line_is_read_in_no_time() -> None:
    assert named_tags(ask('"' * 60_000)) == {'""'}
    assert named_tags(ask('W/"' * 20_000 + "W/" * 20_000)) == {'"W/"'}
