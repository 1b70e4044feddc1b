"""A Pico that polls for the newest frame: with old and new requests, and by the program of the docs as it stands."""

from __future__ import annotations

import asyncio
import builtins
import re
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO
from urllib.parse import urlsplit

import pytest

from fakes import micropython
from fakes.clients import micropython_request
from fakes.failures import closed_port
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


class Enough(BaseException):
    """Ends the program, which would poll for ever."""


@dataclass
class Requests:
    """The old `requests` of a Pico that asks six times: in the third turn half comes, in the fourth nobody is there."""

    url: str
    push: Callable[[bytes], None]
    stalls: bool
    open: ExitStack
    asked: list[str | None] = field(default_factory=list)
    answers: list[micropython.Response] = field(default_factory=list)

    def get(self, url: str, headers: dict[str, str], timeout: float) -> micropython.Response:
        self.asked.append(headers.get("If-None-Match"))
        turn = len(self.asked)
        if turn == 6:
            raise Enough
        if turn in (1, 3):
            self.push(PICTURE if turn == 1 else png(RED))
        with ExitStack() as stack:
            if turn == 4:
                url = url.replace(self.url, stack.enter_context(closed_port()))
            stream = _ask(url.replace("wait=4", "wait=0.05"), headers)
        self.answers.append(micropython.Response(self._half(stream) if turn == 3 else stream))
        return self.answers[-1]

    def _half(self, whole: BinaryIO) -> BinaryIO:
        """A stream on which the first half of an answer comes, and then its end, or nothing."""
        with whole:
            answer = whole.read()
        ours, theirs = socket.socketpair()
        self.open.enter_context(ours)
        ours.sendall(answer[: len(answer) // 2])
        if self.stalls:
            theirs.settimeout(0.05)
        else:
            ours.close()
        with theirs:
            return theirs.makefile("rwb")


@pytest.mark.parametrize("stalls", [True, False], ids=["stalls", "hangs up"])
async def test_the_loop_of_the_docs_shows_each_picture_whole(service: Service, stalls: bool) -> None:
    loop = asyncio.get_running_loop()
    screen: list[bytes] = []
    slept: list[int] = []

    def push(picture: bytes) -> None:
        asyncio.run_coroutine_threadsafe(service.ask("POST", FRAME, picture), loop).result(10)

    with ExitStack() as stack:
        requests = Requests(service.url, push, stalls, stack)
        modules = {
            "requests": requests,
            "time": SimpleNamespace(sleep=slept.append),
            "lcd": SimpleNamespace(
                begin=lambda: screen.append(b""), write=lambda band: screen.append(screen.pop() + band)
            ),
        }
        known = {**vars(builtins), "print": lambda *_: None, "__import__": lambda name, *_: modules[name]}
        with pytest.raises(Enough):
            await asyncio.to_thread(exec, program(service), {"__builtins__": known})
    first, second = (convert(picture, DISPLAYS[LCD]).data for picture in (PICTURE, png(RED)))
    assert [screen[0], *screen[2:]] == [first, second]
    assert 0 < len(screen[1]) < len(second)
    assert second.startswith(screen[1])
    drawn, new = (requests.answers[at].headers["ETag"] for at in (0, -1))
    assert requests.asked == [None, drawn, drawn, None, None, new]
    assert [seconds > 0 for seconds in slept] == [False, False, True, True, False]
    assert all(answer.raw.closed for answer in requests.answers)


def program(service: Service) -> str:
    text = (Path(__file__).parents[2] / "docs" / "frames.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "http://192.168.1.50:8080" in block
    return str(block).replace("http://192.168.1.50:8080", service.url)


def _ask(url: str, headers: dict[str, str]) -> BinaryIO:
    """What the old requests does for GET, up to the answer."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        stream = connection.makefile("rwb")
    lines = [f"GET {parts.path}?{parts.query} HTTP/1.0", f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    stream.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    stream.flush()
    return stream
