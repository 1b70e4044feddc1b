"""What MicroPython's requests makes of our answers, the old one and the new one. Check 28."""

from __future__ import annotations

import json

import pytest

from fakes.a1111 import Reply, ScriptedA1111
from fakes.clients import micropython_request
from fakes.failures import IN_TROUBLE
from service import RAW, TXT2IMG, Service

old_and_new = pytest.mark.parametrize("old", [True, False], ids=["old", "new"])


@old_and_new
async def test_check_28_a_frame(service: Service, upstream: ScriptedA1111, old: bool) -> None:
    got = await micropython_request(service.port, "POST", TXT2IMG, {"prompt": "a"}, {"Accept": RAW}, old=old)
    assert (got.status_code, len(got.content)) == (200, 115200)
    # Looked up as makers do, who know one spelling.
    assert got.headers["Content-Type"] == RAW
    assert int(got.headers["Content-Length"]) == 115200
    assert (got.headers["X-Image-Width"], got.headers["X-Image-Height"]) == ("240", "240")
    assert got.headers["ETag"]
    assert json.loads(upstream.seen[0].body) == {"prompt": "a"}


@old_and_new
async def test_check_28_json(service: Service, old: bool) -> None:
    got = await micropython_request(service.port, "POST", TXT2IMG, {"prompt": "a"}, old=old)
    assert got.headers["Content-Type"] == "application/json"
    assert set(got.json()) == {"images", "parameters", "info"}


@old_and_new
async def test_check_28_an_address_with_a_slash_too_many(service: Service, old: bool) -> None:
    got = await micropython_request(service.port, "POST", TXT2IMG + "/", {}, {"Accept": RAW}, old=old)
    assert (got.status_code, len(got.content)) == (200, 115200)


@old_and_new
@pytest.mark.parametrize("failure", IN_TROUBLE)
async def test_check_36_errors_fit_and_can_be_read(
    service: Service, upstream: ScriptedA1111, failure: str, old: bool
) -> None:
    upstream.standing = IN_TROUBLE[failure]
    got = await micropython_request(service.port, "POST", TXT2IMG, {}, {"Accept": RAW}, old=old)
    assert got.status_code == got.json()["code"] == 502
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Content-Length"] == str(len(got.content))
    assert len(got.content) < 1000


@old_and_new
async def test_check_28_health(service: Service, old: bool) -> None:
    got = await micropython_request(service.port, "GET", "/health", old=old)
    assert got.json()["status"] in ("ok", "degraded")


@old_and_new
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "whole"])
async def test_check_28_what_is_relayed_can_be_read(
    service: Service, upstream: ScriptedA1111, chunked: bool, old: bool
) -> None:
    upstream.standing = Reply(body=b'{"sd_model_checkpoint": "m"}', chunked=chunked)
    got = await micropython_request(service.port, "GET", "/sdapi/v1/options", old=old)
    assert (got.status_code, got.json()) == (200, {"sd_model_checkpoint": "m"})
    assert got.headers["Content-Type"] == "application/json"
