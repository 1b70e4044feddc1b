"""Parcels: whatever is packed comes out again, errors as themselves, and damage is told."""

from __future__ import annotations

import ast
import base64
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.pictures import encode, gradient
from pico_a1111_proxy import errors, fleet
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.errors import ProxyError, UpstreamError, UpstreamNonsense
from pico_a1111_proxy.fleet.parcels import pack, pack_answer, read_error, unpack, unpack_answer, wrap_error

LONG = st.binary(min_size=740, max_size=1600).map(base64.b64encode)
NEWLINE, PREFIX = st.sampled_from([b"\n", b"\r\n", b" "]), st.sampled_from([b"data:image/png;base64,", b'"', b"="])


def broken_in_two(text: bytes, at: int, by: bytes) -> bytes:
    return text[: at % len(text)] + by + text[at % len(text) :]


BODIES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        LONG,
        LONG.map(lambda text: text.rstrip(b"=")),  # without its padding
        LONG.map(lambda text: text + b"=="),  # and with too much of it
        LONG.map(lambda text: text[:-3] + b"/w=="),
        LONG.map(lambda text: text[:-3] + b"/x=="),  # whose last bits are lost when it is decoded
        st.builds(broken_in_two, LONG, st.integers(0, 3000), NEWLINE),
        st.builds(lambda text, before: before + text, LONG, PREFIX),
    ),
    max_size=6,
).map(b"".join)

HEADERS = st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=5).map(tuple)
ANSWER = Answer(404, (("Content-Type", "text/plain"), ("X", "1"), ("X", "caf\udce9")), b"no \xff")


@given(BODIES)
def test_what_was_packed_comes_out_as_it_was(body: bytes) -> None:
    assert unpack(pack(body)) == body


@given(st.integers(100, 599), HEADERS, BODIES)
def test_so_does_an_answer(status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
    answer = Answer(status, headers, body)
    assert unpack_answer(pack_answer(answer)) == answer


@pytest.mark.parametrize("prefix", [b"", b"data:image/png;base64,"])
def test_a_picture_travels_as_bytes(prefix: bytes) -> None:
    picture = encode(gradient((256, 256)))
    text = base64.b64encode(picture)
    body = b'{"images": ["' + prefix + text + b'"], "info": "{}"}'
    assert picture in pack(body)
    assert len(pack(body)) < len(picture) + len(body) - len(text) + 100


@given(st.binary(max_size=200))
def test_what_is_no_parcel_is_nonsense(parcel: bytes) -> None:
    for read in (unpack, unpack_answer):
        with suppress(UpstreamNonsense):
            read(parcel)


@given(st.data())
def test_a_parcel_that_was_cut_off_is_nonsense(data: st.DataObject) -> None:
    whole = pack_answer(Answer(200, (("A", "b"),), b"a body"))
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with suppress(UpstreamNonsense):
        assert unpack_answer(cut).body == b""  # cut off just where it begins


@pytest.mark.parametrize("head", [b"", b"{}", b"1", b"null", b"[1e999, []]", b"[1, [1]]", b"[" * 100_000, b"\xff"])
def test_the_head_of_an_answer_may_be_damaged_in_any_way(head: bytes) -> None:
    with pytest.raises(UpstreamNonsense):
        unpack_answer(b"\0" + len(head).to_bytes(8, "big") + head)


# --- Errors ---------------------------------------------------------------------------------------------------------


def family(kind: type[ProxyError] = ProxyError) -> Iterator[type[ProxyError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


def example(kind: type[ProxyError]) -> ProxyError:
    if issubclass(kind, errors.QueueFull):
        return kind("words", 7)
    if issubclass(kind, errors.ShuttingDown):
        return kind(9)
    if issubclass(kind, errors.FleetUnavailable):
        return kind("words", "detail", 11)
    if issubclass(kind, UpstreamError):
        return kind("words", "detail", ANSWER, unsent=True)
    return kind("words", "detail")


@pytest.mark.parametrize("kind", [*family()])
def test_every_error_crosses_as_itself_with_all_it_says(kind: type[ProxyError]) -> None:
    error = example(kind)
    crossed = read_error(*wrap_error(error))
    assert type(crossed) is kind
    assert str(crossed) == str(error)
    assert vars(crossed) == vars(error)


@pytest.mark.parametrize("words", ["no UTF-8: \udce9", "a\0b", "äöü 画", ""])
def test_whatever_an_upstream_says_crosses(words: str) -> None:
    crossed = read_error(*wrap_error(errors.UpstreamRejected(words, words + ".")))
    assert (str(crossed), crossed.detail) == (words, words + ".")


def test_an_error_that_says_nothing_of_being_unsent_was_sent() -> None:
    crossed = read_error(*wrap_error(errors.UpstreamTimeout("words")))
    assert isinstance(crossed, errors.UpstreamTimeout)
    assert (crossed.unsent, crossed.answer) == (False, None)


@pytest.mark.parametrize("text", [b"", b"[]", b"1", b"{}", b'{"kind": "QueueFull"}', b"\xff", b"[" * 100_000])
def test_a_damaged_error_is_nonsense(text: bytes) -> None:
    assert type(read_error(text, None)) is UpstreamNonsense


@pytest.mark.parametrize("kind", ["", "Answer", "math", "OSError", "whole_retry", "__doc__"])
def test_an_error_that_is_none_of_ours_is_one_that_is(kind: str) -> None:
    crossed = read_error(b'{"kind": "%s", "words": "a", "detail": "b"}' % kind.encode(), None)
    assert type(crossed) is ProxyError


def test_nothing_in_the_fleet_is_ever_unpickled() -> None:
    assert fleet.__file__
    files = [*Path(fleet.__file__).parent.glob("*.py"), *Path(fleet.__file__).parents[1].glob("*/redis.py")]
    names = {
        name.name.partition(".")[0]
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in [
            *node.names,
            *([ast.alias(node.module)] if isinstance(node, ast.ImportFrom) and node.module else []),
        ]
    }
    assert "celery" in names
    assert not names & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
