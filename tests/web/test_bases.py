"""Base URLs for clients that can set nothing else: `/original` and `/displays/NAME`, and JSON_IMAGES=original."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import ScriptedA1111, said
from fakes.pictures import GREEN, b64, png
from service import RAW, TXT2IMG, Service, open_service

SMALL = "/displays/waveshare-pico-lcd-0.96"
IMG2IMG = "/sdapi/v1/img2img"


@pytest.fixture(scope="module")
async def _plain(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, json_images="original") as service:
        yield service


@pytest.fixture
def plain(_plain: Service, upstream: ScriptedA1111) -> Service:
    """The service with JSON_IMAGES=original; `upstream` is as new."""
    return _plain


ODD_BODIES = [b"{}", b'{"send_images": false, "a": 1e-7}', b"{bad", b"", b"[1]", b'{"seed": 99999999999999999999}\n']


@pytest.mark.parametrize("body", ODD_BODIES)
@pytest.mark.parametrize("path", [TXT2IMG, IMG2IMG])
async def test_check_09_under_original_the_body_goes_up_byte_for_byte(
    service: Service, upstream: ScriptedA1111, path: str, body: bytes
) -> None:
    got = await service.ask("POST", f"/original{path}", body, content_type="application/vnd.a1111+json")
    assert (got.status, got.body) == (200, upstream.standing.body)
    (seen,) = upstream.seen
    assert (seen.target, seen.body) == (path, body)
    assert seen.header("content-type") == "application/vnd.a1111+json"


async def test_under_original_nothing_is_ours(service: Service, upstream: ScriptedA1111) -> None:
    query = "?answer=frame&display=nope&fit=x&width=0&a=%C3%A9&&b"
    for accept in (RAW, "image/png", "*/*"):
        got = await service.ask("POST", f"/original{TXT2IMG}{query}", {}, accept=accept)
        assert (got.status, got.body) == (200, upstream.standing.body)
    assert {seen.target for seen in upstream.seen} == {TXT2IMG + query}


@pytest.mark.parametrize("path", ["/original", "/original/"])
async def test_check_03_the_front_door_of_original_is_the_upstreams(
    service: Service, upstream: ScriptedA1111, path: str
) -> None:
    upstream.standing = said({"web": "ui"})
    assert (await service.ask("GET", path)).json() == {"web": "ui"}
    assert (await service.ask("HEAD", path)).status == 200
    assert [(seen.method, seen.target) for seen in upstream.seen] == [("GET", "/"), ("HEAD", "/")]


async def test_what_is_ours_is_not_below_original(service: Service, upstream: ScriptedA1111) -> None:
    for path in ("/health", "/docs", "/displays", "/original/config", "/displays/default/config", "/etc/passwd"):
        assert (await service.ask("GET", f"/original{path}")).status == 404, path
    assert (await service.ask("GET", "/originally/sdapi/v1/options")).status == 404
    assert not upstream.seen


async def test_the_base_of_a_display_is_that_display(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = lambda seen: said({"images": [b64(png(GREEN))], "parameters": {}, "info": "{}"})
    got = await service.ask("POST", SMALL + TXT2IMG, {}, accept=RAW)
    assert (got.status, got.headers["X-Image-Width"], got.headers["X-Image-Height"]) == (200, "160", "80")
    assert got.body == b"\x07\xe0" * (160 * 80)
    for path in (SMALL + TXT2IMG, SMALL + IMG2IMG, SMALL + TXT2IMG + "/"):
        told = (await service.ask("POST", path, {})).json()
        assert base64.b64decode(told["images"][0]) == got.body
        assert json.loads(told["info"])["frame"]["width"] == 160


async def test_the_query_says_more_than_the_base(service: Service, upstream: ScriptedA1111) -> None:
    got = await service.ask("POST", f"{SMALL}{TXT2IMG}?display=default&x=1", {}, accept=RAW)
    assert len(got.body) == 115200
    got = await service.ask("POST", f"{SMALL}{TXT2IMG}?height=40&invert=true&x=1", {}, accept=RAW)
    assert (got.headers["X-Image-Width"], got.headers["X-Image-Height"]) == ("160", "40")
    assert {seen.target for seen in upstream.seen} == {TXT2IMG + "?x=1"}


async def test_the_live_preview_is_of_that_display(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said({"current_image": b64(png(GREEN))})
    got = await service.ask("GET", f"{SMALL}/sdapi/v1/progress", accept=RAW)
    assert (got.status, got.body) == (200, b"\x07\xe0" * (160 * 80))


async def test_all_else_below_a_display_is_relayed(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said({"samples_format": "png"})
    got = await service.ask("GET", f"{SMALL}/sdapi/v1/options?x=%2F")
    assert (got.status, got.body) == (200, upstream.standing.body)
    assert upstream.seen[0].target == "/sdapi/v1/options?x=%2F"


@pytest.mark.parametrize("path", [TXT2IMG, "/sdapi/v1/options", "/sdapi/v1/progress"])
async def test_a_display_that_nobody_knows_is_a_404_that_says_where_the_others_are(
    service: Service, upstream: ScriptedA1111, path: str
) -> None:
    for name in ("nope", "%C3%A9", "..%2f", "default%20"):
        got = await service.ask("POST" if path == TXT2IMG else "GET", f"/displays/{name}{path}", {})
        assert (got.status, set(got.json())) == (404, {"error", "code", "detail"})
        assert got.json()["error"].startswith("No display is called ")
        assert got.json()["error"].endswith("GET /displays lists all")
    assert not upstream.seen


async def test_json_images_original_is_for_who_can_set_no_base(plain: Service, upstream: ScriptedA1111) -> None:
    for accept in ("*/*", "application/json", "application/json, text/plain, */*"):
        got = await plain.txt2img(b'{"send_images": false}', accept=accept)
        assert (got.status, got.body) == (200, upstream.standing.body)
    assert {seen.body for seen in upstream.seen} == {b'{"send_images": false}'}
    assert len((await plain.frame()).body) == 115200


async def test_but_who_sets_a_display_wants_its_frames(plain: Service) -> None:
    told = (await plain.ask("POST", SMALL + TXT2IMG, {})).json()
    assert len(base64.b64decode(told["images"][0])) == 160 * 80 * 2
