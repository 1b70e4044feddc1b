"""What goes up reaches every server as if the client had sent it there. Checks 9 to 17, 20 and 43."""

from __future__ import annotations

import json

from conformance.both import FAMILY, ORIGINAL, Both, assert_refused, assert_same, header, ours
from fakes.a1111 import Seen
from fakes.clients import post
from fakes.personalities import A1111_TEST_PAYLOADS
from fakes.pictures import b64
from service import RAW, TXT2IMG, Service

JSON = "application/json"
ODD_BODIES = [
    '{"prompt": "Bär, 熊, 🐻, \\u00e9, \\ud83d\\udc3b", "width": 128, "height": 128, "model": "m"}'.encode(),
    b'{"prompt": "a", "seed": 9223372036854775808, "cfg_scale": 1e-7, "model": "m"}',
    b' \r\n{"prompt": "a" ,\t"z": 1, "a": 2, "z": 3, "steps": null}\n',
    b'{"prompt": "a", "cfg_scale": NaN, "eta": -Infinity, "model": "m"}',
    b'{"prompt": "\\ud800", "model": "m"}',
    '{"prompt": "é"}'.encode("utf-16"),
]
NO_OBJECTS = [(b"", JSON), (b"{bad", JSON), (b"[1]", JSON), (b'"text"', JSON), (b"{}", "text/plain"), (b"null", JSON)]
ACCEPTS = {
    "requests, node-fetch, aiohttp, curl": "*/*",
    "axios": "application/json, text/plain, */*",
    "a page's fetch": "application/json",
    "Chrome": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    "none": None,
}
AUTHORIZATIONS = ["", "Basic ", "Basic dW5kZWZpbmVk", "Bearer x", "Basic " + b64(b"somebody:else"), "nonsense"]


def content(seen: Seen) -> tuple[str, str, bytes, str | None]:
    return seen.method, seen.target, seen.body, seen.header("content-type")


async def test_check_09_what_arrives_is_what_arrives_without_us(both: Both) -> None:
    for body in [*ODD_BODIES, *(body for body, _ in NO_OBJECTS)]:
        await both.same("POST", f"{TXT2IMG}?a=%20b&&c", body, content_type=JSON)
        there, here = both.arrived
        assert content(here) == content(there)


async def test_check_09_and_for_a_frame_too(both: Both) -> None:
    for body in ODD_BODIES:
        direct = await both.ask_direct("POST", TXT2IMG, body, content_type=JSON)
        through = await both.ask_through("POST", TXT2IMG, body, content_type=JSON, accept=RAW)
        there, here = both.arrived
        assert content(here) == content(there)
        assert through.status == ours(direct.status)


async def test_check_10_no_key_is_added(both: Both) -> None:
    for query in ("?answer=original", "?answer=json", "?answer=frame", "?answer=preview&display=default"):
        direct, through = await both.draw(query)
        there, here = both.arrived
        assert (direct.status, through.status) == (200, 200)
        assert (here.body, here.target) == (there.body, there.target)


async def test_check_11_our_options_stay_and_others_go_up(both: Both) -> None:
    body = both.body()
    await both.ask_direct("POST", f"{TXT2IMG}?x=%C3%A9&y", body)
    await both.ask_through("POST", f"{TXT2IMG}?width=32&x=%C3%A9&format=rgb565-le&y&answer=frame", body)
    there, here = both.arrived
    assert here.target == there.target
    await both.same("POST", f"{TXT2IMG}?width=32&answer=frame", body)  # below /original they are not ours
    there, here = both.arrived
    assert here.target == there.target


async def test_check_12_unknown_keys_are_the_servers_business(both: Both) -> None:
    body = both.body(url="http://127.0.0.1:7860", auth="user:pass", clip_skip=2, nobody_knows={"a": [None]})
    direct = await both.same("POST", TXT2IMG, body)
    assert (direct.status == 200) == (both.kind != "drawthings")
    assert (await both.ask_through("POST", TXT2IMG, body, accept=RAW)).status == direct.status


