"""Addresses where a picture belongs: A1111 would fetch them from inside its network, so they stop here."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes.a1111 import ScriptedA1111, said
from fakes.pictures import b64, encode, gradient, png
from service import RAW, TXT2IMG, Service, open_service

IMG2IMG = "/sdapi/v1/img2img"
INSIDE = "http://169.254.169.254/latest/meta-data"
PICTURE = b64(png())


@pytest.fixture(scope="module")
async def _trusting(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, allow_image_urls=True) as service:
        yield service


@pytest.fixture
def trusting(_trusting: Service, upstream: ScriptedA1111) -> Service:
    """The service with ALLOW_IMAGE_URLS=true; `upstream` is as new."""
    return _trusting


BAD: dict[str, dict[str, Any]] = {
    "init_images": {"init_images": [INSIDE]},
    "the second of them": {"init_images": [PICTURE, INSIDE]},
    "mask": {"init_images": [PICTURE], "mask": INSIDE},
    "latent_mask": {"latent_mask": INSIDE},
    "firstpass_image": {"firstpass_image": INSIDE},
    "a text in place of the list": {"init_images": INSIDE},
    "https": {"mask": "https://example.org/a.png"},
    "capitals": {"mask": "HTTP://example.org/a.png"},
    "another scheme": {"mask": "file:///etc/passwd"},
    "a Windows share": {"mask": "\\\\10.0.0.1\\share\\a.png"},
    "a share with slashes": {"mask": "//10.0.0.1/share/a.png"},
    "a drive": {"mask": "C:\\a.png"},
    "a file": {"alwayson_scripts": {"controlnet": {"args": [{"image": "/home/me/a.png"}]}}},
    "a file nearby": {"mask": "../outputs/a.png"},
    "a space before it": {"mask": " \n\thttp://example.org/a.png"},
    "ControlNet": {"alwayson_scripts": {"controlnet": {"args": [{"input_image": INSIDE}]}}},
    "ControlNet, deeper": {
        "alwayson_scripts": {"controlnet": {"args": [{"image": {"image": PICTURE, "mask": INSIDE}}]}}
    },
    "a name twice": {"x": 1, "Init_Images": [[INSIDE]]},
}
WAYS = [("", RAW), ("", "*/*"), ("?answer=original", "*/*"), ("?answer=preview", "*/*")]


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("path", [IMG2IMG, TXT2IMG, f"/original{IMG2IMG}", f"/displays/default{IMG2IMG}"])
async def test_an_address_is_refused(service: Service, upstream: ScriptedA1111, path: str, name: str) -> None:
    for query, accept in WAYS:
        got = await service.ask("POST", path + query, BAD[name], accept=accept)
        assert got.status == got.json()["code"] == 422
        assert "address" in got.json()["error"]
        assert INSIDE not in got.body.decode()
        assert "10.0.0.1" not in got.body.decode()
    assert not upstream.seen


async def test_the_field_is_named(service: Service) -> None:
    got = await service.ask("POST", IMG2IMG, BAD["mask"])
    assert got.json()["error"].startswith("mask: ")
    assert "ALLOW_IMAGE_URLS" in got.json()["detail"]


GOOD: dict[str, dict[str, Any]] = {
    "base64": {"init_images": [PICTURE], "mask": PICTURE},
    "a data address": {"init_images": ["data:image/png;base64," + PICTURE]},
    "an address of no picture": {"url": INSIDE, "prompt": "http://example.org", "override_settings": {"x": INSIDE}},
    "a JPEG": {"init_images": [b64(encode(gradient(), "JPEG"))]},
    "words": {"mask_mode": "Mask Only", "image_name": "a.png", "image_cfg_scale": "1.5"},
    "no texts": {"init_images": [None, 7, {}], "mask": None, "image_cfg_scale": 1.5, "include_init_images": True},
}


@pytest.mark.parametrize("name", GOOD)
async def test_anything_else_passes(service: Service, upstream: ScriptedA1111, name: str) -> None:
    for path in (IMG2IMG, f"/original{IMG2IMG}"):
        assert (await service.ask("POST", path, GOOD[name])).status == 200
    assert [json.loads(seen.body) for seen in upstream.seen] == [GOOD[name]] * 2


@pytest.mark.parametrize("body", [b"{bad", b"", b'[["', b'{"mask": "abc' + b"\xff", b"prompt=a"])
async def test_what_is_broken_is_for_the_upstream_to_refuse(
    service: Service, upstream: ScriptedA1111, body: bytes
) -> None:
    await service.ask("POST", f"/original{IMG2IMG}", body)
    assert upstream.seen[0].body == body


# What some parser or other takes, and ours does not.
LENIENT = [
    b'{"mask": "http://10.0.0.1/a.png", }',
    b'{"mask": "http://10.0.0.1/a.png"} // and so on',
    b"{'mask': 'http://10.0.0.1/a.png'}",
    b'{"mask": "http:\\/\\/10.0.0.1\\/a.png", x}',
    b'{"mask": "http://10.0.0.1/\xff"}',
    b'{"mask": "http://10.0.0.1/a\nb"}',
]


@pytest.mark.parametrize("body", LENIENT, ids=range(len(LENIENT)))
async def test_but_not_where_it_may_hide_an_address(service: Service, upstream: ScriptedA1111, body: bytes) -> None:
    for path in (f"/original{IMG2IMG}", "/sdapi/v1/png-info"):
        got = await service.ask("POST", path, body)
        assert (got.status, got.json()["code"]) == (422, 422)
    assert not upstream.seen


async def test_a_body_of_endless_parts_is_not_looked_through(service: Service, upstream: ScriptedA1111) -> None:
    got = await service.ask("POST", f"/original{IMG2IMG}", b'{"x": [%b[1]]}' % (b"[1]," * 200_000))
    assert (got.status, "parts" in got.json()["error"]) == (422, True)
    assert not upstream.seen


async def test_a_packed_body_is_not_looked_through(service: Service, upstream: ScriptedA1111) -> None:
    packed = gzip.compress(json.dumps({"image": INSIDE}).encode())
    got = await service.ask("POST", "/sdapi/v1/png-info", packed, content_encoding="gzip")
    assert (got.status, got.json()["code"]) == (415, 415)
    # Where nothing is fetched, it is the upstream's business.
    got = await service.ask("POST", "/sdapi/v1/options", packed, content_encoding="gzip")
    assert (got.status, upstream.seen[0].body, upstream.seen[0].header("content-encoding")) == (200, packed, "gzip")


HIDDEN = {
    "beside an endless number": b'{"x": %b, "mask": "%b"}' % (b"9" * 5000, INSIDE.encode()),
    "beside a deep nest": b'{"x": %b%b, "mask": "%b"}' % (b"[" * 100_000, b"]" * 100_000, INSIDE.encode()),
    "in a deep nest": b'{"mask": %b"%b"%b}' % (b"[" * 100_000, INSIDE.encode(), b"]" * 100_000),
}


@pytest.mark.parametrize("name", HIDDEN)
async def test_json_that_only_other_parsers_take_hides_none(
    service: Service, upstream: ScriptedA1111, trusting: Service, name: str
) -> None:
    for path in (f"/original{IMG2IMG}", f"{IMG2IMG}?answer=original", "/sdapi/v1/png-info"):
        got = await service.ask("POST", path, HIDDEN[name])
        assert (got.status, got.json()["code"]) == (422, 422)
    assert not upstream.seen
    await trusting.ask("POST", f"/original{IMG2IMG}", HIDDEN[name])
    assert upstream.seen[0].body == HIDDEN[name]


@pytest.mark.parametrize("coding", ["utf-16", "utf-8-sig", "utf-32"])
async def test_it_is_found_in_every_coding_that_a1111_reads(
    service: Service, upstream: ScriptedA1111, coding: str
) -> None:
    body = json.dumps({"mask": INSIDE}).encode(coding)
    assert (await service.ask("POST", f"/original{IMG2IMG}", body)).status == 422
    assert not upstream.seen


async def test_with_the_setting_they_are_the_upstreams_business(trusting: Service, upstream: ScriptedA1111) -> None:
    for body in BAD.values():
        for path in (IMG2IMG, f"/original{IMG2IMG}"):
            assert (await trusting.ask("POST", path, body)).status == 200
    assert (await trusting.ask("POST", "/sdapi/v1/png-info", {"image": INSIDE})).status == 200


RELAYED: dict[str, dict[str, Any]] = {
    "/sdapi/v1/png-info": {"image": INSIDE},
    "/sdapi/v1/interrogate": {"image": INSIDE, "model": "clip"},
    "/sdapi/v1/extra-single-image": {"image": INSIDE},
    "/sdapi/v1/extra-batch-images": {"imageList": [{"data": INSIDE, "name": "a"}]},
    "/controlnet/detect": {"controlnet_input_images": [INSIDE]},
}


@pytest.mark.parametrize("base", ["", "/original", "/displays/default"])
@pytest.mark.parametrize("path", RELAYED)
async def test_the_other_routes_that_take_pictures(
    service: Service, upstream: ScriptedA1111, path: str, base: str
) -> None:
    got = await service.ask("POST", base + path, RELAYED[path])
    assert (got.status, got.json()["code"]) == (422, 422)
    assert not upstream.seen
    upstream.standing = said({"info": ""})
    body = json.dumps(RELAYED[path]).replace(INSIDE, PICTURE).encode()
    got = await service.ask("POST", f"{base}{path}?a=%20", body, content_type="application/json")
    assert (got.status, got.body) == (200, b'{"info": ""}')
    assert (upstream.seen[0].target, upstream.seen[0].body) == (f"{path}?a=%20", body)
    assert upstream.seen[0].header("content-length") == str(len(body))
