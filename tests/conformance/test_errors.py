"""What goes wrong, on every server and on the way to it: whose words a client hears. Checks 36, 38 to 41."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from conformance.both import FAMILY, ORIGINAL, SIDE, Both, Handler, assert_refused, assert_same, header, instead, ours
from fakes.a1111 import Reply, Seen
from service import RAW, TXT2IMG

IMG2IMG = "/sdapi/v1/img2img"
# Each server refuses some of these, and falls over some others.
WRONG: list[tuple[str, dict[str, Any]]] = [
    (TXT2IMG, {"prompt": ""}),
    (TXT2IMG, {"prompt": 5, "steps": 20.5, "script_args": None}),
    (TXT2IMG, {"prompt": "a", "steps": "many", "model": "m"}),
    (TXT2IMG, {"prompt": "a", "steps": None, "model": "m"}),
    (TXT2IMG, {"prompt": "a", "sampler_name": "nobody"}),
    (TXT2IMG, {"prompt": "a", "script_name": "nobody"}),
    (TXT2IMG, {"prompt": "a", "override_settings": {"nope": 1}}),
    (TXT2IMG, {"prompt": "a", "display": "default"}),
    (IMG2IMG, {"prompt": "a", "width": SIDE, "height": SIDE}),
    (IMG2IMG, {"prompt": "a", "init_images": ["????"]}),
]
GATEWAYS = [
    Reply(502, b"<html><h1>502 Bad Gateway</h1><hr>nginx/1.27</html>", (("content-type", "text/html"),)),
    Reply(504, b"<html><h1>504 Gateway Time-out</h1></html>", (("content-type", "text/html; charset=utf-8"),)),
    Reply(503, b"", (("retry-after", "7"),)),
    Reply(524, b"error code: 524", (("content-type", "text/plain; charset=UTF-8"),)),
]
UNAVAILABLE = "Upstream A1111 service unavailable"


async def assert_heard(both: Both, path: str, body: Any) -> int:
    """In every answer its own words; the server's status."""
    direct = await both.same("POST", path, body)
    frame = await both.ask_through("POST", path, body, accept=RAW)
    json = await both.ask_through("POST", path, body)
    if direct.status == 200:
        assert (frame.status, json.status) == (200, 200)
        return 200
    told = assert_refused(frame, ours(direct.status))
    assert header(frame, "retry-after") == header(direct, "retry-after")
    if direct.status >= 500:
        assert told["error"] == UNAVAILABLE
        assert_refused(json, 502)
    else:
        assert_same(direct, json, path)
    return direct.status


async def test_check_36_38_and_39_every_servers_refusals(both: Both) -> None:
    statuses = {await assert_heard(both, path, body) for path, body in WRONG}
    if both.server.wrong is not None:
        assert both.server.wrong_status in statuses
    if both.kind in FAMILY:
        assert {404 if both.kind != "sdnext" else 400, 422, 500} <= statuses


async def test_check_38_and_39_the_one_that_this_server_is_known_for(both: Both) -> None:
    if both.server.wrong is None:
        return
    direct = await both.same("POST", TXT2IMG, both.server.wrong, content_type="application/json")
    assert direct.status == both.server.wrong_status
    assert_same(direct, await both.ask_through("POST", TXT2IMG, both.server.wrong, content_type="application/json"))
    told = assert_refused(await both.ask_through("POST", TXT2IMG, both.server.wrong, accept=RAW), direct.status)
    assert str(direct.status) in told["error"]


async def test_check_39_a_busy_server_says_when_to_come_back(both: Both) -> None:
    both.made_with = {"busy": True}
    status = await assert_heard(both, TXT2IMG, both.body())
    assert status == (503 if both.kind in ("koboldcpp", "xinference") else 200)


async def test_check_41_a_gateway_between(both: Both) -> None:
    for reply in GATEWAYS:
        both.dress = instead(reply)
        assert await assert_heard(both, TXT2IMG, both.body()) == reply.status
        direct = await both.same("GET", "/sdapi/v1/options")
        assert direct.status == reply.status
        assert_same(direct, await both.ask_through("GET", "/sdapi/v1/options"))


def cut_off(server: Handler) -> Handler:
    def answer(seen: Seen) -> Reply:
        reply = server(seen)
        return replace(reply, cut=len(reply.body) // 2)

    return answer


def silent(server: Handler) -> Handler:
    return lambda seen: replace(server(seen), mute=True)


@pytest.mark.parametrize("failure", [cut_off, silent])
async def test_check_40_a_server_that_hangs_up(both: Both, failure: Any) -> None:
    both.dress = failure
    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        await both.ask_direct("POST", TXT2IMG, both.body())
    for path, accept in ((TXT2IMG, RAW), (TXT2IMG, "*/*"), (ORIGINAL + TXT2IMG, "*/*")):
        through = await both.ask_through("POST", path, both.body(), accept=accept)
        assert assert_refused(through, 502)["error"] == UNAVAILABLE
        assert len(both.upstream.generations) == 1
