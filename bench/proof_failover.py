"""Fail-over: one of two upstreams is killed at twenty requests a second, and comes back twenty seconds later.

Everything is real and on loopback: the service in a process of its own, two upstreams here, which draw a picture in a
tenth of a second each. Killed is: the port closed, and every connection reset. Proven is that

- only jobs that the killed one had at that moment are errors: none that had not been sent,
- no job is sent twice,
- the dead one gets at most one connection per cool-down, whether by jobs or by the service's own looking,
- once it is back, it draws again.

Turned around, `--without circuit` (nobody is ever left alone) and `--without failover` (what was refused is an error)
put the two defects back in, and the proof fails. The service's connections are counted by a hook in its process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import itertools
import json
import socket
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pybase64
from PIL import Image
from processes import HEALTH, Program, running, stop_when_told
from tables import print_table, tell_machine

COOL_DOWN = 10.0  # seconds, the shortest
SLACK = 0.2  # seconds by which clocks and turns of the loop may be off
DRAWING = 0.1  # seconds for a picture
RATE = 20  # requests a second
BEFORE, DEAD, AFTER = 4.0, 20.0, 16.0  # seconds; one that was probed after 10 is probed again after 20 more


@dataclass
class FakeA1111:
    """Draws in DRAWING seconds, remembers every job it got, and can be killed and come back on the same port."""

    body: bytes
    port: int = 0
    got: list[str] = field(default_factory=list)
    drawing: set[str] = field(default_factory=set)
    _listener: socket.socket = field(default_factory=socket.socket)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=100)
        self.port = self._listener.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=self._listener)

    def kill(self) -> tuple[set[str], int]:
        """The jobs that die with it, and how many connections were made that it has read no job from yet."""
        assert self._server is not None
        self._listener.setblocking(False)
        dying, connected = set(self.drawing), len(self._writers)
        with contextlib.suppress(BlockingIOError):
            while True:  # who has been let in by the kernel may have sent all of it
                connection, _ = self._listener.accept()
                connection.close()
                connected += 1
        self._server.close()
        self.drawing = set()
        for writer in self._writers:
            writer.transport.abort()
        return dying, connected - len(dying)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            body = b'[{"name": "Euler"}]'
            if head.startswith(b"POST"):
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                body = await self._draw(json.loads(await reader.readexactly(length))["prompt"])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            writer.write(b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # killed, or asked by nobody any more
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _draw(self, prompt: str) -> bytes:
        self.got.append(prompt)
        drawing = self.drawing
        drawing.add(prompt)
        await asyncio.sleep(DRAWING)
        drawing.discard(prompt)
        return self.body


@dataclass
class Run:
    """What happened: the status of each job, and when the killed one was connected to while it was dead.

    `dying` were being drawn by it when it was killed, and so many as `unread` were on their way.
    """

    statuses: dict[str, int]
    dying: set[str]
    unread: int
    got: list[list[str]]
    drawn_again: int
    attempts: list[float]


def main() -> None:
    options = argparse.ArgumentParser(description="One of two upstreams is killed under load.")
    options.add_argument("--without", choices=["circuit", "failover"], help="put a defect in; the proof then fails")
    options.add_argument("--serve", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.serve:
        serve(*given.serve)
        return
    stop_when_told()
    tell_machine()
    with tempfile.TemporaryDirectory() as folder:
        run = asyncio.run(play(Path(folder) / "connections", given.without or "nothing"))
    sys.exit(judge(run, given.without))


def serve(connections: str, without: str, *arguments: str) -> None:
    """The service, which writes down each connection that it makes, when, and to which port."""
    with Path(connections).open("w", buffering=1) as file:

        def hook(event: str, args: tuple[Any, ...]) -> None:
            if event == "socket.connect" and isinstance(args[1], tuple):
                file.write(f"{time.monotonic()} {args[1][1]}\n")

        sys.addaudithook(hook)
        from pico_a1111_proxy import cli  # noqa: PLC0415
        from pico_a1111_proxy.upstreams import circuit, wire  # noqa: PLC0415

        if without == "circuit":
            circuit.Circuit.lets_in = property(lambda _: True)  # type: ignore[assignment, method-assign]
        if without == "failover":
            wire._is_unsent = lambda _: False  # noqa: SLF001
        cli.main(list(arguments))


def service(connections: Path, without: str, upstreams: list[FakeA1111]) -> Program:
    start = (sys.executable, __file__, "--serve", str(connections), without)
    urls = ",".join(f"http://127.0.0.1:{upstream.port}" for upstream in upstreams)
    settings = {"A1111_BASE_URL": urls, "MAX_WORKERS": "16", "QUEUE_SIZE": "50", "ENABLE_CACHING": "false"}
    return Program("ours", (*start, "serve", "--host", "127.0.0.1", "--port", "PORT"), settings)


async def play(connections: Path, without: str) -> Run:
    upstreams = [FakeA1111(answer()), FakeA1111(answer())]
    for upstream in upstreams:
        await upstream.start()
    killed = upstreams[0]
    program = running(service(connections, without, upstreams), HEALTH)
    started = await asyncio.to_thread(program.__enter__)
    try:
        load = asyncio.create_task(ask_on(started.port, BEFORE + DEAD + AFTER))
        await asyncio.sleep(BEFORE)
        (dying, unread), died = killed.kill(), time.monotonic()
        await asyncio.sleep(DEAD)
        before, back = len(killed.got), time.monotonic()
        await killed.start()
        statuses = await load
    finally:
        await asyncio.to_thread(program.__exit__, None, None, None)
    made = [line.split() for line in (await asyncio.to_thread(connections.read_text)).splitlines()]
    attempts = [float(when) - died for when, port in made if int(port) == killed.port and died < float(when) < back]
    return Run(statuses, dying, unread, [upstream.got for upstream in upstreams], len(killed.got) - before, attempts)


async def ask_on(port: int, seconds: float) -> dict[str, int]:
    """RATE jobs a second, each at its time, whatever became of those before."""
    statuses: dict[str, int] = {}
    loop = asyncio.get_running_loop()
    begun = loop.time()
    url, headers = f"http://127.0.0.1:{port}/sdapi/v1/txt2img", {"Accept": "application/octet-stream"}

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:

        async def ask(number: int) -> None:
            prompt = f"job {number}"
            async with session.post(url, json={"prompt": prompt}, headers=headers) as got:
                await got.read()
                statuses[prompt] = got.status

        asked = []
        for number in itertools.count():
            if number / RATE >= seconds:
                break
            await asyncio.sleep(max(0.0, begun + number / RATE - loop.time()))
            asked.append(asyncio.create_task(ask(number)))
        await asyncio.gather(*asked)
    return statuses


def judge(run: Run, without: str | None) -> int:
    errors = {prompt for prompt, status in run.statuses.items() if status != 200}
    twice = [prompt for prompt, times in Counter(run.got[0] + run.got[1]).items() if times > 1]
    gaps = [later - earlier for earlier, later in itertools.pairwise(run.attempts)]
    unsent = max(0, len(errors - run.dying) - run.unread)
    checks = [
        ("errors for jobs that had not been sent", unsent, "0", unsent == 0),
        ("jobs sent twice", len(twice), "0", not twice),
        (
            "shortest time between two connections to the dead one, s",
            f"{min(gaps):.1f}" if gaps else "only one",
            f"{COOL_DOWN:.0f}",
            bool(run.attempts) and all(gap >= COOL_DOWN - SLACK for gap in gaps),
        ),
        ("jobs it drew once it was back", run.drawn_again, "> 0", run.drawn_again > 0),
    ]
    statuses = ", ".join(f"{count} x {status}" for status, count in sorted(Counter(run.statuses.values()).items()))
    print(
        f"\n{len(run.statuses)} jobs, {RATE} a second: {statuses}; {len(run.dying)} were being drawn by the killed one."
    )
    print(f"The dead one was connected to after {', '.join(f'{at:.1f}' for at in run.attempts[:8])} s", end="")
    print(f" and {len(run.attempts) - 8} times more." if len(run.attempts) > 8 else ".")
    title = f"One of two killed for {DEAD:.0f} s" + (f", without {without}" if without else "")
    rows = [[what, str(figure), bound, "yes" if holds else "**no**"] for what, figure, bound, holds in checks]
    print_table(title, ["what", "figure", "bound", "holds"], rows)
    return 0 if all(holds for *_, holds in checks) else 1


def answer() -> bytes:
    picture = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(picture, "PNG")
    image = pybase64.b64encode(picture.getvalue()).decode()
    return json.dumps({"images": [image], "parameters": {}, "info": "{}"}).encode()


if __name__ == "__main__":
    main()
