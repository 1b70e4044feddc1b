"""What MicroPython's requests, old and new, make of the newest frame."""

from __future__ import annotations

import pytest

from fakes.clients import micropython_request
from fakes.pictures import corners, encode
from service import RAW, Service

LCD = "waveshare-pico-lcd-1.3"
FRAME = f"/displays/{LCD}/frame"
PICTURE = encode(corners((300, 200)))


@pytest.mark.parametrize("old", [True, False], ids=["old", "new"])
@pytest.mark.parametrize("path", [FRAME, f"{FRAME}/", f"{FRAME}?wait=1"])
async def test_micropythons_requests_gets_a_frame_and_a_304(service: Service, old: bool, path: str) -> None:
    await service.ask("POST", FRAME, PICTURE)
    got = await micropython_request(service.port, "GET", path, old=old)
    assert (got.status_code, len(got.content), got.headers["Content-Length"]) == (200, 115200, "115200")
    assert (got.headers["Content-Type"], got.headers["X-Image-Format"]) == (RAW, "rgb565-be")
    headers = {"If-None-Match": got.headers["ETag"]}
    again = await micropython_request(service.port, "GET", FRAME, headers=headers, old=old)
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", got.headers["ETag"])