async def test_check_13_what_is_no_object(both: Both) -> None:
    for body, kind in NO_OBJECTS:
        direct = await both.same("POST", TXT2IMG, body, content_type=kind)
        if both.kind in FAMILY:
            assert direct.status == 422
        for accept in (RAW, "*/*"):
            assert_refused(await both.ask_through("POST", TXT2IMG, body, content_type=kind, accept=accept), 422)


async def test_check_13_an_empty_object_is_the_servers_to_judge(both: Both) -> None:
    direct = await both.same("POST", TXT2IMG, {})
    assert direct.status == (200 if both.server.smallest == {} else 400)
    through = await both.ask_through("POST", TXT2IMG, {}, accept=RAW)
    assert through.status == direct.status


async def test_check_14_json_by_any_of_its_names(both: Both) -> None:
    body = json.dumps(both.body()).encode()
    for kind in ("application/vnd.x+json", "application/json; charset=utf-8", None):
        headers = {"content_type": kind} if kind else {}
        direct = await both.same("POST", TXT2IMG, body, **headers)
        there, here = both.arrived
        assert direct.status == 200
        assert here.header("content-type") == there.header("content-type") == kind
        assert (await both.ask_through("POST", TXT2IMG, body, accept=RAW, **headers)).status == 200


async def test_check_15_what_a1111s_own_tests_ask(both: Both) -> None:
    for name, (route, body) in A1111_TEST_PAYLOADS.items():
        if both.kind not in FAMILY and "simple" not in name:
            continue
        direct = await both.same("POST", f"/sdapi/v1/{route}", body)
        if both.kind in ("a1111", "reforge"):
            assert direct.status == 200, name
        if both.kind == "a1111" or "simple" in name:
            through = await both.ask_through("POST", f"/sdapi/v1/{route}", body)
            assert through.status == ours(direct.status), name
            if direct.status == 200 and route != "extra-single-image":
                assert len(through.json()["images"]) == len(direct.json()["images"])


async def test_check_17_chunked_and_http_1_0(both: Both) -> None:
    body = json.dumps(both.body()).encode()
    direct = await both.ask_direct("POST", TXT2IMG, body, content_type=JSON)
    chunked = f"POST {ORIGINAL}{TXT2IMG} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n".encode()
    chunked += b"Content-Type: application/json\r\n\r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    old = post(ORIGINAL + TXT2IMG, body, "Content-Type: application/json", version="1.0")
    for request in (chunked, old):
        async with both.through.connect() as client:
            got = await client.ask(request)
        assert (got.status, got.body) == (direct.status, direct.body)
    assert [seen.body for seen in both.upstream.seen] == [body] * 3


async def said(service: Service, path: str, body: bytes, accept: str | None) -> tuple[int, str, bytes]:
    """Without any header that nobody asked for."""
    lines = [f"Accept: {accept}"] if accept is not None else []
    async with service.connect() as client:
        got = await client.ask(post(path, body, "Content-Type: application/json", *lines, "Connection: close"))
    return got.status, {name.lower(): value for name, value in got.headers}["content-type"], got.body


async def test_check_20_known_clients_get_json(both: Both) -> None:
    body = json.dumps(both.body()).encode()
    both.renew()
    for client, accept in ACCEPTS.items():
        direct = await said(both.direct, TXT2IMG, body, accept)
        assert await said(both.through, ORIGINAL + TXT2IMG, body, accept) == direct, client
        status, kind, frames = await said(both.through, TXT2IMG, body, accept)
        assert (status, kind) == (200, JSON), client
        document = json.loads(frames)
        assert document.keys() == {"images", "parameters", "info"}
        assert len(document["images"]) == len(json.loads(direct[2])["images"])


async def test_check_43_without_keys_any_authorization_is_harmless(both: Both) -> None:
    for method, path, body in (("POST", TXT2IMG, both.body()), ("GET", "/sdapi/v1/options", None)):
        direct = await both.ask_direct(method, path, body)
        for authorization in AUTHORIZATIONS:
            through = await both.ask_through(method, ORIGINAL + path, body, authorization=authorization)
            assert_same(direct, through, authorization)
            assert both.arrived[-1].header("authorization") is None
            assert header(through, "www-authenticate") is None
