"""The answer `original`: what the upstream said, byte for byte. Checks 18 and 19, 21 to 24, and 33 for this answer."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
from collections.abc import AsyncIterator

import pytest
from PIL import Image, PngImagePlugin

from fakes.a1111 import Reply, ScriptedA1111, answer, said
from fakes.pictures import b64, encode, gradient, png
from service import RAW, Service, open_service

ORIGINAL = "?answer=original"


def png_with_text(text: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", text)
    return encode(gradient(), pnginfo=info)


async def test_check_18_pictures_keep_their_bytes_and_text(service: Service, upstream: ScriptedA1111) -> None:
    words = "a lighthouse\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, Seed: 7"
    picture = png_with_text(words)
    upstream.standing = answer(picture)
    got = await service.txt2img({"prompt": "a"}, ORIGINAL)
    received = base64.b64decode(got.json()["images"][0])
    assert hashlib.sha256(received).digest() == hashlib.sha256(picture).digest()
    assert Image.open(io.BytesIO(received)).info["parameters"] == words


async def test_check_19_info_and_parameters_are_not_touched(service: Service, upstream: ScriptedA1111) -> None:
    info = '{"seed": 9223372036854775808, "cfg_scale": 7.0, "prompt": "\\u718a", "eta": NaN}'
    upstream.standing = answer(png(), info=info, parameters={"seed": -1, "eta": 1e-7, "x": None})
    got = await service.txt2img({}, ORIGINAL)
    assert got.body == upstream.standing.body
    assert got.json()["info"] == info


ODD_ANSWERS = [
    Reply(body=b'{ "images" : [ ],"info":"" ,"z":1, "a":NaN, "a": 2}\n'),
    answer(encode(gradient(), "JPEG"), encode(gradient(), "WEBP"), encode(gradient(), "GIF"), png()),
    answer("/outputs/a.mp4", "data:image/png;base64," + b64(png()), "", "===", None, 7),
    answer("\n".join([b64(png())[:40], b64(png())[40:].rstrip("=")])),
    Reply(body=json.dumps({"images": [b64(png())]}).encode(), chunked=True),
    Reply(body="<html>Grüße</html>".encode("latin-1"), headers=(("content-type", "text/html"),)),
    Reply(body=b'"a JSON string"'),
    Reply(body=b""),
    Reply(body=json.dumps({"images": None}).encode(), headers=()),
]


@pytest.mark.parametrize("reply", ODD_ANSWERS, ids=range(len(ODD_ANSWERS)))
async def test_check_23_whatever_the_upstream_says_passes_untouched(
    service: Service, upstream: ScriptedA1111, reply: Reply
) -> None:
    upstream.standing = reply
    got = await service.txt2img({}, ORIGINAL)
    assert (got.status, got.body) == (200, reply.body)
    assert got.headers["Content-Length"] == str(len(reply.body))
    assert got.headers.get("Content-Type") == dict(reply.headers).get("content-type")
    assert len(upstream.generations) == 1


async def test_headers_of_the_answer_pass_but_not_those_of_the_connection(
    service: Service, upstream: ScriptedA1111
) -> None:
    headers = (
        ("content-type", "application/json; charset=utf-8"),
        ("x-process-time", "1.5"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("server", "uvicorn-of-the-upstream"),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("keep-alive", "timeout=5"),
        ("x-only-here", "1"),
        ("proxy-authenticate", "Basic"),
        ("x-request-id", "theirs"),
    )
    body = b'{"images": []}'
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    raw = f"HTTP/1.1 200 OK\r\n{head}connection: close, X-Only-Here\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    upstream.standing = Reply(raw=raw + body)
    async with service.connect() as client:
        got = await client.ask(
            b"POST /sdapi/v1/txt2img?answer=original HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n"
            b"Content-Length: 2\r\n\r\n{}"
        )
    assert got["Content-Type"] == "application/json; charset=utf-8"
    assert got["X-Process-Time"] == "1.5"
    assert [value for name, value in got.headers if name == "Set-Cookie"] == ["a=1", "b=2"]
    assert got["X-Request-Id"] == "mine"
    assert not {"Server", "Keep-Alive", "X-Only-Here", "Proxy-Authenticate"} & set(got.names)
    assert "1970" not in got["Date"]


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br", "identity", None])
@pytest.mark.parametrize("how", ["original", "json", "frame", "preview"])
async def test_check_21_nothing_is_ever_compressed(
    service: Service, upstream: ScriptedA1111, how: str, accepted: str | None
) -> None:
    headers = {"accept_encoding": accepted} if accepted else {}
    got = await service.txt2img({}, f"?answer={how}", **headers)
    assert got.status == 200
    assert "Content-Encoding" not in got.headers
    assert got.headers["Content-Length"] == str(len(got.body))
    assert upstream.seen[0].header("accept-encoding") == "identity"


@pytest.mark.parametrize("chunked", [True, False])
async def test_check_21_an_upstream_that_compresses_all_the_same(
    service: Service, upstream: ScriptedA1111, chunked: bool
) -> None:
    plain = answer(png(size=(64, 64))).body
    headers = (("content-type", "application/json"), ("content-encoding", "gzip"), ("vary", "Accept-Encoding"))
    upstream.standing = Reply(body=gzip.compress(plain), headers=headers, chunked=chunked)
    got = await service.txt2img({}, ORIGINAL)
    assert got.body == plain
    assert "Content-Encoding" not in got.headers
    assert (await service.frame()).status == 200


@pytest.mark.parametrize("off", [b"false", b"0", b"null", b'"no"'])
@pytest.mark.parametrize("how", ["original", "json"])
async def test_check_22_send_images_false_gives_no_images(
    service: Service, upstream: ScriptedA1111, how: str, off: bytes
) -> None:
    upstream.standing = answer()
    got = await service.txt2img(b'{"send_images": %b}' % off, f"?answer={how}")
    assert got.status == 200
    assert got.json()["images"] == []
    assert json.loads(got.json()["info"])["seed"] == 1234


async def test_check_24_order_and_grid_are_kept(service: Service, upstream: ScriptedA1111) -> None:
    pictures = [png((i, i, i)) for i in range(5)]
    upstream.standing = answer(*pictures, info=json.dumps({"index_of_first_image": 1}))
    got = await service.txt2img({"batch_size": 2, "n_iter": 2, "save_images": True}, ORIGINAL)
    assert got.json()["images"] == [b64(picture) for picture in pictures]


@pytest.fixture(scope="module")
async def plain_api(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, json_images="original") as service:
        yield service


async def test_json_images_original_is_for_who_names_nothing(plain_api: Service, upstream: ScriptedA1111) -> None:
    for accept in ("*/*", "application/json", "application/json, text/plain, */*"):
        assert (await plain_api.txt2img(accept=accept)).body == upstream.standing.body
    assert len((await plain_api.frame()).body) == 115200
    assert "frame" in json.loads((await plain_api.txt2img(query="?answer=json")).json()["info"])


async def test_the_answer_varies_with_accept(service: Service) -> None:
    for accept in ("*/*", RAW, "image/png"):
        assert "Accept" in (await service.txt2img(accept=accept)).headers["Vary"]
    assert "Accept" in (await service.txt2img(query=ORIGINAL)).headers["Vary"]


async def test_a_refusal_passes_too(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said({"detail": "busy"}, 503, ("retry-after", "7"))
    got = await service.txt2img({}, ORIGINAL)
    assert (got.status, got.body, got.headers["Retry-After"]) == (503, upstream.standing.body, "7")


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_headers_that_tell_where_the_upstream_is_stay_here(
    service: Service, upstream: ScriptedA1111, status: int
) -> None:
    telling = {"Location": "http://10.0.0.5/", "Content-Location": "/a", "Refresh": "0; url=/"}
    upstream.standing = said({"images": [b64(png())]}, status, ("X-Process-Time", "1.5"), *telling.items())
    got = await service.txt2img({}, ORIGINAL)
    assert (got.status, got.headers["X-Process-Time"]) == (status, "1.5")
    assert not telling.keys() & got.headers.keys()
