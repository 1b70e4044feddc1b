"""A1111's progress through the service, and the picture being drawn as a frame."""

from __future__ import annotations

import asyncio
import io

import aiohttp
import pytest
from PIL import Image

from fakes.a1111 import Reply, ScriptedA1111, said
from fakes.failures import CUT_OFF
from fakes.pictures import GREEN, b64, png
from service import RAW, Service

PROGRESS = "/sdapi/v1/progress"
BUSY = {
    "progress": 0.35,
    "eta_relative": 4.5,
    "state": {"job": "scripts_txt2img", "job_count": 1, "job_no": 0, "sampling_step": 7, "sampling_steps": 20},
    "current_image": b64(png(GREEN)),
    "textinfo": None,
}
IDLE = {
    "progress": 0.0,
    "eta_relative": 0.0,
    "state": {"job": "", "job_count": 0, "job_no": 0, "sampling_step": 0, "sampling_steps": 20},
    "current_image": None,
    "textinfo": None,
}


@pytest.mark.parametrize("base", ["", "/original", "/displays/default"])
async def test_what_is_no_frame_is_the_upstreams_own(service: Service, upstream: ScriptedA1111, base: str) -> None:
    upstream.standing = Reply(body=b'{ "progress": 0.350, "state": {"x": NaN} }', headers=(("content-type", "a/b"),))
    got = await service.ask("GET", f"{base}{PROGRESS}?skipCurrentImage=false&skip_current_image=true")
    assert (got.status, got.body, got.headers["Content-Type"]) == (200, upstream.standing.body, "a/b")
    assert upstream.seen[0].target == f"{PROGRESS}?skipCurrentImage=false&skip_current_image=true"


async def test_our_options_stay_here(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said(IDLE)
    await service.ask("GET", f"{PROGRESS}?display=default&x=%C3%A9&answer=json&width=9&&y")
    await service.ask("GET", f"/original{PROGRESS}?display=default&fit=x&answer=frame")
    assert [seen.target for seen in upstream.seen] == [
        f"{PROGRESS}?x=%C3%A9&&y",
        f"{PROGRESS}?display=default&fit=x&answer=frame",
    ]


async def test_it_varies_with_accept(service: Service, upstream: ScriptedA1111) -> None:
    for document in (IDLE, BUSY):
        upstream.standing = said(document)
        for accept in ("*/*", RAW, "image/png"):
            assert (await service.ask("GET", PROGRESS, accept=accept)).headers["Vary"] == "Accept"


async def test_idle_is_what_clients_wait_for(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said(IDLE)
    got = (await service.ask("GET", PROGRESS)).json()
    assert (got["progress"], got["state"]["job_count"], got["current_image"]) == (0.0, 0, None)


async def test_the_picture_being_drawn_is_a_frame(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said(BUSY)
    got = await service.ask("GET", f"{PROGRESS}?invert=false&width=8&height=4", accept="application/octet-stream")
    assert (got.status, got.body) == (200, b"\x07\xe0" * 32)
    assert (got.headers["X-Image-Width"], got.headers["X-Image-Format"]) == ("8", "rgb565-be")
    got = await service.ask("GET", f"{PROGRESS}?display=waveshare-pico-lcd-1.14&answer=preview")
    assert Image.open(io.BytesIO(got.body)).size == (240, 135)


async def test_no_picture_yet_is_a_204(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said(IDLE)
    for answer in ("frame", "preview"):
        got = await service.ask("GET", f"{PROGRESS}?answer={answer}")
        assert (got.status, got.body) == (204, b"")


async def test_odd_progress_does_no_harm(service: Service, upstream: ScriptedA1111) -> None:
    odd = ["[]", "{}", "null", '{"state": 5, "progress": "x", "current_image": 7}', '{"progress": NaN}', "no json"]
    odd += [
        '{"progress": 1%s}' % ("0" * 400),
        '{"eta_relative": 1e999}',
        '{"state": {"sampling_step": Infinity, "sampling_steps": NaN, "job_count": 1}}',
    ]
    for text in odd:
        upstream.standing = Reply(body=text.encode())
        assert (await service.ask("GET", PROGRESS)).status == 200, text
        assert (await service.ask("GET", f"{PROGRESS}?answer=frame")).status == 204, text


async def test_an_unreadable_picture_is_a_422(service: Service, upstream: ScriptedA1111) -> None:
    for image in (b64(png()[:50]), b64(b"no picture")):
        upstream.standing = said({**BUSY, "current_image": image})
        assert (await service.ask("GET", f"{PROGRESS}?answer=frame")).status == 422


async def test_it_does_not_wait_behind_generations(service: Service, upstream: ScriptedA1111) -> None:
    gate = asyncio.Event()
    upstream.standing = lambda seen: said(BUSY) if seen.method == "GET" else Reply(body=b"{}", gate=gate)
    busy = [asyncio.create_task(service.frame()) for _ in range(6)]
    try:
        await upstream.wait_for(4)
        assert (await service.ask("GET", PROGRESS)).status == 200
    finally:
        gate.set()
        await asyncio.gather(*busy)


async def test_it_fails_like_everything_else(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = CUT_OFF["hangs up in the headers"]
    for accept in ("*/*", RAW):
        got = await service.ask("GET", PROGRESS, accept=accept)
        assert (got.status, got.json()["error"]) == (502, "Upstream A1111 service unavailable")
    upstream.standing = CUT_OFF["hangs up in the body"]
    assert (await service.ask("GET", PROGRESS, accept=RAW)).status == 502
    with pytest.raises(aiohttp.ClientPayloadError):
        await service.ask("GET", PROGRESS)
    upstream.standing = said({"detail": "Not Found"}, 404)
    for accept in ("*/*", RAW):
        assert (await service.ask("GET", PROGRESS, accept=accept)).status == 404
