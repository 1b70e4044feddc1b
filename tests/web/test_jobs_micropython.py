"""What MicroPython's requests, old and new, make of a job."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import ScriptedA1111
from fakes.clients import micropython_request
from service import RAW, Service, open_service

LCD = "waveshare-pico-lcd-1.3"
TXT2IMG = f"/displays/{LCD}/sdapi/v1/txt2img"


@pytest.fixture
async def fresh(upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=upstream.url) as service:
        yield service


@pytest.mark.parametrize("old", [True, False], ids=["old", "new"])
async def test_micropythons_requests_gets_the_job_and_the_frame(fresh: Service, old: bool) -> None:
    headers = {"Prefer": "respond-async"}
    posted = await micropython_request(fresh.port, "POST", f"{TXT2IMG}/", {"prompt": "a"}, headers, old=old)
    assert (posted.status_code, posted.json()["frame"]) == (202, posted.headers["Location"] + "/frame")
    assert len(posted.content) == int(posted.headers["Content-Length"]) < 1000
    got = await micropython_request(fresh.port, "GET", f"{posted.headers['Location']}/frame?wait=60", old=old)
    assert (got.status_code, len(got.content), got.headers["Content-Type"]) == (200, 115200, RAW)
    deleted = await micropython_request(fresh.port, "DELETE", posted.headers["Location"], old=old)
    assert deleted.json()["state"] == "done"
