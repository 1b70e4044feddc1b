"""Programs that ask for frames, and a scripted service that answers each address as a test tells it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from device.vms import Ran, run
from fakes.a1111 import Reply, ScriptedA1111, Seen, said
from fakes.pictures import encode, gradient
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.pixels import FORMATS

LCD = "waveshare-pico-lcd-0.96"  # of the displays with a board, the one with the fewest bytes
DISPLAY = DISPLAYS[LCD]
PIXELS = convert(encode(gradient()), DISPLAY).data
FRAME_HEADERS = {
    "Content-Type": "application/octet-stream",
    "X-Image-Width": str(DISPLAY.width),
    "X-Image-Height": str(DISPLAY.height),
    "X-Image-Format": DISPLAY.format,
    "ETag": '"one"',
}
JOB = said({"state": "queued"}, 202, ("Location", "/jobs/one"))
WHITE = (255, 255, 255)
LONGEST_SENTENCE = 100  # characters that a small panel has room for

# What every program begins with. `tell` makes a call and prints what came of it; `pull` asks the test for something.
_PROGRAM = """
import json, socket, time
from boards import BOARD as board
from frame_client import FrameClient, FrameError
from panel import Panel

class Watched(Panel):
    begun = 0

    def begin(self, rows, top=0):
        self.begun += rows
        Panel.begin(self, rows, top)

panel = Watched(board)
panel.light(100)
fed = []

def feed():
    fed.append(time.ticks_ms())

def tell(name, call, *args, **fields):
    told, begun = {"name": name}, panel.begun
    try:
        told["gave"] = call(*args, **fields)
    except FrameError as error:
        told["error"], told["status"], told["again"] = str(error), error.status, error.again
    told["rows"] = panel.begun - begun
    print(json.dumps(told))

def pull(lever):
    connection = socket.socket()
    connection.connect(socket.getaddrinfo(*LEVERS)[0][-1])
    connection.write(b"GET /" + lever.encode() + b" HTTP/1.0\\r\\n\\r\\n")
    connection.read()
    connection.close()
"""


@dataclass(frozen=True)
class Told:
    """What came of one call: what it gave back, or the FrameError; `rows` are those of the windows it opened."""

    name: str
    rows: int
    gave: Any = None
    error: str = ""
    status: int | None = None
    again: float | None = None

    @property
    def fits(self) -> bool:
        """Whether its sentence is one line of words that a small panel has room for."""
        of_the_service = self.status not in (None, 0, 200)
        room = (2 if of_the_service else 1) * LONGEST_SENTENCE
        return len(self.error) <= room and self.error.isprintable() and (self.status is None) == (self.error == "")


@dataclass(frozen=True)
class Asked:
    """What a program told, call by call, and what is on the glass in the end."""

    told: list[Told]
    ran: Ran

    def __getitem__(self, name: str) -> Told:
        """The one call of this name."""
        (found,) = [told for told in self.told if told.name == name]
        return found

    @property
    def gave(self) -> dict[str, Any]:
        """What each call gave; all have gone well."""
        assert [told for told in self.told if told.error] == []
        return {told.name: told.gave for told in self.told}

    @property
    def colours(self) -> set[Any]:
        """The colours that are to be seen."""
        image = self.ran.glass.image()
        return {colour for _, colour in image.getcolors(image.width * image.height)}

    @property
    def pixels(self) -> bytes:
        """The frame that DISPLAY shows so."""
        levels = np.asarray(self.ran.glass.image().convert("RGB")) >> np.array([3, 2, 3], np.uint8)
        return FORMATS[DISPLAY.format].pack(levels)


async def ask(vm: str, program: str, display: str = LCD, levers: Levers | None = None, **script: Any) -> Asked:
    """Run `program` after the usual beginning, and let no exception be the end of it."""
    text = _PROGRAM.replace("BOARD", re.sub(r"\W", "_", display))
    text = text.replace("LEVERS", repr(("127.0.0.1", levers.port)) if levers else "()")
    ran = await run(vm, text + program, display=display, **script)
    assert ran.error == "", (ran.error, ran.printed)
    told = [Told(**json.loads(line)) for line in ran.printed]
    unfit = [one for one in told if not one.fits]
    assert not unfit, unfit
    return Asked(told, ran)


def frame(data: bytes = PIXELS, cut: int | None = None, hang: int | None = None, **changed: str | None) -> Reply:
    """The service's answer with a frame; `x_image_width="9"` changes a header, None leaves it out."""
    given = {name.replace("_", "-"): value for name, value in changed.items()}
    headers = [(name, given.pop(name.lower(), value)) for name, value in FRAME_HEADERS.items()]
    told = tuple((name, value) for name, value in [*headers, *given.items()] if value is not None)
    return Reply(200, data, told, cut=cut, hang=hang)


