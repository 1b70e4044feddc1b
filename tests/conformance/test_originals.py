"""Below /original an answer is the server's own, whatever it is. Checks 18, 19 and 21 to 24."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any

import pytest

from conformance.both import FAMILY, ORIGINAL, Both, assert_same, first_of, header, pictures, redrawn
from fakes.pictures import b64, encode, gradient, png
from service import TXT2IMG

ODD_IMAGES: list[Any] = [
    [b64(encode(gradient(), "JPEG")), b64(encode(gradient(), "WEBP")), b64(encode(gradient(), "GIF"))],
    ["/outputs/a.mp4", b64(png()), "", "===", None, 7, {"a": [1]}],
    ["data:image/png;base64," + b64(png()), "\n".join([b64(png())[:40], b64(png())[40:].rstrip("=")])],
    [],
    [""],
    None,
    ...,
]


def digests(images: list[bytes]) -> list[str]:
    return [hashlib.sha256(image).hexdigest() for image in images]


async def test_check_18_pictures_keep_every_byte(both: Both) -> None:
    direct, through = await both.ask("POST", TXT2IMG, both.body(prompt="a lighthouse, 熊"))
    assert digests(pictures(through)) == digests(pictures(direct)) != []
    words = b"a lighthouse" in pictures(through)[0]
    assert words == (both.kind == "sdcpp") or both.kind in FAMILY  # theirs are in iTXt and EXIF


@pytest.mark.parametrize("base", [ORIGINAL, ""])
async def test_check_18_the_words_of_a_picture_can_be_read_again(both: Both, base: str) -> None:
    _, drawn = await both.ask("POST", TXT2IMG, both.body(prompt="a lighthouse, 熊"))
    image = {"image": "data:image/png;base64," + drawn.json()["images"][0]}
    direct = await both.same("POST", "/sdapi/v1/png-info", image, base)
    if both.server.has_png_info:
        assert direct.json()["info"] == json.loads(drawn.json()["info"])["infotexts"][0] != ""


async def test_check_19_info_and_parameters_are_not_touched(both: Both) -> None:
    direct, through = await both.ask("POST", TXT2IMG, both.body())
    there, here = direct.json(), through.json()
    assert list(here) == list(there)
    assert (here.get("info", ...), here.get("parameters", ...)) == (
        there.get("info", ...),
        there.get("parameters", ...),
    )
    assert isinstance(here.get("info", ""), str) or both.server.info_form == "object"


@pytest.mark.parametrize("base", [ORIGINAL, ""])
async def test_check_21_a_list_is_compressed_for_those_who_ask(both: Both, base: str) -> None:
    for path in ("options", "script-info"):
        plain = await both.same("GET", f"/sdapi/v1/{path}", None, base)
        assert header(plain, "content-encoding") is None
        direct, through = await both.ask("GET", f"/sdapi/v1/{path}", None, base, accept_encoding="gzip, deflate")
        assert_same(direct, through, path)
        assert header(through, "content-length") == str(len(through.body))
        packed = header(through, "content-encoding") == "gzip"
        assert (gzip.decompress(through.body) if packed else through.body) == plain.body


async def test_check_21_pictures_are_never_compressed_again(both: Both) -> None:
    plain = await both.ask_direct("POST", TXT2IMG, both.body())
    for base, accepted in ((ORIGINAL, "gzip"), (ORIGINAL, "identity"), ("", "gzip")):
        through = await both.ask_through("POST", base + TXT2IMG, both.body(), accept_encoding=accepted)
        assert header(through, "content-encoding") is None
        assert header(through, "content-length") == str(len(through.body))
        assert through.body == plain.body or base == ""


async def test_check_22_without_images_there_are_none(both: Both) -> None:
    for off in (False, "no"):
        direct = await both.same("POST", TXT2IMG, both.body(send_images=off))
        through = await both.ask_through("POST", TXT2IMG, both.body(send_images=off))
        assert through.status == direct.status
        if both.kind in FAMILY:
            assert direct.json()["images"] == through.json()["images"] == []
            assert json.loads(through.json()["info"]).items() >= json.loads(direct.json()["info"]).items()


async def test_check_23_whatever_stands_among_the_images_passes(both: Both) -> None:
    for images in ODD_IMAGES:
        both.dress = redrawn(images)
        direct = await both.same("POST", TXT2IMG, both.body())
        assert direct.status == 200
        assert direct.json().get("images", ...) == images


async def test_check_24_the_order_and_the_grid_are_kept(both: Both) -> None:
    fields = {"n_iter": 2, "batch_size": 2}
    if both.kind in FAMILY:
        fields["save_images"] = True
    direct, through = await both.ask("POST", TXT2IMG, both.body(**fields))
    assert through.json()["images"] == direct.json()["images"]
    assert len(pictures(through)) == both.server.count_of(2, 2) + first_of(through)
    assert first_of(through) == (1 if both.server.puts_grid_first else 0)


async def test_check_24_and_every_one_becomes_a_frame(both: Both) -> None:
    direct, through = await both.draw(n_iter=2, batch_size=2)
    frames = [base64.b64decode(frame) for frame in through.json()["images"]]
    assert len(frames) == len(pictures(direct))
    assert len(set(frames)) == len(set(pictures(direct)))
