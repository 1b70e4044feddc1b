"""SIGTERM under load: nobody loses an answer that was begun, and nobody is kept waiting.

A service with 8 places has 8 jobs in flight and 20 in line, 50 connections idle and somebody who asks /ready again and
again, each time on a new connection. Then comes SIGTERM; a second later the upstream answers, one job after the other.
A round is good when /ready says 503 before anything else ends and the door stays open until the last answer, every job
in flight gets its whole frame, everyone in line a 503 with Retry-After, and the exit status is 0. In a further round a
job hangs for ever and DRAIN_SECONDS is 2: the exit is within 3 seconds, with status 0.

With `--plain` the same application runs in uvicorn's own server, with the same settings: what that one does instead.
The exit status is 1 when a round was not good.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from PIL import Image
from processes import HERE, _free_port
from tables import middle, print_table, tell_machine

PLACES, LINE, IDLE = 8, 20, 50
FRAME_BYTES = 240 * 240 * 2
PATIENCE = 30.0  # seconds; reached only by what hangs
HUNG_DRAIN, HUNG_MOST = 2, 3.0
PAUSE = 0.03  # seconds between two answers of the upstream
PLAIN = """
import asyncio, uvicorn
from pico_a1111_proxy.settings import read_settings
from pico_a1111_proxy.web.server import make_server, open_socket
settings = read_settings()
config = make_server(settings).config
config.timeout_graceful_shutdown = round(settings.drain_seconds)
listener = open_socket("127.0.0.1", settings.service_port)
try:
    asyncio.run(uvicorn.Server(config).serve([listener]))
except KeyboardInterrupt:
    pass
"""


@dataclass(frozen=True)
class Ended:
    """How one request ended, and when; status 0 is a connection that was lost."""

    status: int = 0
    size: int = 0
    retry: bool = False
    at: float = field(default_factory=time.perf_counter)


@dataclass
class Upstream:
    """Answers generations when it is told to, everything else at once."""

    answers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            body = b"[]"
            if b"2img" in head.split(b"\r\n")[0]:
                await self.answers.acquire()
                body = GENERATION
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        self.writers.discard(writer)
        writer.close()


def generation() -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").resize((512, 512)).convert("RGB").save(file, "PNG")
    return json.dumps({"images": [base64.b64encode(file.getvalue()).decode()], "parameters": {}, "info": "{}"}).encode()


GENERATION = generation()


@dataclass
class Running:
    port: int
    process: asyncio.subprocess.Process

    async def ask(self, request: bytes) -> Ended:
        """One request on a connection of its own."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return Ended()
        try:
            writer.write(request)
            return await hear(reader)
        finally:
            writer.close()

    async def filled(self, what: str, count: int) -> None:
        """Until /health tells so many."""
        deadline = time.perf_counter() + PATIENCE
        while time.perf_counter() < deadline:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"GET /health HTTP/1.0\r\n\r\n")
            body = (await reader.read()).partition(b"\r\n\r\n")[2]
            writer.close()
            if json.loads(body)["queue"][what] == count:
                return
            await asyncio.sleep(0.01)
        sys.exit(f"/health never told that {count} are {what}")


async def hear(reader: asyncio.StreamReader) -> Ended:
    try:
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await asyncio.wait_for(reader.readexactly(length), PATIENCE)
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError):
        return Ended()
    return Ended(int(head.split(b" ", 2)[1]), len(body), b"\nretry-after:" in head)


@asynccontextmanager
async def running(plain: bool, drain: int) -> AsyncIterator[tuple[Running, Upstream]]:
    """A service and its upstream; the service answers when this begins, and is gone at the end."""
    upstream, port = Upstream(), _free_port()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    ours = {
        "A1111_BASE_URL": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        "SERVICE_HOST": "127.0.0.1",
        "SERVICE_PORT": str(port),
        "MAX_WORKERS": str(PLACES),
        "QUEUE_SIZE": str(LINE),
        "DRAIN_SECONDS": str(drain),
        "ENABLE_CACHING": "false",
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
    start = ("-c", PLAIN) if plain else ("-m", "pico_a1111_proxy", "serve")
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable, *start, cwd=HERE, env={**kept, **ours}, stdout=quiet, stderr=quiet
    )
    service = Running(port, process)
    try:
        deadline = time.perf_counter() + PATIENCE
        while (await service.ask(GET_READY)).status != 200:
            if process.returncode is not None or time.perf_counter() > deadline:
                sys.exit("The service did not get ready")
            await asyncio.sleep(0.02)
        yield service, upstream
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        server.close()
        for writer in list(upstream.writers):
            writer.close()


GET_READY = b"GET /ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
BODY = b'{"prompt": "a lighthouse"}'
POST = (
    b"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: a\r\nAccept: application/octet-stream\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
)


