"""What upstreams answer, read tolerantly: JSON, base64, and the personalities of a dozen servers."""

from __future__ import annotations

import base64
import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fakes.pictures import b64, encode, png
from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.errors import PictureError, UpstreamNonsense
from pico_a1111_proxy.jobs import Generation, Progress, decode_base64, read_json

tries = settings(deadline=None)

PNG = b64(png())
JPEG = b64(encode(Image.new("RGB", (8, 8)), "JPEG"))
WEBP = b64(encode(Image.new("RGB", (8, 8)), "WEBP"))
GIF = b64(encode(Image.new("RGB", (8, 8)), "GIF"))
BMP = b64(encode(Image.new("RGB", (8, 8)), "BMP"))
A1111_INFO = {"seed": 7, "all_seeds": [7, 8], "index_of_first_image": 1, "infotexts": ["a", "b"]}


def read(document: Any) -> Generation:
    return Generation.read(Answer(200, (), json.dumps(document).encode()))


def of(*images: Any, **info: Any) -> Generation:
    return read({"images": list(images), "info": json.dumps(info)})


# --- JSON ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"{}", {}),
        ('{"a": 1}', {"a": 1}),
        (b"null", None),
        (b'"\\ud800"', "\ud800"),  # half a character, which A1111 takes
        (b"\xef\xbb\xbf[1]", [1]),  # a byte order mark
        ('{"ä": 1}'.encode("utf-16"), {"ä": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_json_is_read_as_a1111_reads_it(text: bytes | str, value: Any) -> None:
    assert read_json(text) == value


def test_numbers_beyond_the_standard_are_read() -> None:
    numbers = read_json(b"[NaN, Infinity, 1e-7, 18446744073709551615]")

    assert str(numbers) == "[nan, inf, 1e-07, 18446744073709551615]"


@pytest.mark.parametrize("text", [b"", b"{", b"{bad", b"<html>", b"\xff\xfe", b"[" * 100_000, b"1" * 5000, "\ud800"])
def test_what_is_no_json_is_none(text: bytes | str) -> None:
    assert read_json(text) is None


@tries
@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(text: bytes) -> None:
    read_json(text)


# --- base64 ---


@tries
@given(
    data=st.binary(max_size=100),
    prefix=st.sampled_from(["", "data:image/png;base64,", "data:;base64,", "data:,"]),
    padded=st.booleans(),
    cuts=st.lists(st.tuples(st.integers(0, 140), st.sampled_from("\n\r\t ")), max_size=5),
)
def test_base64_is_read_as_servers_write_it(
    prefix: str, padded: bool, data: bytes, cuts: list[tuple[int, str]]
) -> None:
    text = b64(data) if padded else b64(data).rstrip("=")
    for cut, space in cuts:
        text = text[:cut] + space + text[cut:]

    assert decode_base64(prefix + text) == data


@pytest.mark.parametrize(
    "text", ["a b!", "Y", "abcde", "YQ==YQ==", "é", "\ud800", "/tmp/video.mp4", "data:image/png;base64,?"]
)
def test_what_is_no_base64_is_none(text: str) -> None:
    assert decode_base64(text) is None


@tries
@given(data=st.binary(min_size=1, max_size=60))
def test_the_alphabet_for_addresses_is_refused(data: bytes) -> None:
    # No server writes it, and half of what is read so would be a path and no picture.
    text = base64.urlsafe_b64encode(data).decode()
    same = text == b64(data)

    assert decode_base64(text) == (data if same else None)


@tries
@given(st.text(alphabet=string.printable + "é\u2028", max_size=100))
def test_no_text_makes_the_decoder_fail(text: str) -> None:
    assert isinstance(decode_base64(text), bytes | None)


# --- the personalities ---


@pytest.mark.parametrize(
    ("document", "pictures", "first", "seed"),
    [
        pytest.param(
            {"images": [PNG, PNG, PNG], "parameters": {}, "info": json.dumps(A1111_INFO)}, (0, 1, 2), 1, 7, id="a1111"
        ),
        pytest.param({"images": [JPEG], "parameters": {}, "info": ""}, (0,), 0, None, id="sdnext"),
        pytest.param({"images": [PNG], "parameters": {}, "info": '{"seed": 5}'}, (0,), 0, 5, id="sdcpp"),
        pytest.param({"images": [GIF], "animated": True, "parameters": {}, "info": ""}, (0,), 0, None, id="koboldcpp"),
        pytest.param({"images": [""], "parameters": {}, "info": ""}, (), 0, None, id="koboldcpp-failed"),
        pytest.param({"images": [PNG]}, (0,), 0, None, id="drawthings"),
        pytest.param({"images": []}, (), 0, None, id="drawthings-empty"),
        pytest.param({"images": [PNG], "parameters": {}, "info": {"created": 1}}, (0,), 0, None, id="xinference"),
        pytest.param(
            {"images": [PNG, PNG], "info": json.dumps({"seed": 3, "all_seeds": [3], "index_of_first_image": 0})},
            (0, 1),
            0,
            3,
            id="forge-with-a-detect-map",
        ),
    ],
)
def test_each_server_is_understood(
    document: dict[str, Any], pictures: tuple[int, ...], first: int, seed: int | None
) -> None:
    generation = read(document)

    assert generation.pictures == pictures
    assert generation.first == first
    assert generation.seed(first) == seed
    assert generation.images == tuple(document["images"])
    assert generation.parameters == {}


@pytest.mark.parametrize(
    ("info", "read_as"),
    [
        ('{"seed": 1}', {"seed": 1}),
        ({"seed": 1}, {"seed": 1}),
        ("", {}),
        (None, {}),
        ([1], {}),
        (7, {}),
        ("words", {"info": "words"}),
        ("[1]", {"info": "[1]"}),
    ],
)
def test_info_in_any_shape(info: Any, read_as: dict[str, Any]) -> None:
    assert read({"images": [PNG], "info": info}).info == read_as


@pytest.mark.parametrize("parameters", [None, [], "x", 1])
def test_parameters_that_are_no_object_are_empty(parameters: Any) -> None:
    assert read({"images": [PNG], "parameters": parameters}).parameters == {}


@pytest.mark.parametrize(
    "document", [{}, {"images": None}, {"images": PNG}, {"images": {"0": PNG}}, {"detail": "Not Found"}]
)
def test_an_answer_without_a_list_of_images_is_nonsense(document: Any) -> None:
    with pytest.raises(UpstreamNonsense, match="no list of images") as caught:
        read(document)
    assert caught.value.answer is not None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b"null", b'{"images": ["iVBO'])
