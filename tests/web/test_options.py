"""Which answer a client gets, and what its query may say. Check 20."""

from __future__ import annotations

import pytest

from fakes.a1111 import ScriptedA1111
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.pixels import FORMATS
from service import RAW, Service

CLIENTS = {
    "requests": "*/*",
    "axios": "application/json, text/plain, */*",
    "node-fetch": "*/*",
    "aiohttp": "*/*",
    "curl": "*/*",
    "fetch with json": "application/json",
    "a browser": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "a browser's picture": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "Firefox opens a page": "text/html,application/xhtml+xml,image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8",
    "nothing": "",
    "odd": ";;q=,,a/b;q=x, ",
    "a refusal": "application/octet-stream;q=0, application/json",
    "a refusal of both": "application/octet-stream;q=0, image/png; q=0.0",
    "a bad quality": "application/octet-stream;q=high",
    "rather json": "application/octet-stream;q=0.5, application/json",
}


@pytest.mark.parametrize("client", CLIENTS)
async def test_check_20_who_names_nothing_of_ours_gets_json(service: Service, client: str) -> None:
    got = await service.txt2img(accept=CLIENTS[client])
    assert got.headers["Content-Type"] == "application/json"
    assert set(got.json()) == {"images", "parameters", "info"}


async def test_check_20_without_any_accept_it_is_json(service: Service) -> None:
    async with service.connect() as client:
        got = await client.ask(b"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
    assert got["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (RAW, RAW),
        ("Application/Octet-Stream", RAW),
        (f"{RAW}, */*", RAW),
        (f"text/html , {RAW};q=0.1", RAW),
        (f"{RAW};charset=x;q=1.0", RAW),
        (f"application/json, {RAW}", RAW),
        (f"{RAW}, application/json", RAW),
        ("image/png", "image/png"),
        ("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", "image/png"),
        (f"image/png;q=0.9, {RAW}", RAW),
        (f"image/png, {RAW};q=0.9", "image/png"),
        ("image/png;q=0.9, application/json;q=0.8", "image/png"),
    ],
)
async def test_who_names_a_frame_or_a_png_gets_it(service: Service, accept: str, kind: str) -> None:
    assert (await service.txt2img(accept=accept)).headers["Content-Type"] == kind


async def test_accept_may_come_in_several_lines(service: Service) -> None:
    async with service.connect() as client:
        got = await client.ask(
            b"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nAccept: application/octet-stream\r\n"
            b"Content-Length: 2\r\n\r\n{}"
        )
    assert got["Content-Type"] == RAW


@pytest.mark.parametrize(
    ("how", "kind"),
    [("frame", RAW), ("preview", "image/png"), ("json", "application/json"), ("original", "application/json")],
)
@pytest.mark.parametrize("accept", ["*/*", RAW, "image/png"])
async def test_the_query_has_the_last_word(service: Service, how: str, kind: str, accept: str) -> None:
    got = await service.txt2img({}, f"?answer={how}", accept=accept)
    assert got.headers["Content-Type"] == kind


GOOD = {
    "answer": "frame, json, preview, original",
    "format": ", ".join(FORMATS),
    "fit": "stretch, cover, contain",
    "rotate": "0, 90, 180, 270",
    "dither": "none, ordered, blue-noise, floyd-steinberg",
    "invert": "true, false",
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", ["", "nonsense", "45", "FRAME", "%C3%9C%0A"])
async def test_a_bad_option_is_a_422_that_lists_the_good_ones(
    service: Service, upstream: ScriptedA1111, name: str, value: str
) -> None:
    got = await service.frame(query=f"?{name}={value}")
    assert got.status == got.json()["code"] == 422
    assert got.json()["error"].startswith(f"{name}: ")
    assert got.json()["error"].endswith(f" is not one of {GOOD[name]}")
    assert len(got.body) < 1000
    assert not upstream.seen


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("waveshare-pico-lcd-13", "waveshare-pico-lcd-1.3, "),
        ("PICO-LCD-1.3", "waveshare-pico-lcd-1.3"),
        ("presto", "pimoroni-presto, pimoroni-presto-480"),
        ("", ""),
        ("x" * 5000, ""),
    ],
)
async def test_a_display_that_nobody_knows_is_a_422_that_names_those_near_it(
    service: Service, upstream: ScriptedA1111, name: str, meant: str
) -> None:
    got = await service.frame(query=f"?display={name}")
    assert (got.status, len(got.body) < 1000) == (422, True)
    assert got.json()["error"].startswith(f"display: '{name[:40]}' is not one of them: {meant}")
    assert got.json()["error"].endswith("GET /displays lists all")
    assert ("may be meant" in got.json()["error"]) == bool(meant)
    assert not upstream.seen


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("width=0", "width: '0' is not a whole number from 1 to 1024"),
        ("height=-1", "height: '-1' is not a whole number from 1 to 1024"),
        ("width=1025", "width: '1025' is not a whole number from 1 to 1024"),
        ("width=999999999999999999999", "width: "),
        ("width=ten", "width: 'ten' is not a whole number from 1 to 1024"),
        ("index=-1", "index: input should be greater than or equal to 0"),
        ("index=x", "index: input should be a valid integer"),
        ("background=red", "background: 'red' is not a colour such as #000000"),
        ("background=ff0000", "background: 'ff0000' is not a colour such as #000000"),
        ("background=%2300000g", "background: "),
    ],
)
async def test_bad_numbers_and_colours(service: Service, upstream: ScriptedA1111, query: str, words: str) -> None:
    got = await service.frame(query=f"?{query}")
    assert got.status == 422
    assert got.json()["error"].startswith(words)
    assert len(got.body) < 1000
    assert not upstream.seen


async def test_all_faults_are_in_the_detail(service: Service) -> None:
    got = (await service.frame(query="?width=0&fit=x&rotate=1")).json()
    assert [fault.partition(":")[0] for fault in got["detail"].split("; ")] == ["width", "fit", "rotate"]


@pytest.mark.parametrize("character", ["x", "%C3%A9", "%22", "%5C", "%00", "%FF"])
async def test_a_huge_bad_option_stays_small(service: Service, character: str) -> None:
    for name in ("format", "display", "width", "background"):
        got = await service.frame(query=f"?{name}={character * 2500}")
        assert got.status == 422
        assert len(got.body) < 1000


@pytest.mark.parametrize("display", DISPLAYS)
async def test_named_displays(service: Service, display: str) -> None:
    profile = DISPLAYS[display]
    got = await service.frame(query=f"?display={display}")
    assert (got.headers["X-Image-Width"], got.headers["X-Image-Height"]) == (str(profile.width), str(profile.height))
    assert got.headers["Content-Length"] == str(FORMATS[profile.format].size(profile.width, profile.height))
    # Of red, upright: their drivers send INVON.
    assert got.body[:2] == {"bgr565-be": b"\x00\x1f", "rgb666": b"\xfc\x00"}.get(profile.format, b"\xf8\x00")


async def test_an_option_overrides_the_display(service: Service) -> None:
    got = await service.frame(query="?display=waveshare-pico-lcd-2&width=12&invert=TRUE&format=rgb565-le")
    assert got.headers["Content-Length"] == str(12 * 240 * 2)
    assert got.body[:2] == b"\xff\x07"
