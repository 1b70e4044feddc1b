"""A hung upstream is a 504 at the limit, within half a second, and its place stays closed while it hangs.

The ways to hang are: says nothing, stops after the head, stops in the body, drips a byte at a time, accepts no
connection. Each in turn is asked by as many clients at once as there are places, through the service in a process of
its own, over loopback. Asked how it is, the upstream says that it is idle, so that the places come free again.

Then all of it hangs, the progress too: the places must stay closed, so that none of the jobs that come meanwhile gets
there; as soon as it says that it is idle, they must be drawn. Turned around, `--without waiting` frees the places at
once, and the proof fails.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pybase64
from PIL import Image
from processes import HEALTH, Program, running, stop_when_told
from tables import print_table, tell_machine

PLACES = 4
TOLERANCE = 0.5  # seconds
DRIP_SECONDS = 0.1  # between two bytes
WATCHED = 4.0  # seconds for which nothing may get to one that hangs altogether
PATIENCE = 30.0  # seconds for the places to come free; the longest pause between two questions is two


@dataclass
class Hanging:
    """Speaks HTTP and hangs as `how` says; `awake` is whether it answers anything but a generation."""

    how: str = "says nothing"
    awake: bool = True
    generations: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"POST"):
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                self.generations += 1
                await self._generate(reader, writer)
            elif self.awake:
                writer.write(http(b'{"progress": 0, "state": {"job_count": 0}}'))
                await writer.drain()
            else:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has given up, as it should
        finally:
            writer.close()

    async def _generate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = http(picture())
        sent = {"stops after the head": whole.index(b"{"), "stops in the body": 200, "draws": len(whole)}
        writer.write(whole[: sent.get(self.how, 0)])
        await writer.drain()
        for byte in whole if self.how == "drips" else b"":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(DRIP_SECONDS)
        if self.how != "draws":
            await reader.read()


WAYS = ("says nothing", "stops after the head", "stops in the body", "drips")


def main() -> None:
    options = argparse.ArgumentParser(description="A hung upstream is a 504 at the limit.")
    options.add_argument("--seconds", type=float, default=3.0, help="A1111_TIMEOUT")
    options.add_argument("--rounds", type=int, default=3, help="times that each way to hang is met")
    options.add_argument("--without", choices=["waiting"], help="put a defect in; the proof then fails")
    options.add_argument("--serve", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.serve:
        serve(*given.serve)
        return
    stop_when_told()
    tell_machine()
    sys.exit(asyncio.run(prove(given.seconds, given.rounds, given.without)))


def serve(without: str, *arguments: str) -> None:
    from pico_a1111_proxy import cli  # noqa: PLC0415
    from pico_a1111_proxy.upstreams import a1111  # noqa: PLC0415

    async def at_once(*_: object) -> None:
        """The defect: whoever was given up on counts as idle."""

    if without == "waiting":
        a1111.A1111.abandon = at_once  # type: ignore[assignment, method-assign]
    cli.main(list(arguments))


async def prove(seconds: float, rounds: int, without: str | None) -> int:
    rows, good = [], True
    hanging = Hanging()
    async with listening(hanging), service(hanging.port, seconds, without) as port:
        for how in WAYS:
            hanging.how = how
            ends = [end for _ in range(rounds) for end in await ask_at_once(port, PLACES)]
            rows.append(row(how, ends, seconds))
        with full_backlog() as unheard:
            async with service(unheard.getsockname()[1], seconds, without) as other:
                rows.append(row("accepts no connection", await ask_at_once(other, PLACES), seconds))
        head = ["how it hangs", "asked", "statuses", "soonest, s", "latest, s", f"{seconds} s, within {TOLERANCE}"]
        print_table(f"A1111_TIMEOUT={seconds:g}, {PLACES} at once", head, rows)
        good = all(line[-1] == "yes" for line in rows)
        return 0 if await stays_closed(hanging, port) and good else 1


async def stays_closed(hanging: Hanging, port: int) -> bool:
    """Whether nothing gets to one that hangs altogether, and all that waits gets there afterwards."""
    hanging.how, hanging.awake = "says nothing", False
    await ask_at_once(port, PLACES)
    before, hanging.how = hanging.generations, "draws"
    waiting = asyncio.create_task(ask_at_once(port, PLACES))
    await asyncio.sleep(WATCHED)
    during = hanging.generations - before
    hanging.awake = True
    woken = time.perf_counter()
    ends = await asyncio.wait_for(waiting, PATIENCE + 60)
    took = time.perf_counter() - woken
    statuses = sorted({status for status, _ in ends})
    good = during == 0 and statuses == [200] and took < PATIENCE
    head = ["what", "figure", "bound"]
    rows = [
        [f"jobs that reached it in {WATCHED:g} s of hanging", str(during), "0"],
        ["statuses of those that waited, after it woke", ", ".join(map(str, statuses)), "200"],
        ["seconds until the last of them was drawn", f"{took:.1f}", f"{PATIENCE:g}"],
    ]
    print_table("Its places stay closed", head, rows)
    return good


def row(how: str, ends: list[tuple[int, float]], limit: float) -> list[str]:
    statuses, times = {status for status, _ in ends}, [took for _, took in ends]
    good = statuses == {504} and all(abs(took - limit) <= TOLERANCE for took in times)
    said = ", ".join(map(str, sorted(statuses)))
    return [how, str(len(ends)), said, f"{min(times):.2f}", f"{max(times):.2f}", "yes" if good else "**no**"]


async def ask_at_once(port: int, count: int) -> list[tuple[int, float]]:
    """Status and seconds of so many jobs, all different."""
    url, headers = f"http://127.0.0.1:{port}/sdapi/v1/txt2img", {"Accept": "application/octet-stream"}

    async def ask(session: aiohttp.ClientSession, number: int) -> tuple[int, float]:
        begun = time.perf_counter()
        async with session.post(url, json={"prompt": f"{number}"}, headers=headers) as got:
            await got.read()
            return got.status, time.perf_counter() - begun

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        return list(await asyncio.gather(*(ask(session, number) for number in range(count))))


@asynccontextmanager
async def listening(hanging: Hanging) -> AsyncIterator[None]:
    server = await asyncio.start_server(hanging.serve, "127.0.0.1", 0)
    hanging.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()


@asynccontextmanager
async def service(upstream: int, seconds: float, without: str | None) -> AsyncIterator[int]:
    start = (sys.executable, __file__, "--serve", without or "nothing", "serve", "--host", "127.0.0.1")
    settings = {
        "A1111_BASE_URL": f"http://127.0.0.1:{upstream}",
        "A1111_TIMEOUT": f"{seconds}",
        "MAX_WORKERS": f"{PLACES}",
        "ENABLE_CACHING": "false",
    }
    program = running(Program("ours", (*start, "--port", "PORT"), settings), HEALTH)
    started = await asyncio.to_thread(program.__enter__)
    try:
        yield started.port
    finally:
        await asyncio.to_thread(program.__exit__, None, None, None)


def full_backlog() -> socket.socket:
    """A port where connections are neither accepted nor refused."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        FILLERS.append(filler)
    return listener


FILLERS: list[socket.socket] = []  # held open until the end


def http(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def picture() -> bytes:
    png = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(png, "PNG")
    image = pybase64.b64encode(png.getvalue()).decode()
    return json.dumps({"images": [image], "parameters": {}, "info": "{}"}).encode()


if __name__ == "__main__":
    main()