def bare(reply: Reply, status_line: str = "HTTP/1.0 200 OK", **more: str) -> Reply:
    """The same without Content-Length and Connection, under this status line."""
    given = [(name.replace("_", "-"), value) for name, value in more.items()]
    lines = [status_line, *(f"{name}: {value}" for name, value in [*reply.headers, *given])]
    return Reply(raw="\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body)


def _path(name: str) -> str:
    return name.replace(" ", "-").replace("/", "-")


class Scripted(ScriptedA1111):
    """Answers by the first name in the path: with that one's replies in turn, of which the last one stays.

    With `jobs` a POST is answered with JOB, whatever there is in turn.
    """

    def __init__(self, replies: Mapping[str, Reply | Sequence[Reply]], jobs: bool = False) -> None:
        super().__init__(standing=self.reply)
        self.jobs = jobs
        self.replies = {
            _path(name): [reply] if isinstance(reply, Reply) else list(reply) for name, reply in replies.items()
        }
        self.open = 0  # connections that neither side has closed
        self._reset: set[int] = set()

    def asked(self, name: str) -> list[Seen]:
        """The requests below that name."""
        return [seen for seen in self.seen if seen.target.split("/")[1] == _path(name)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        connection = self.connections + 1
        try:
            await super().serve(reader, writer)
        finally:
            self.open -= 1
            if connection in self._reset:  # it is not closed yet, and so it ends with a RST
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def reply(self, seen: Seen) -> Reply:
        """What to answer."""
        if self.jobs and seen.method == "POST":
            return JOB
        replies = self.replies[seen.target.split("/")[1]]
        chosen = replies.pop(0) if len(replies) > 1 else replies[0]
        if chosen.reset:
            self._reset.add(seen.connection)
        return chosen


@asynccontextmanager
async def open_scripted(
    replies: Mapping[str, Reply | Sequence[Reply]], jobs: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Scripted]:
    """A Scripted on a free port of loopback."""
    async with _listening(Scripted(replies, jobs), tls) as scripted:
        yield scripted


class Levers(Scripted):
    """What a program can `pull`: each name calls a function of the test."""

    def __init__(self, levers: Mapping[str, Callable[[], object]]) -> None:
        super().__init__({name: Reply() for name in levers})
        self.levers = levers

    def reply(self, seen: Seen) -> Reply:
        self.levers[seen.target.split("/")[1]]()
        return super().reply(seen)


@asynccontextmanager
async def open_levers(**levers: Callable[[], object]) -> AsyncIterator[Levers]:
    """Levers on a free port of loopback."""
    async with _listening(Levers(levers)) as pulled:
        yield pulled


@asynccontextmanager
async def _listening(scripted: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[Any]:
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, ssl=tls)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        await scripted.stop()


def each(replies: Mapping[str, Any], url: str, call: str = "newest()", **settings: Any) -> str:
    """A program on white glass that makes this call at the address of every reply."""
    given = "".join(f", {name}={value!r}" for name, value in settings.items())
    return f"""
panel.fill(0xFFFF)
for name in {list(replies)!r}:
    client = FrameClient({url!r} + "/" + name.replace(" ", "-").replace("/", "-"), panel, feed=feed{given})
    tell(name, lambda: client.{call})
"""
