"""A Pico with a watchdog that posts a job and comes back for it, by the program of the docs as it stands."""

from __future__ import annotations

import asyncio
import builtins
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import pytest

from fakes import micropython
from fakes.a1111 import ScriptedA1111, answer, said
from fakes.clients import micropython_request
from fakes.failures import closed_port
from fakes.pictures import corners, encode
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.panels import DISPLAYS
from service import RAW, Service, open_service

LCD = "waveshare-pico-lcd-1.3"
TXT2IMG = f"/displays/{LCD}/sdapi/v1/txt2img"
PICTURE = encode(corners((300, 200)))
FRAME = convert(PICTURE, DISPLAYS[LCD]).data
LONGEST_REQUEST = 7  # seconds that one may take by its timeouts, with a second to spare


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


class Enough(BaseException):
    """Ends the program, which would go on for ever."""


@dataclass
class Requests:
    """The old `requests`: `before` is called with the number of each request, and may say where it goes instead."""

    before: Callable[[int], str | None]
    asked: list[str] = field(default_factory=list)
    answers: list[micropython.Response] = field(default_factory=list)

    def post(self, url: str, json: Any, headers: dict[str, str], timeout: float) -> micropython.Response:
        return self._ask(url, timeout, lambda to: micropython.post(to, headers, json))

    def get(self, url: str, timeout: float) -> micropython.Response:
        assert "wait=4" in url
        return self._ask(url, timeout, lambda to: micropython.Response(get(to.replace("wait=4", "wait=0.05"))))

    def _ask(self, url: str, timeout: float, ask: Callable[[str], micropython.Response]) -> micropython.Response:
        assert timeout <= LONGEST_REQUEST
        self.asked.append(urlsplit(url).path)
        instead = self.before(len(self.asked))
        self.answers.append(ask(url if instead is None else instead + urlsplit(url).path))
        return self.answers[-1]


def get(url: str) -> BinaryIO:
    """What the old requests does for GET, up to the answer."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        stream = connection.makefile("rwb")
    stream.write(f"GET {parts.path}?{parts.query} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
    stream.flush()
    return stream


async def test_the_loop_of_the_docs_draws_and_feeds_the_dog(fresh: Service, upstream: ScriptedA1111) -> None:
    loop = asyncio.get_running_loop()
    drawn = asyncio.Event()
    upstream.script = [replace(answer(PICTURE), gate=drawn), said({"detail": "no"}, 500), answer(PICTURE)]
    screen: list[bytes] = []
    life: list[str] = []

    with ExitStack() as stack:
        nobody = stack.enter_context(closed_port())

        def before(number: int) -> str | None:
            life.append("ask")
            if number == 5:
                loop.call_soon_threadsafe(drawn.set)
            if len(screen) == 2:
                raise Enough
            return nobody if number in (1, 3) else None

        requests = Requests(before)
        modules = {
            "requests": requests,
            "machine": SimpleNamespace(WDT=lambda timeout: SimpleNamespace(feed=lambda: life.append("feed"))),
            "time": SimpleNamespace(sleep=lambda seconds: life.append(f"sleep {seconds}")),
            "lcd": SimpleNamespace(
                begin=lambda: screen.append(b""), write=lambda band: screen.append(screen.pop() + band)
            ),
        }
        known = {**vars(builtins), "print": lambda *_: None, "__import__": lambda name, *_: modules[name]}
        with pytest.raises(Enough):
            await asyncio.to_thread(exec, program(fresh), {"__builtins__": known})
    assert screen == [FRAME, FRAME]
    assert set(life) == {"ask", "sleep 1", "feed"}
    assert never_hungry(life)
    # Each picture that failed is posted anew, and each job that was not heard of is asked for again.
    assert len(upstream.generations) == 3
    assert requests.asked[:2] == [TXT2IMG, TXT2IMG]
    assert len(set(requests.asked[2:5])) == 1
    assert requests.asked[2].startswith("/jobs/")
    assert requests.asked.count(TXT2IMG) == 5
    assert all(one.raw.closed for one in requests.answers)


def never_hungry(life: list[str]) -> bool:
    """Whether all that takes time is followed by a feed before the next that does."""
    return all("feed" in pair for pair in pairwise(life))


def program(service: Service) -> str:
    text = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "http://192.168.1.50:8080" in block
    return str(block).replace("http://192.168.1.50:8080", service.url)
