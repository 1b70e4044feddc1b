"""Generations with a mark each: one that is generated twice is found out, and so is a frame that is another's."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from fakes import faults
from fakes.a1111 import Reply, Seen, answer, said
from fakes.faults import Fault
from fakes.pictures import png
from service import Service

QUERY = "?format=rgb888&width=8&height=8&invert=false"
GOOD_FAILURES = frozenset({502, 503, 504})
IDLE = said({"progress": 0.0, "eta_relative": 0.0, "state": {"job_count": 0}, "current_image": None})
TRIES = 4

# Four in ten connections fail. Where the server has the whole request, a second POST would generate it again.
WEATHER = {
    Fault(faults.NONE): 58.0,
    Fault(faults.LATE_REQUEST, 0.02): 4.0,
    Fault(faults.LATE_ANSWER, 0.02): 4.0,
    Fault(faults.DRIP, 0.1): 2.0,
    Fault(faults.REFUSED): 6.0,
    Fault(faults.RESET_AT_HEAD): 6.0,
    Fault(faults.RESET_AT_END): 6.0,
    Fault(faults.HALF_THEN_CLOSED): 4.0,
    Fault(faults.HALF_THEN_RESET): 4.0,
    Fault(faults.JUNK_ANSWER): 4.0,
    Fault(faults.DRIP, 30.0): 1.0,
    Fault(faults.SILENCE): 1.0,
}


def body_of(mark: int) -> dict[str, Any]:
    """What a client asks. Every other one is repeatable."""
    return {"prompt": f"mark {mark} of many"} | ({"seed": mark} if mark % 2 else {})


def frame_of(mark: int) -> bytes:
    """The one right answer."""
    return mark.to_bytes(3, "big") * 64


@dataclass
class Marks:
    """Counts by mark what an upstream has got whole; `reply` is its `standing`."""

    generated: Counter[int] = field(default_factory=Counter)

    def reply(self, seen: Seen) -> Reply:
        found = re.search(r"mark (\d+) of", json.loads(seen.body)["prompt"]) if seen.target.count("2img") else None
        if found is None:
            return IDLE
        mark = int(found[1])
        self.generated[mark] += 1
        return answer(png(tuple(mark.to_bytes(3, "big"))))

    def twice(self) -> list[int]:
        return sorted(mark for mark, count in self.generated.items() if count > 1)


@dataclass
class Tally:
    """What clients were answered: statuses, and in words whatever is no proper answer."""

    statuses: Counter[int] = field(default_factory=Counter)
    improper: list[str] = field(default_factory=list)


async def ask_for_all(service: Service, marks: Iterable[int], at_a_time: int, patience: float) -> Tally:
    """Ask for each mark once, so many at a time; nobody waits longer than `patience` seconds."""
    tally, left = Tally(), iter(marks)

    async def ask_on() -> None:
        for mark in left:
            await _ask(service, mark, tally, patience)

    await asyncio.gather(*(ask_on() for _ in range(at_a_time)))
    return tally


async def _ask(service: Service, mark: int, tally: Tally, patience: float) -> None:
    try:
        got = await asyncio.wait_for(service.frame(body_of(mark), QUERY), patience)
    except (aiohttp.ClientError, asyncio.TimeoutError) as error:
        tally.improper.append(f"{mark}: {type(error).__name__}")
        return
    tally.statuses[got.status] += 1
    if got.status == 200:
        if got.body != frame_of(mark):
            tally.improper.append(f"{mark}: another frame")
    elif got.status not in GOOD_FAILURES:
        tally.improper.append(f"{mark}: {got.status}")
    elif {"error", "code", "detail"} != set(got.json()) or got.json()["code"] != got.status:
        tally.improper.append(f"{mark}: {got.body[:80]!r}")


@asynccontextmanager
async def open_retrying(port: int) -> AsyncIterator[int]:
    """The port of a naive proxy before `port`: it sends again whatever failed. What must not be done."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.5)) as session:

        async def pass_on(request: web.Request) -> web.Response:
            body, url = await request.read(), f"http://127.0.0.1:{port}{request.raw_path}"
            for _ in range(TRIES):
                try:
                    async with session.request(request.method, url, data=body) as got:
                        return web.Response(status=got.status, body=await got.read(), content_type="application/json")
                except (aiohttp.ClientError, asyncio.TimeoutError):
                    continue
            return web.Response(status=502)

        runner = web.ServerRunner(web.Server(pass_on), handle_signals=False)  # type: ignore[arg-type]
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()
