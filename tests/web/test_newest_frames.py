"""Pictures pushed to a display and fetched from it, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from PIL import Image

from fakes.a1111 import ScriptedA1111, answer
from fakes.clients import open_raw_client, post
from fakes.pictures import BLUE, GREEN, RED, corners, encode, gradient, png
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert, preview
from pico_a1111_proxy.panels import DISPLAYS
from service import RAW, Service, open_service

LCD = "waveshare-pico-lcd-1.3"
FRAME = f"/displays/{LCD}/frame"
OTHER = "/displays/default/frame"
DEFAULT = default_display(240, 240, invert=True)
PICTURE = encode(corners((300, 200)))


@pytest.fixture
async def fresh(upstream: ScriptedA1111) -> AsyncIterator[Service]:
    """A service that has seen no picture yet."""
    async with open_service(a1111_base_url=upstream.url, max_body_mb=1) as service:
        yield service


# --- Pushing ----------------------------------------------------------------------------------------------------


async def test_a_picture_becomes_the_newest_frame_and_is_the_answer(fresh: Service) -> None:
    pushed = await fresh.ask("POST", FRAME, PICTURE)
    frame = convert(PICTURE, DISPLAYS[LCD])
    assert (pushed.status, pushed.body, pushed.headers["Content-Type"]) == (200, frame.data, RAW)
    assert (pushed.headers["X-Image-Width"], pushed.headers["X-Image-Format"]) == ("240", "rgb565-be")
    got = await fresh.ask("GET", FRAME)
    assert (got.status, got.body, got.headers["ETag"]) == (200, frame.data, pushed.headers["ETag"])
    assert (got.headers["Cache-Control"], got.headers["Vary"], pushed.headers["Vary"]) == (
        "no-cache",
        "Accept",
        "Accept",
    )
    assert (await fresh.ask("GET", OTHER)).status == 404


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "application/json", None])
async def test_it_is_known_by_its_bytes(service: Service, form: str, content_type: str | None) -> None:
    picture = encode(gradient(), form)
    said = {} if content_type is None else {"content_type": content_type}
    got = await service.ask("POST", OTHER, picture, **said)
    assert (got.status, got.body) == (200, convert(picture, DEFAULT).data)


async def test_of_an_animation_the_first_picture_counts(service: Service) -> None:
    still, moving = (Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE))
    got = await service.ask("POST", OTHER, encode(still, "GIF", save_all=True, append_images=[moving]))
    assert got.body == convert(png(RED), DEFAULT).data


async def test_every_answer_and_two_options_at_once(service: Service) -> None:
    query = "?width=16&height=8&format=rgb332"
    shown = replace(DISPLAYS[LCD], width=16, height=8, format="rgb332")
    frame = convert(PICTURE, shown)
    for method, body in (("POST", PICTURE), ("GET", None)):
        assert (await service.ask(method, FRAME + query, body)).body == frame.data
        seen = await service.ask(method, f"{FRAME}{query}&answer=preview", body)
        assert (seen.body, seen.headers["Content-Type"]) == (preview(frame, shown), "image/png")
        assert (await service.ask(method, FRAME + query, body, accept="image/png")).body == seen.body
        original = await service.ask(method, f"{FRAME}{query}&answer=original", body)
        assert (original.body, original.headers["Content-Type"]) == (PICTURE, "image/png")
        document = (await service.ask(method, FRAME + query, body, accept="application/json")).json()
        assert json.loads(document["info"])["frame"]["bytes"] == len(frame.data)


async def test_it_can_be_converted_without_being_published(fresh: Service) -> None:
    await fresh.ask("POST", FRAME, png(RED))
    before = (await fresh.ask("GET", FRAME)).headers["ETag"]
    got = await fresh.ask("POST", f"{FRAME}?publish=false", png(BLUE))
    assert got.body == convert(png(BLUE), DISPLAYS[LCD]).data
    assert (await fresh.ask("GET", FRAME)).headers["ETag"] == before
    await fresh.ask("POST", f"{FRAME}?publish=true", png(BLUE))
    assert (await fresh.ask("GET", FRAME)).headers["ETag"] == got.headers["ETag"]


HOW = "send the picture itself, as curl --data-binary @photo.jpg does"


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"", "", f"The body is empty; {HOW}"),
        (
            b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + png(),
            "multipart/form-data; boundary=x",
            "is a form",
        ),
        (b'{"init_images": []}', "application/json", "The body is JSON"),
        (b" [1]", "text/plain", "The body is JSON"),
        (png().replace(b"\r\n", b""), "application/x-www-form-urlencoded", "is none of png, jpeg, webp, gif, bmp"),
        (b"\x89PNG\r\n\x1a\n", "", "damaged"),
        (png()[:50], "image/png", "Failed to process image: the PNG is damaged or cut off"),
    ],
)
@pytest.mark.parametrize("query", ["", "?answer=original", "?answer=json", "?publish=false"])
async def test_what_is_no_picture_is_refused_and_replaces_none(
    service: Service, body: bytes, content_type: str, words: str, query: str
) -> None:
    before = (await service.ask("POST", FRAME, png(GREEN))).headers["ETag"]
    got = await service.ask("POST", FRAME + query, body, **({"content_type": content_type} if content_type else {}))
    assert got.status == 422
    assert words in got.json()["error"]
    assert (await service.ask("GET", FRAME)).headers["ETag"] == before


async def test_too_many_bytes_or_pixels_are_refused(fresh: Service) -> None:
    assert (await fresh.ask("POST", FRAME, bytes(1_000_001))).status == 413
    large = png(1, (8001, 8000), "1")
    got = await fresh.ask("POST", FRAME, large)
    assert (got.status, got.json()["error"]) == (422, "Failed to process image: 8001x8000 is more than 64 megapixels")
    assert (await fresh.ask("GET", FRAME)).status == 404


async def test_sixty_four_megapixels_hold_up_nobody(fresh: Service) -> None:
    sending = asyncio.create_task(fresh.ask("POST", FRAME, png(1, (8000, 8000), "1")))
    healths = 0
    while not sending.done():
        assert (await fresh.ask("GET", "/health")).status == 200
        healths += 1
    assert ((await sending).status, healths > 1) == (200, True)


async def test_a_picture_whose_sender_has_left_is_published(fresh: Service) -> None:
    async with open_raw_client(fresh.port) as client:
        await client.send(post(FRAME, PICTURE))
        client.leave()
    got = await fresh.ask("GET", f"{FRAME}?wait=30")
    assert got.body == convert(PICTURE, DISPLAYS[LCD]).data


async def test_half_a_picture_is_none(fresh: Service) -> None:
    async with open_raw_client(fresh.port) as client:
        await client.send(post(FRAME, PICTURE)[:-10])
        client.leave()
    assert (await fresh.ask("GET", f"{FRAME}?wait=0.05")).status == 404


# --- What is drawn ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [f"/displays/{LCD}/sdapi/v1/txt2img", f"/sdapi/v1/img2img?display={LCD}"])
async def test_what_is_drawn_for_a_display_is_its_newest(fresh: Service, upstream: ScriptedA1111, path: str) -> None:
    upstream.standing = answer(png(GREEN), png(RED))
    drawn = await fresh.ask("POST", path, {}, accept=RAW)
    got = await fresh.ask("GET", FRAME, if_none_match=drawn.headers["ETag"])
    assert (drawn.status, got.status) == (200, 304)
    assert (await fresh.ask("GET", f"{FRAME}?answer=original")).body == png(GREEN)
    assert (await fresh.ask("GET", OTHER)).status == 404


async def test_who_fetches_it_is_told_what_the_upstream_said_of_it(fresh: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = answer(png(GREEN), png(RED), info=json.dumps({"seed": 7, "all_seeds": [7, 8]}))
    drawn = await fresh.ask("POST", f"/sdapi/v1/txt2img?display={LCD}", {}, accept=RAW)
    got = await fresh.ask("GET", FRAME)
    facts = {"X-Image-Seed": "7", "X-Image-Count": "2"}
    assert drawn.headers | facts | {"X-Cache": "miss"} == drawn.headers
    assert got.headers | facts | {"X-Cache": "hit"} == got.headers

    pushed = await fresh.ask("POST", FRAME, PICTURE)
    got = await fresh.ask("GET", FRAME)
    assert (pushed.headers["X-Cache"], got.headers["X-Cache"]) == ("miss", "hit")
    assert not {*facts} & {*pushed.headers, *got.headers}


async def test_the_words_alone_and_the_original_publish_nothing(fresh: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = answer(png(GREEN))
    await fresh.txt2img({"send_images": False})
    await fresh.txt2img({}, "?answer=original")
    assert (await fresh.ask("GET", OTHER)).status == 404
    await fresh.txt2img({}, "?answer=json")
    assert (await fresh.ask("GET", OTHER)).status == 200


# --- Fetching ---------------------------------------------------------------------------------------------------


async def test_before_the_first_there_is_a_helpful_word(fresh: Service) -> None:
    got = await fresh.ask("GET", FRAME)
    assert (got.status, got.headers["Cache-Control"]) == (404, "no-cache")
    assert got.json()["error"] == f"No picture of this display yet: POST one to {FRAME}, or draw one"
    assert (await fresh.ask("GET", "/displays/nobody/frame")).status == 404
    assert (await fresh.ask("POST", "/displays/nobody/frame", png())).status == 404


@pytest.mark.parametrize("path", [FRAME, f"{FRAME}/"])
async def test_a_304_has_no_body_and_no_length(service: Service, path: str) -> None:
    etag = (await service.ask("POST", FRAME, PICTURE)).headers["ETag"]
    async with open_raw_client(service.port) as client:
        head = f'GET {path} HTTP/1.1\r\nHost: pico\r\nIf-None-Match: "a"\r\nIf-None-Match: W/{etag}\r\n'
        await client.send(f"{head}Connection: close\r\n\r\n".encode())
        status, *lines = (await client.hear_rest()).decode().removesuffix("\r\n\r\n").split("\r\n")
    headers = dict(line.split(": ") for line in lines)
    assert status == "HTTP/1.1 304 Not Modified"
    assert headers.keys() == {"Date", "ETag", "Cache-Control", "Vary", "X-Request-Id", "Connection"}
    assert (headers["ETag"], headers["Cache-Control"], headers["Vary"]) == (etag, "no-cache", "Accept")


async def test_a_tag_is_that_of_its_own_options(service: Service) -> None:
    etag = (await service.ask("POST", FRAME, PICTURE)).headers["ETag"]
    queries = ["", "?format=rgb332", "?answer=preview", "?answer=json", "?answer=original", "?rotate=90"]
    tags = [(await service.ask("GET", FRAME + query)).headers["ETag"] for query in queries]
    assert tags[0] == etag
    assert len(set(tags)) == len(queries)
    for query, tag in zip(queries, tags, strict=True):
        assert (await service.ask("GET", FRAME + query, if_none_match=tag)).status == 304
        assert (await service.ask("GET", FRAME + query, if_none_match=tags[queries.index(query) - 1])).status == 200


async def test_head_tells_the_same_without_the_bytes(service: Service) -> None:
    etag = (await service.ask("POST", FRAME, PICTURE)).headers["ETag"]
    got, head = await service.ask("GET", FRAME), await service.ask("HEAD", FRAME)
    changing = {"Date", "X-Request-Id"}
    assert head.body == b""
    assert [(k, v) for k, v in head.headers.items() if k not in changing] == [
        (k, v) for k, v in got.headers.items() if k not in changing
    ]
    assert (await service.ask("HEAD", FRAME, if_none_match=etag)).status == 304


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW"])
async def test_other_methods_are_told_the_good_ones(service: Service, upstream: ScriptedA1111, method: str) -> None:
    got = await service.ask(method, FRAME)
    assert (got.status, got.headers["Allow"], upstream.seen) == (405, "GET, HEAD, POST", [])


async def test_a_key_is_needed_as_everywhere(upstream: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=upstream.url, service_api_key="k") as service:
        for method in ("GET", "HEAD", "POST"):
            assert (await service.ask(method, FRAME, png() if method == "POST" else None)).status == 401
        assert (await service.ask("POST", FRAME, png(), x_api_key="k")).status == 200
        assert (await service.ask("GET", FRAME, authorization="Bearer k")).status == 200


async def test_a_publish_storm_ends_with_the_last_one(service: Service) -> None:
    pictures = [png((number, 0, 0)) for number in range(40)]
    pushed = await asyncio.gather(*(service.ask("POST", FRAME, picture) for picture in pictures))
    assert {got.status for got in pushed} == {200}
    assert (await service.ask("GET", f"{FRAME}?answer=original")).body in pictures
    last = await service.ask("POST", FRAME, PICTURE)
    assert (await service.ask("GET", FRAME)).headers["ETag"] == last.headers["ETag"]
