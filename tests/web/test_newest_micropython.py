"""A Pico that polls for the newest frame: with old and new requests, and by the program of the docs as it stands."""

from __future__ import annotations

import asyncio
import builtins
import re
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from fakes import micropython
from fakes.clients import micropython_request
from fakes.pictures import RED, corners, encode, png
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.panels import DISPLAYS
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


class Enough(Exception):
    """Ends the program, which would poll for ever."""


async def test_the_loop_of_the_docs_shows_each_picture_once(service: Service) -> None:
    text = (Path(__file__).parents[2] / "docs" / "frames.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "http://192.168.1.50:8080" in program
    loop, pictures = asyncio.get_running_loop(), [png(RED), PICTURE]
    screen: list[bytes] = []
    asked: list[Any] = []

    def push() -> None:
        asyncio.run_coroutine_threadsafe(service.ask("POST", FRAME, pictures.pop()), loop).result(10)

    def get(url: str, headers: dict[str, str], timeout: float) -> Any:
        asked.append(dict(headers))
        if len(asked) == 4:
            raise Enough
        if len(asked) in (1, 3):
            push()
        return _get(url.replace("wait=5", "wait=0.05"), headers)

    modules = {
        "requests": SimpleNamespace(get=get),
        "time": SimpleNamespace(sleep=lambda _: None),
        "lcd": SimpleNamespace(begin=lambda: screen.append(b""), write=lambda band: screen.append(screen.pop() + band)),
    }
    names = {"__builtins__": {**vars(builtins), "__import__": lambda name, *_: modules[name]}}
    with pytest.raises(Enough):
        await asyncio.to_thread(exec, program.replace("http://192.168.1.50:8080", service.url), names)
    assert screen == [convert(picture, DISPLAYS[LCD]).data for picture in (PICTURE, png(RED))]
    assert asked[0] == {}
    assert asked[1] == asked[2] != asked[3]


def _get(url: str, headers: dict[str, str]) -> micropython.Response:
    """What the old requests does for GET."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        stream = connection.makefile("rwb")
    lines = [f"GET {parts.path}?{parts.query} HTTP/1.0", f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    stream.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    stream.flush()
    return micropython.Response(stream)
