"""What goes up: A1111's requests are taken as A1111 takes them, and reach the upstream as they are.

Checks 9 to 16 of the conformance suite.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, said
from fakes.pictures import b64, png
from service import RAW, TXT2IMG, Service, open_service

IMG2IMG = "/sdapi/v1/img2img"

ODD_BODIES = [
    '{"prompt": "Bär, 熊, 🐻, \\u00e9, \\ud83d\\udc3b, \\ud800"}'.encode(),
    b'{"seed": 9223372036854775808, "subseed": 18446744073709551616, "cfg_scale": 1e-7, "eta": 0.1000}',
    b'{"z": 1, "a": 2, "z": 3, "m": {"b": 1, "a": 2}}',
    b' \r\n\t{ "prompt" :\t"a" ,\n"steps": null } \n',
    b'{"cfg_scale": NaN, "s_tmax": Infinity, "eta": -Infinity}',
    b'\xef\xbb\xbf{"prompt": "with a byte order mark"}',
    '{"prompt": "utf-16"}'.encode("utf-16"),
    b'{"send_images": true, "prompt": "\\"send_images\\": false"}',
    b"{}",
]


@pytest.mark.parametrize("how", ["original", "json", "frame", "preview"])
@pytest.mark.parametrize("body", ODD_BODIES, ids=range(len(ODD_BODIES)))
async def test_check_09_body_bytes_arrive_unchanged(
    service: Service, upstream: ScriptedA1111, body: bytes, how: str
) -> None:
    got = await service.txt2img(body, f"?answer={how}")
    assert got.status == 200
    (seen,) = upstream.seen
    assert seen.body == body
    # The client said none. Where we make something of the answer we also say what the body is.
    assert seen.header("content-type") == (None if how == "original" else "application/json")
    assert seen.header("content-length") == str(len(body))


FORCED = [
    (b'{"send_images": false}', b'{"send_images": true}'),
    (
        b'{"a":1e-7,"send_images":false,"seed":9223372036854775808}',
        b'{"a":1e-7,"send_images":true,"seed":9223372036854775808}',
    ),
    (
        b'{"send_images" :\n null , "z": [{"send_images": false}]}',
        b'{"send_images" :\n true , "z": [{"send_images": false}]}',
    ),
    (b'{"send_images": true, "x": "}", "send_images": 0}', b'{"send_images": true, "x": "}", "send_images": true}'),
    (b'{"send\\u005fimages": false}', b'{"send\\u005fimages": true}'),
    (
        b'{"p": "\\"send_images\\": false", "send_images": "no"}',
        b'{"p": "\\"send_images\\": false", "send_images": true}',
    ),
    (
        b'{"cfg_scale": NaN, "send_images": "OFF", "eta": -Infinity}',
        b'{"cfg_scale": NaN, "send_images": true, "eta": -Infinity}',
    ),
    ('{"prompt": "熊", "send_images": false}'.encode(), '{"prompt": "熊", "send_images": true}'.encode()),
    (b'{"prompt": "\xed\xa0\x80", "send_images": false}', b'{"prompt": "\xed\xa0\x80", "send_images": true}'),
    ('{"p": "é", "send_images": false}'.encode("utf-16"), '{"p": "é", "send_images": true}'.encode()),
]


@pytest.mark.parametrize("how", ["frame", "preview"])
@pytest.mark.parametrize(("body", "forced"), FORCED, ids=range(len(FORCED)))
async def test_check_35_only_send_images_is_forced_on(
    service: Service, upstream: ScriptedA1111, body: bytes, forced: bytes, how: str
) -> None:
    got = await service.txt2img(body, f"?answer={how}")
    assert got.status == 200
    assert upstream.seen[0].body == forced


@pytest.mark.parametrize("how", ["original", "json"])
@pytest.mark.parametrize("body", [before for before, _ in FORCED], ids=range(len(FORCED)))
async def test_send_images_is_left_alone_where_no_frame_must_come(
    service: Service, upstream: ScriptedA1111, body: bytes, how: str
) -> None:
    assert (await service.txt2img(body, f"?answer={how}")).status == 200
    assert upstream.seen[0].body == body


def draw_things(seen: Seen) -> Reply:
    """Refuses every key that it does not know."""
    unknown = set(json.loads(seen.body)) - {"prompt", "steps", "seed", "width", "height"}
    if unknown:
        detail = f"Unrecognized keys: {sorted(unknown)}"
        return said({"error": "HTTPException", "detail": detail, "body": "", "errors": ""}, 422)
    return Reply(body=json.dumps({"images": [b64(png())]}).encode())


@pytest.mark.parametrize("how", ["original", "json", "frame", "preview"])
async def test_check_10_no_key_is_added(service: Service, upstream: ScriptedA1111, how: str) -> None:
    upstream.standing = draw_things
    assert (await service.txt2img({"prompt": "a", "steps": 3}, f"?answer={how}&width=32")).status == 200
    assert (await service.txt2img({"prompt": "a", "clip_skip": 3}, f"?answer={how}")).status == 422


OURS = "display=default&width=32&height=16&format=rgb565-le&fit=cover&rotate=90&invert=0&dither=none"
OURS += "&background=%23000000&answer=frame&index=0"


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (f"?{OURS}", ""),
        (f"?a=1&{OURS}&b=%2F%20+x", "?a=1&b=%2F%20+x"),
        ("?wid%74h=32&x", "?x"),
        (
            "?skip=a%2Cb,c&list[]=1&q='(!~*)'&empty=&=&%C3%A4=%ff",
            "?skip=a%2Cb,c&list[]=1&q='(!~*)'&empty=&=&%C3%A4=%ff",
        ),
        ("?Width=5&widths=6&x=width=7", "?Width=5&widths=6&x=width=7"),
    ],
)
async def test_check_11_our_options_stay_and_others_go_up_verbatim(
    service: Service, upstream: ScriptedA1111, query: str, left: str
) -> None:
    async with service.connect() as client:
        head = f"POST {TXT2IMG}{query} HTTP/1.1\r\nHost: pico\r\nContent-Length: 2\r\n\r\n"
        assert (await client.ask(head.encode() + b"{}")).status == 200
    assert upstream.seen[0].target == TXT2IMG + left


async def test_check_11_the_clients_headers_stay_here(service: Service, upstream: ScriptedA1111) -> None:
    await service.frame(
        authorization="Basic c2VjcmV0OnNlY3JldA==",
        x_api_key="secret",
        cookie="secret=1",
        x_request_id="mine",
        prefer="x",
    )
    (seen,) = upstream.seen
    names = {name.lower() for name, _ in seen.headers}
    assert names <= {"host", "user-agent", "accept", "accept-encoding", "content-type", "content-length", "connection"}
    assert seen.header("host") == f"127.0.0.1:{upstream.port}"
    assert RAW not in (seen.header("accept") or "")


async def test_check_12_unknown_keys_do_no_harm(service: Service, upstream: ScriptedA1111) -> None:
    body = {"url": "http://127.0.0.1:7860", "auth": "", "clip_skip": 2, "forge_preset": {"a": [None]}, "width": "512"}
    for accept in ("*/*", RAW):
        assert (await service.txt2img(body, accept=accept)).status == 200
    assert [json.loads(seen.body) for seen in upstream.seen] == [body, body]


async def test_check_13_an_empty_object_is_enough(service: Service) -> None:
    assert (await service.txt2img(b"{}")).status == 200
    assert (await service.frame(b"{}")).status == 200


BAD_BODIES = [
    (b"", {}),
    (b"  \n", {}),
    (b"{bad", {}),
    (b"[1]", {}),
    (b"null", {}),
    (b'"text"', {}),
    (b"\xff\xfe\x00", {}),
    (b"[" * 100_000, {}),
    (b'{"a":' * 100_000, {}),
    (b'{"seed": ' + b"9" * 5000, {}),
    (b"{}", {"content_type": "text/plain"}),
    (b"prompt=a", {"content_type": "application/x-www-form-urlencoded"}),
    (b"{}", {"content_type": "application/jsonx"}),
]


@pytest.mark.parametrize("how", ["json", "frame"])
@pytest.mark.parametrize(("body", "headers"), BAD_BODIES, ids=range(len(BAD_BODIES)))
async def test_check_13_a_body_that_is_no_json_object_is_a_422(
    service: Service, upstream: ScriptedA1111, body: bytes, headers: dict[str, str], how: str
) -> None:
    got = await service.txt2img(body, f"?answer={how}", **headers)
    assert got.status == got.json()["code"] == 422
    assert set(got.json()) == {"error", "code", "detail"}
    assert "body" in got.json()["error"]
    assert not upstream.seen


# Those that could hide nothing from us.
CLEAR_BODIES = [(body, headers) for body, headers in BAD_BODIES if len(body) < 100_000 and b"\0" not in body]


@pytest.mark.parametrize("path", [f"{TXT2IMG}?answer=original", f"/original{TXT2IMG}"])
@pytest.mark.parametrize(("body", "headers"), CLEAR_BODIES, ids=range(len(CLEAR_BODIES)))
async def test_check_13_what_the_original_says_of_it_is_the_upstreams_own(
    service: Service, upstream: ScriptedA1111, body: bytes, headers: dict[str, str], path: str
) -> None:
    upstream.standing = said({"detail": [{"loc": ["body", 0], "msg": "no", "type": "value_error.jsondecode"}]}, 422)
    got = await service.ask("POST", path, body, **headers)
    assert (got.status, got.body) == (422, upstream.standing.body)
    (seen,) = upstream.seen
    assert (seen.target, seen.body, seen.header("content-type")) == (TXT2IMG, body, headers.get("content_type"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_type": "application/json"},
        {"content_type": "Application/JSON; charset=utf-8"},
        {"content_type": "application/vnd.x+json"},
        {"content_type": ""},
    ],
    ids=str,
)
async def test_check_14_json_is_json_by_any_of_its_names(
    service: Service, upstream: ScriptedA1111, headers: dict[str, str]
) -> None:
    got = await service.frame(b'{"prompt": "a"}', **headers)
    assert got.status == 200
    # Whatever the client called it, the upstream is told that it is JSON.
    assert upstream.seen[0].header("content-type") == "application/json"


# The kinds of request that A1111's own API tests make: a plain one, and then one thing changed at a time.
PLAIN = {"prompt": "example prompt", "negative_prompt": "", "steps": 3, "width": 64, "height": 64, "cfg_scale": 7}
PLAIN |= {
    "seed": -1,
    "subseed": -1,
    "batch_size": 1,
    "n_iter": 1,
    "sampler_index": "Euler a",
    "styles": [],
    "tiling": False,
}
CHANGES: list[tuple[str, dict[str, Any]]] = [
    (TXT2IMG, {}),
    (TXT2IMG, {"negative_prompt": "example negative prompt"}),
    (TXT2IMG, {"prompt": "((emphasis)), (emphasis1:1.1), [to:1], [from::2], [from:to:0.3], [alt|alt1]"}),
    (TXT2IMG, {"height": 128}),
    (TXT2IMG, {"enable_hr": True, "denoising_strength": 0.75, "hr_scale": 2.0}),
    (TXT2IMG, {"tiling": True, "restore_faces": True}),
    (TXT2IMG, {"sampler_index": "DDIM", "eta": 0, "s_churn": 0, "s_noise": 1}),
    (TXT2IMG, {"n_iter": 2, "batch_size": 2, "override_settings": {"CLIP_stop_at_last_layers": 2}}),
    (TXT2IMG, {"script_name": None, "script_args": [], "alwayson_scripts": {}}),
    (IMG2IMG, {"init_images": [b64(png())], "denoising_strength": 0.75, "resize_mode": 0}),
    (IMG2IMG, {"init_images": [b64(png())], "mask": b64(png()), "inpaint_full_res": False, "inpainting_fill": 1}),
    (IMG2IMG, {"init_images": [b64(png())], "script_name": "sd upscale", "script_args": ["", 8, "Lanczos", 2.0]}),
]


@pytest.mark.parametrize("how", ["original", "json", "frame"])
@pytest.mark.parametrize(("path", "change"), CHANGES, ids=range(len(CHANGES)))
async def test_check_15_what_a1111s_own_tests_ask(
    service: Service, upstream: ScriptedA1111, path: str, change: dict[str, Any], how: str
) -> None:
    got = await service.ask("POST", f"{path}?answer={how}", {**PLAIN, **change})
    assert got.status == 200
    assert upstream.seen[0].target == path
    assert json.loads(upstream.seen[0].body) == {**PLAIN, **change}


@pytest.fixture(scope="module")
async def roomy(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, max_body_mb=64) as service:
        yield service


@pytest.mark.parametrize("how", ["original", "frame"])
async def test_check_16_thirty_megabytes_of_init_images(roomy: Service, upstream: ScriptedA1111, how: str) -> None:
    body = b'{"init_images": ["%b"], "send_images": false}' % (b"A" * 30_000_000)
    upstream.standing = answer(png())
    got = await roomy.ask("POST", f"{IMG2IMG}?answer={how}", body)
    assert got.status == 200
    expected = body.replace(b"false", b"true") if how == "frame" else body
    assert upstream.seen[0].body == expected
