"""circuitpython/code.py, over real sockets: the frame gets to the panel, and what is no frame does not."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakes.a1111 import Reply, ScriptedA1111, answer, open_scripted_a1111, said
from fakes.circuitpython import Board, PowerCut
from fakes.failures import closed_port
from fakes.pictures import encode, gradient
from pico_a1111_proxy.frames import convert, preview
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.chip import Chip
from pico_a1111_proxy.simulator.glass import Glass
from service import Service, open_service

PROGRAM = (Path(__file__).parents[2] / "device" / "circuitpython" / "code.py").read_text(encoding="utf-8")
DISPLAY = DISPLAYS["waveshare-pico-lcd-1.3"]
PAUSE = 60  # seconds, as the program has it


class Pins:
    """What a board file says, for the panel of the program."""

    SPI, SCK, MOSI, CS, DC, RST, BL = 1, 10, 11, 9, 8, 12, 13


class Pico:
    """A Pico W with that panel; its power is cut in the pause after so many tries. `pauses` are those it made."""

    def __init__(self, tries: int = 1, password: str = "its password") -> None:
        self.glass = Glass(DISPLAY)
        self.pauses: list[float] = []
        self.board = Board(Chip(self.glass, Pins), self._sleep, password)
        self._tries = tries

    def _sleep(self, seconds: float) -> None:
        if seconds >= 1:
            self.pauses.append(seconds)
            if len(self.pauses) == self._tries:
                raise PowerCut

    async def run(self, port: int, **changed: str) -> list[str]:
        program = changed_program(HOST_PORT=f'HOST, PORT = "127.0.0.1", {port}', **changed)
        return await asyncio.to_thread(self.board.run, program)

    def sees(self, picture: Image.Image) -> bool:
        return np.array_equal(np.asarray(self.glass.image()), np.asarray(picture))


def changed_program(**lines: str) -> str:
    """The program with other settings; each line has to be there to be changed."""
    known = {"HOST_PORT": 'HOST, PORT = "192.168.1.50", 8080', "KEY": 'KEY = ""', "PATIENCE": "PATIENCE = 120"}
    program = PROGRAM
    for name, line in lines.items():
        assert program.count(known[name]) == 1
        program = program.replace(known[name], line)
    return program


def picture() -> tuple[bytes, Image.Image]:
    """A frame for the panel, and what it looks like."""
    frame = convert(encode(gradient()), DISPLAY)
    return frame.data, Image.open(io.BytesIO(preview(frame, DISPLAY))).convert("RGB")


def frame_reply(data: bytes, **changed: str) -> Reply:
    headers = {"content-type": "application/octet-stream", "x-image-width": "240", "x-image-height": "240"}
    headers |= {"x-image-format": "rgb565-be", **{name.replace("_", "-"): value for name, value in changed.items()}}
    return Reply(200, data, tuple(headers.items()))


@asynccontextmanager
async def open_scripted(*replies: Reply) -> AsyncIterator[ScriptedA1111]:
    """A service of which each answer is written down."""
    async with open_scripted_a1111() as scripted:
        scripted.script = list(replies)
        yield scripted


async def test_the_panel_shows_what_the_service_has_for_it(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = answer(encode(gradient()))
    pico = Pico()
    assert await pico.run(service.port) == []
    shown = await service.txt2img({}, f"?display={DISPLAY.name}&answer=preview")
    assert pico.sees(Image.open(io.BytesIO(shown.body)).convert("RGB"))
    assert pico.pauses == [PAUSE]
    assert b"a mountain lake at sunset" in upstream.seen[0].body


async def test_the_next_picture_comes_over_the_first_on_the_same_wifi(
    service: Service, upstream: ScriptedA1111
) -> None:
    upstream.script = [answer(encode(Image.new("RGB", (8, 8), "red")))]
    upstream.standing = answer(encode(gradient()))
    pico = Pico(tries=2)
    assert await pico.run(service.port) == []
    assert pico.sees(picture()[1])
    assert pico.board.radio.tries == 1


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
async def test_headers_are_read_in_any_case(case: Any) -> None:
    data, seen = picture()
    reply = frame_reply(data, content_length=str(len(data)))
    lines = ["HTTP/1.1 200 OK", *(f"{case(name)}: {value}" for name, value in reply.headers), "", ""]
    pico = Pico()
    async with open_scripted(Reply(raw="\r\n".join(lines).encode() + data)) as scripted:
        assert await pico.run(scripted.port) == []
    assert pico.sees(seen)


WRONG: dict[str, tuple[Reply, str]] = {
    "width": (frame_reply(bytes(115200), x_image_width="320"), "x-image-width is 320 and has to be 240"),
    "format": (frame_reply(bytes(115200), x_image_format="rgb332"), "x-image-format is rgb332 and has to be rgb565-be"),
    "length": (frame_reply(bytes(115199)), "content-length is 115199 and has to be 115200"),
    "no frame": (said({"images": []}), "x-image-width is None and has to be 240"),
    "no server of the web": (Reply(raw=b"SSH-2.0-x\r\n\r\n"), "127.0.0.1:PORT is no web server"),
    "endless headers": (Reply(raw=b"HTTP/1.0 200 OK\r\nX: " + b"x" * 8000), "the answer's headers are too long"),
    "an error in HTML": (Reply(502, b"<html>Bad Gateway</html>"), "502: no reason given"),
    "an error": (said({"error": "Invalid or missing API key", "code": 401}, 401), "401: Invalid or missing API key"),
    "silence": (Reply(mute=True), "The network: the answer was cut off"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_no_frame_is_told_and_draws_nothing(name: str) -> None:
    reply, words = WRONG[name]
    data, seen = picture()
    pico = Pico(tries=2)
    async with open_scripted(frame_reply(data), reply) as scripted:
        printed = await pico.run(scripted.port)
        assert printed == [words.replace("PORT", str(scripted.port))]
    assert pico.sees(seen), "the picture from before is still there"
    assert pico.pauses == [PAUSE, PAUSE]


async def test_it_comes_again_when_the_service_says_so() -> None:
    busy = said({"error": "The line is full", "code": 503}, 503, ("Retry-After", "12"))
    data, seen = picture()
    pico = Pico(tries=2)
    async with open_scripted(busy, frame_reply(data)) as scripted:
        assert await pico.run(scripted.port) == ["503: The line is full"]
    assert pico.pauses == [12, PAUSE]
    assert pico.sees(seen)


async def test_a_frame_that_breaks_off_is_told_and_the_next_one_is_whole() -> None:
    data, seen = picture()
    whole = frame_reply(data)
    pico = Pico(tries=2)
    async with open_scripted(replace(whole, cut=50_000), whole) as scripted:
        assert await pico.run(scripted.port) == ["The network: the answer was cut off"]
    assert pico.sees(seen)


async def test_without_wifi_or_service_it_goes_on_trying() -> None:
    pico = Pico(tries=2, password="another")
    assert await pico.run(9) == ["The network: No network with that ssid"] * 2
    pico = Pico(tries=2)
    with closed_port() as url:
        printed = await pico.run(int(url.rpartition(":")[2]))
    assert len(printed) == 2
    assert all("refused" in line for line in printed)


async def test_a_key_is_sent() -> None:
    async with open_service(a1111_base_url="demo:", service_api_key="hall-pass") as service:
        pico = Pico()
        assert await pico.run(service.port) == ["401: Invalid or missing API key"]
        pico = Pico()
        assert await pico.run(service.port, KEY='KEY = "hall-pass"') == []
    assert len(pico.glass.image().getcolors(240 * 240) or []) > 100


async def test_a_drawing_that_takes_too_long_is_given_up() -> None:
    async with open_scripted(Reply(gate=asyncio.Event())) as scripted:
        assert await Pico().run(scripted.port, PATIENCE="PATIENCE = 0.1") == ["The network: timed out"]
