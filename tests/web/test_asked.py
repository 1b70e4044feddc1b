"""Targets that could be read otherwise further up: as another host, or as a generation that never waited."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.a1111 import ScriptedA1111, answer, open_scripted_a1111, said
from fakes.byhand import open_by_hand
from fakes.clients import open_slow_client
from fakes.pictures import GREEN, png
from service import RAW, TXT2IMG, Service, open_service

INSIDE = "http://169.254.169.254/latest"
ELSEWHERE = [
    "%2Fsdapi%2F@127.0.0.1:{port}/x",
    "%2Fsdapi%2F@127.0.0.1:{port}/sdapi/v1/options?x=1",
    "%2fsdapi/@127.0.0.1:{port}/x",
    "%252Fsdapi%252F@127.0.0.1:{port}/x",
    "%2Finternal%2F%40127.0.0.1:{port}/x",
    "%2Fcontrolnet%2F.127.0.0.1:{port}/x",
    "%2Fsdapi%2F:{port}/x",
    "%2Foriginal%2Fsdapi%2F@127.0.0.1:{port}/x",
    "@127.0.0.1:{port}/sdapi/x",
    ":{port}/sdapi/x",
    "http://127.0.0.1:{port}/sdapi/x",
    "//127.0.0.1:{port}/sdapi/x",
    "/original@127.0.0.1:{port}/sdapi/x",
    "/displays/default@127.0.0.1:{port}/sdapi/x",
    "/original//127.0.0.1:{port}/sdapi/x",
]


@pytest.mark.parametrize("target", ELSEWHERE)
async def test_no_target_leads_to_another_server(service: Service, upstream: ScriptedA1111, target: str) -> None:
    async with open_scripted_a1111() as other:
        for method in ("GET", "POST"):
            async with service.connect() as client:
                request = f"{method} {target.format(port=other.port)} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
                heard = await client.ask(request.encode())
            assert heard.status in (400, 404)
        assert not other.connections
    assert not upstream.seen


async def test_a_display_behind_a_percent_sign_is_still_that_display(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = answer(png(GREEN))
    for path in ("/displays%2Fwaveshare-pico-lcd-0.96", "/displays/waveshare%2Dpico-lcd-0.96"):
        got = await service.ask("POST", path + TXT2IMG, {}, accept=RAW)
        assert (got.status, len(got.body)) == (200, 160 * 80 * 2)


@pytest.mark.parametrize("base", ["", "/original", "/displays/default"])
@pytest.mark.parametrize("route", ["txt2img", "img2img"])
async def test_what_controlnet_generates_stands_in_line_and_is_looked_through(
    upstream: ScriptedA1111, base: str, route: str
) -> None:
    held = asyncio.Event()
    async with open_service(a1111_base_url=upstream.url, max_workers=1, queue_size=0) as service:
        got = await service.ask("POST", f"{base}/controlnet/{route}", {"init_images": [INSIDE]})
        assert (got.status, upstream.seen) == (422, [])
        upstream.standing = replace(said({"images": []}), gate=held)
        first = asyncio.create_task(service.ask("POST", f"{base}/controlnet/{route}", {"prompt": "a"}))
        await upstream.wait_for(1)
        assert (await service.ask("POST", f"{base}/controlnet/{route}", {})).status == 503
        assert (await service.frame()).status == 503
        held.set()
        assert ((await first).status, len(upstream.seen)) == (200, 1)


@pytest.mark.parametrize("path", ["/sdapi/v1/control", "/sdapi/v1/TXT2IMG", "/sdapi/v1/txt2img;x", "/sdapi/x/img2img"])
async def test_whatever_generates_under_another_name_stands_in_line(upstream: ScriptedA1111, path: str) -> None:
    held = asyncio.Event()
    upstream.standing = replace(answer(png()), gate=held)
    async with open_service(a1111_base_url=upstream.url, max_workers=1, queue_size=0) as service:
        first = asyncio.create_task(service.frame())
        await upstream.wait_for(1)
        for base in ("", "/original", "/displays/default"):
            assert (await service.ask("POST", base + path, {})).status == 503
        held.set()
        assert ((await first).status, len(upstream.seen)) == (200, 1)


@pytest.mark.parametrize(
    "target",
    [
        *("/sdapi/v1/images/generations", "/sdapi/x?/v1/images/generations", "/internal/v1/images/generations/"),
        *(
            "/sdapi/api/v1/generate",
            "/controlnet/api/extra/generate/stream",
            "/sdapi/v1/options?x=/api/admin/reload_config",
        ),
    ],
)
async def test_what_koboldcpp_would_take_for_another_route_does_not_go_up(
    service: Service, upstream: ScriptedA1111, target: str
) -> None:
    for base in ("", "/original", "/displays/default"):
        assert (await service.ask("POST", base + target, {})).status == 404
    assert not upstream.seen


async def test_a_client_that_does_not_read_keeps_no_place(upstream: ScriptedA1111) -> None:
    large = b"x" * 20_000_000
    upstream.standing = said({"images": []})
    upstream.script = [replace(said(None), body=large)]
    narrow = open_service(a1111_base_url=upstream.url, max_workers=1, queue_size=0)
    async with narrow as service, open_slow_client(service.port) as client:
        client.pour(b"POST /controlnet/txt2img HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
        await upstream.wait_for(1)
        for _ in range(500):
            if not (await service.health())["queue"]["in_flight"]:
                break
        got = await service.ask("POST", "/controlnet/txt2img", {})
        assert (got.status, got.body) == (200, upstream.standing.body)


async def test_headers_that_name_another_route_or_client_stay_here(service: Service, upstream: ScriptedA1111) -> None:
    told = [
        "X-Original-URL: /x",
        "X_Forwarded_For: 1.2.3.4",
        "X-HTTP-Method-Override: POST",
        "X-Kept: 1",
    ]
    async with service.connect() as client:
        request = "\r\n".join(["GET /sdapi/v1/options HTTP/1.1", "Host: a", *told, "", ""])
        assert (await client.ask(request.encode())).status == 200
    names = {name.lower() for name, _ in upstream.seen[0].headers}
    assert "x-kept" in names
    assert not names & {"x-original-url", "x_forwarded_for", "x-http-method-override"}


@pytest.mark.parametrize("value", ["\u20ac", "7\x01", "sieben \u00e9"])
async def test_an_odd_retry_after_is_not_repeated(service: Service, upstream: ScriptedA1111, value: str) -> None:
    upstream.standing = said({"detail": "busy"}, 503, ("Retry-After", value))
    got = await service.frame()
    assert (got.status, "Retry-After" in got.headers) == (502, False)


@pytest.mark.parametrize("path", ["/sdapi/v1/preprocess", "/sdapi/v1/control", "/sam/sam-predict"])
async def test_other_routes_that_fetch_pictures_are_looked_through(upstream: ScriptedA1111, path: str) -> None:
    async with open_service(a1111_base_url=upstream.url, relay_prefixes="/sam/") as service:
        assert (await service.ask("POST", path, {"input_image": INSIDE})).status == 422
    assert not upstream.seen


@pytest.mark.parametrize("character", ["\x01", "\x0b", "\x0c", "\x1f", "\x7f"])
async def test_a_header_that_can_not_be_written_is_left_out(
    service: Service, upstream: ScriptedA1111, character: str
) -> None:
    upstream.standing = said({"a": 1}, 200, ("X-Odd", f"a{character}b"), ("X-Even", "a\tb"))
    for method, path in (("GET", "/sdapi/v1/options"), ("POST", f"/original{TXT2IMG}")):
        got = await service.ask(method, path, {} if method == "POST" else None)
        if got.status == 200:  # else our own HTTP library would not even read it
            assert (got.headers["X-Even"], "X-Odd" in got.headers) == ("a\tb", False)
        else:
            assert (got.status, got.json()["code"]) == (502, 502)


async def test_check_54_a_call_takes_as_long_as_its_answer_takes() -> None:
    """A1111_TIMEOUT bounds each silence of a relayed answer, not the whole of it."""
    loop = asyncio.get_running_loop()
    async with open_by_hand() as by_hand, open_service(a1111_base_url=by_hand.url, a1111_timeout=2) as service:
        asked = asyncio.create_task(service.ask("GET", "/sdapi/v1/memory"))
        exchange = await by_hand.next()
        await exchange.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        end, pieces = loop.time() + 3, 0
        while loop.time() < end:
            await exchange.write(b"x")
            pieces += 1
            await service.health()  # a round through the same loop, so that pieces come one by one
        exchange.close()
        got = await asked
    assert (got.status, len(got.body)) == (200, pieces)