def test_an_answer_that_is_no_object_is_nonsense(body: bytes) -> None:
    with pytest.raises(UpstreamNonsense, match="not a JSON object") as caught:
        Generation.read(Answer(200, (), body))
    assert caught.value.answer == Answer(200, (), body)


@pytest.mark.parametrize(
    ("index", "first"),
    [(0, 0), (1, 1), (2, 0), (-1, 0), (None, 0), ("1", 0), (1.0, 0), (True, 0), ([1], 0), (10**30, 0)],
)
def test_a_first_image_that_can_not_be_is_the_first(index: Any, first: int) -> None:
    assert of(PNG, PNG, index_of_first_image=index).first == first


def test_strings_that_are_no_pictures_are_passed_over() -> None:
    generation = of(
        "/tmp/out.mp4", PNG, "", None, 7, {"a": 1}, b64(b"words"), JPEG, WEBP, GIF, BMP, "data:image/png;base64," + PNG
    )

    assert generation.pictures == (1, 7, 8, 9, 10, 11)
    assert generation.picture(11) == generation.picture(1) == png()


@pytest.mark.parametrize(
    "write", [lambda t: "\n" + t, lambda t: f"{t[:3]}\r\n{t[3:]}", lambda t: t.rstrip("="), lambda t: f" {t} "]
)
@pytest.mark.parametrize("picture", [PNG, JPEG, WEBP, GIF, BMP])
def test_a_picture_is_known_however_it_is_written(write: Any, picture: str) -> None:
    generation = of(write(picture))

    assert generation.pictures == (0,)
    assert generation.picture(0) == base64.b64decode(picture)


def test_a_picture_with_a_damaged_middle_is_a_picture_that_can_not_be_read() -> None:
    generation = of(PNG[:80] + "!" + PNG[80:])

    assert generation.pictures == (0,)  # by its first bytes, and that is all that is looked at
    with pytest.raises(PictureError, match="Failed to process image: "):
        generation.picture(0)


@pytest.mark.parametrize(
    ("info", "seeds"),
    [
        ({"seed": 10**4000}, [None, None, None]),
        ({"seed": -1}, [None, None, None]),
        ({"seed": 5, "all_seeds": [5, 6], "index_of_first_image": 1}, [5, 5, 6]),  # the grid has that of the first
        ({"seed": 5, "all_seeds": [5, 6]}, [5, 6, 5]),
        ({"seed": 5}, [5, 5, 5]),
        ({"all_seeds": [5, "x", None]}, [5, None, None]),
        ({"seed": 2**63}, [2**63] * 3),
        ({"seed": True, "all_seeds": "5"}, [None] * 3),
        ({"seed": 1.5}, [None] * 3),
        ({}, [None] * 3),
    ],
)
def test_the_seed_of_each_image(info: dict[str, Any], seeds: list[int | None]) -> None:
    generation = of(PNG, PNG, PNG, **info)

    assert [generation.seed(index) for index in range(3)] == seeds


def test_progress_is_busy_while_there_are_steps() -> None:
    assert not Progress().busy
    assert Progress(fraction=0.5, step=5, steps=10).busy
