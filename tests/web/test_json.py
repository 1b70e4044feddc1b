"""The answer `json`: A1111's document, with a frame in the place of each picture."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer
from fakes.pictures import BLUE, GREEN, RED, WHITE, b64, encode, gradient, png
from service import Service

FRAME = {
    "width": 240,
    "height": 240,
    "format": "rgb565-be",
    "bytes": 115200,
    "description": "240x240 RGB565 format for Pico LCD",
}


def frames(document: Any) -> list[bytes]:
    return [base64.b64decode(image, validate=True) for image in document["images"]]


async def test_every_picture_becomes_a_frame_in_order(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = answer(png(RED), png(GREEN), png(BLUE), png(WHITE), info='{"index_of_first_image": 1}')
    got = await service.txt2img({}, "?invert=false")
    assert got.headers["Content-Type"] == "application/json"
    assert frames(got.json()) == [word * 57600 for word in (b"\xf8\x00", b"\x07\xe0", b"\x00\x1f", b"\xff\xff")]


async def test_what_is_no_picture_is_left_out(service: Service, upstream: ScriptedA1111) -> None:
    path, video = "/outputs/2026/a.mp4", b64(b"\0\0\0\x20ftypisom" + bytes(90))
    upstream.standing = answer(path, png(RED), video, "", None, 5, {"a": 1}, ["x"], png(GREEN), "not base64 !")
    got = await service.txt2img({}, "?invert=false")
    assert frames(got.json()) == [b"\xf8\x00" * 57600, b"\x07\xe0" * 57600]


async def test_the_frames_are_those_of_the_display(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = answer(encode(gradient()))
    query = "?display=waveshare-pico-lcd-1.14&format=bgr565-le"
    got = await service.txt2img({}, query)
    about = json.loads(got.json()["info"])["frame"]
    assert about == {
        "width": 240,
        "height": 135,
        "format": "bgr565-le",
        "bytes": 64800,
        "description": "240x135 BGR565 format for Pico LCD",
    }
    assert frames(got.json()) == [(await service.frame({}, query)).body]


async def test_info_is_text_and_keeps_the_upstreams_keys(service: Service, upstream: ScriptedA1111) -> None:
    theirs = {"seed": 9223372036854775808, "all_seeds": [1, 2], "prompt": "熊 \ud83d", "cfg_scale": 1e-07, "x": None}
    upstream.standing = answer(png(), info=json.dumps(theirs), parameters={"prompt": "熊", "seed": -1, "eta": None})
    got = await service.txt2img()
    info = got.json()["info"]
    assert isinstance(info, str)
    assert json.loads(info) == {**theirs, "frame": FRAME}
    assert got.json()["parameters"] == {"prompt": "熊", "seed": -1, "eta": None}


@pytest.mark.parametrize(
    ("info", "kept"),
    [
        ("", {}),
        ({}, {}),
        ({"created": 17}, {"created": 17}),
        ("no json", {"info": "no json"}),
        ("[1, 2]", {"info": "[1, 2]"}),
        ([1], {}),
        (5, {}),
    ],
    ids=str,
)
async def test_check_29_odd_info_is_tolerated(
    service: Service, upstream: ScriptedA1111, info: Any, kept: dict[str, Any]
) -> None:
    upstream.standing = answer(png(), info=info)
    got = await service.txt2img()
    assert got.status == 200
    assert json.loads(got.json()["info"]) == {**kept, "frame": FRAME}


@pytest.mark.parametrize("document", [{}, {"info": None, "parameters": None}, {"parameters": [1]}, {"parameters": "x"}])
async def test_only_images_must_be_there(service: Service, upstream: ScriptedA1111, document: dict[str, Any]) -> None:
    upstream.standing = Reply(body=json.dumps({"images": [b64(png())], **document}).encode())
    got = (await service.txt2img()).json()
    assert len(got["images"]) == 1
    assert got["parameters"] == {}
    assert json.loads(got["info"]) == {"frame": FRAME}


def strictly(text: str | bytes) -> Any:
    """Parse as JavaScript does, for which NaN is no JSON."""

    def refuse(name: str) -> Any:
        raise ValueError(name)

    return json.loads(text, parse_constant=refuse)


async def test_nan_in_the_upstreams_json_is_read_and_not_written(service: Service, upstream: ScriptedA1111) -> None:
    info = '{"eta": NaN, "seed": 5}'
    upstream.standing = answer(png(), info=info, parameters={"eta": float("nan"), "s": [float("inf")]})
    got = strictly((await service.txt2img()).body)
    assert got["parameters"] == {"eta": None, "s": [None]}
    assert strictly(got["info"])["eta"] is None
    assert (await service.frame()).headers["X-Image-Seed"] == "5"


@pytest.mark.parametrize("where", ["info", "parameters"])
async def test_what_is_nested_too_deeply_is_told_as_such(service: Service, upstream: ScriptedA1111, where: str) -> None:
    deep = {"a": json.loads("[" * 700 + "]" * 700)}
    upstream.standing = answer(png(), **{where: json.dumps(deep) if where == "info" else deep})
    got = await service.txt2img()
    # Either it can be written, or it is the upstream's fault; it is never a surprise.
    assert got.status in (200, 502)
    upstream.standing = Reply(
        body=upstream.standing.body.replace(b"[" * 700, b"[" * 990).replace(b"]" * 700, b"]" * 990)
    )
    assert (await service.txt2img()).status in (200, 502)