async def load(service: Running, stack: AsyncExitStack, jobs: int) -> tuple[list[asyncio.Task[Ended]], ...]:
    """Fill places, line and idle connections; the jobs in flight, and those in line."""
    for _ in range(IDLE):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        stack.callback(writer.close)
        writer.write(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        await hear(reader)
    inside = [asyncio.create_task(service.ask(POST)) for _ in range(min(jobs, PLACES))]
    await service.filled("in_flight", len(inside))
    line = [asyncio.create_task(service.ask(POST)) for _ in range(jobs - len(inside))]
    await service.filled("waiting", len(line))
    return inside, line


async def drain_round(plain: bool) -> tuple[list[str], float, float]:
    """What was not as it should be, the seconds to the first 503 of /ready, and from the last answer to the exit."""
    async with AsyncExitStack() as stack:
        service, upstream = await stack.enter_async_context(running(plain, 20))
        inside, line = await load(service, stack, PLACES + LINE)
        polled: list[Ended] = []

        async def poll() -> None:
            while service.process.returncode is None:
                polled.append(await service.ask(GET_READY))
                await asyncio.sleep(0.002)

        polling = asyncio.create_task(poll())
        await asyncio.sleep(0.2)
        began = time.perf_counter()
        service.process.send_signal(signal.SIGTERM)
        exiting = asyncio.create_task(_exit_of(service))
        await asyncio.sleep(1)
        for _ in range(PLACES + LINE):
            upstream.answers.release()
            await asyncio.sleep(PAUSE)
        answers, refusals = await asyncio.gather(*inside), await asyncio.gather(*line)
        status, exited = await exiting
        await polling
    last = max(one.at for one in answers)
    first = min((one.at for one in polled if one.status == 503), default=float("inf"))
    whole = sum(one.status == 200 and one.size == FRAME_BYTES for one in answers)
    refused = sum(one.status == 503 and one.retry for one in refusals)
    faults = {
        f"{whole} of {PLACES} answered whole": whole < PLACES,
        f"{refused} of {LINE} in line sent away with Retry-After": refused < LINE,
        "/ready did not say 503 first": first > min(one.at for one in (*answers, *refusals)),
        "/ready did not stay open and at 503": any(one.status != 503 for one in polled if first < one.at < last),
        f"exit status {status}": status != 0,
    }
    return [words for words, bad in faults.items() if bad], first - began, exited - last


async def _exit_of(service: Running) -> tuple[int, float]:
    try:
        status = await asyncio.wait_for(service.process.wait(), PATIENCE)
    except asyncio.TimeoutError:
        service.process.kill()
        status = await service.process.wait()
    return status, time.perf_counter()


async def hung_round(plain: bool) -> tuple[list[str], float, int]:
    """The same for one job that hangs: the faults, the seconds from the signal to the exit, the job's status."""
    async with AsyncExitStack() as stack:
        service, _ = await stack.enter_async_context(running(plain, HUNG_DRAIN))
        inside, _ = await load(service, stack, 1)
        began = time.perf_counter()
        service.process.send_signal(signal.SIGTERM)
        status, exited = await _exit_of(service)
        (answer,) = await asyncio.gather(*inside)
    seconds = exited - began
    faults = {f"exit after {seconds:.1f} s": seconds > HUNG_MOST, f"exit status {status}": status != 0}
    return [words for words, bad in faults.items() if bad], seconds, answer.status


async def main() -> int:
    options = argparse.ArgumentParser(description="SIGTERM under load.")
    options.add_argument("--rounds", type=int, default=10)
    options.add_argument("--plain", action="store_true", help="in uvicorn's own server instead of ours")
    given = options.parse_args()
    tell_machine()
    rounds = [await drain_round(given.plain) for _ in range(given.rounds)]
    bad, seconds, status = await hung_round(given.plain)
    first = [taken for _, taken, _ in rounds if taken < PATIENCE]
    after = [taken for _, _, taken in rounds]
    rows = [
        ["rounds that were good", f"{sum(not faults for faults, _, _ in rounds)} of {len(rounds)}"],
        ["from the signal to 503 from /ready, ms", middle([1000 * taken for taken in first])],
        ["from the last answer to the exit, ms", middle([1000 * taken for taken in after])],
        ["the longest of these, ms", f"{1000 * max(after):.0f}"],
        [f"one job hung, DRAIN_SECONDS={HUNG_DRAIN}: the exit, s", f"{seconds:.2f}"],
        ["what its client was told", str(status or "nothing")],
    ]
    title = f"SIGTERM with {PLACES} in flight, {LINE} in line, {IDLE} idle" + ", uvicorn's own server" * given.plain
    print_table(title, ["", ""], rows)
    for faults in (*(faults for faults, _, _ in rounds), bad):
        for words in faults:
            print(f"Not good: {words}")
    return 1 if bad or any(faults for faults, _, _ in rounds) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
