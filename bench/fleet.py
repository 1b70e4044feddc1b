"""What a fleet costs and brings: time added to a job, jobs a second, who goes first, memory, and work for Redis.

Added latency is compared with the same program that asks the same upstream itself, one request after the other, the two
by turns in one run. The upstream answers at once, with a picture of 512x512 pixels as A1111 sends it. Jobs a second are
compared with what so many upstreams could draw that take a second for each.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from os import kill
from pathlib import Path
from typing import Any

from fleets import Fleet, Member, open_fleet, open_proxy, until
from load import percentile
from PIL import Image
from processes import FRAME, fake_a1111, running, stop_when_told
from redis.asyncio import Redis
from tables import middle, print_table, tell_machine

from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, open_scripted_a1111
from fakes.marked import IDLE
from service import Service

SIDE = 512
ASYNC = "respond-async; priority=background"
BACKGROUND = 20
PREFIX = "pico_a1111:"
PATIENCE = 60.0


def picture() -> bytes:
    """A PNG that can be compressed about as well as a photograph."""
    noise = Image.effect_noise((SIDE, SIDE), 40)
    slope = Image.linear_gradient("L").resize((SIDE, SIDE))
    turned = [slope, slope.rotate(90), slope.rotate(180)]
    image = Image.merge("RGB", [Image.blend(noise, each, 0.85) for each in turned])
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


class Drawing:
    """An upstream that takes `seconds` for each picture, or as long as `gate` is closed."""

    def __init__(self, reply: Reply, seconds: float = 0.0) -> None:
        self.reply = reply
        self.seconds = seconds
        self.gate: asyncio.Event | None = None

    def __call__(self, seen: Seen) -> Reply:
        if "2img" not in seen.target:
            return IDLE
        if self.gate or not self.seconds:
            return replace(self.reply, gate=self.gate)
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(self.seconds, gate.set)
        return replace(self.reply, gate=gate)


@asynccontextmanager
async def open_drawn(count: int, drawing: Drawing, **settings: Any) -> AsyncIterator[tuple[Fleet, list[ScriptedA1111]]]:
    """A fleet of so many workers and two proxies; all upstreams draw as `drawing` says."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstreams = [await stack.enter_async_context(open_scripted_a1111()) for _ in range(count)]
        for upstream in upstreams:
            upstream.standing = drawing
        urls = [upstream.url for upstream in upstreams]
        settings = {"max_workers": 4, "queue_size": 96, **settings}
        yield await stack.enter_async_context(open_fleet(folder, urls, **settings)), upstreams


# --- Added latency --------------------------------------------------------------------------------------------------


async def measure_latency(png: bytes, requests: int) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "answer.json").write_bytes(answer(png).body)
        upstream = stack.enter_context(running(fake_a1111("upstream", [folder / "answer.json"]), FRAME))
        url = f"http://127.0.0.1:{upstream.port}"
        alone = {"A1111_BASE_URL": url, "ENABLE_CACHING": "false"}
        straight, direct = await stack.enter_async_context(open_proxy("direct", **alone))
        fleet = await stack.enter_async_context(open_fleet(folder, [url], proxies=1))
        (through,) = fleet.services
        rows = []
        for name, query in (("frame", "?answer=frame"), ("original", "?answer=original")):
            taken = await _by_turns([direct, through], query, requests)
            rows += _tell_latency(name, taken)
        head = ["answer, way", "p50 ms", "p99 ms"]
        title = f"One request at a time, {requests} of each, the picture has {len(png) / 1e3:.0f} kB"
        print_table(title, head, rows)
        await measure_redis(fleet, requests)
        members = [straight, *fleet.proxies, *fleet.workers]
        _tell_memory("Memory after that, MB", members)


async def _by_turns(services: list[Service], query: str, requests: int) -> list[list[float]]:
    """Milliseconds of each request to each of them; the first tenth is not counted."""
    taken: list[list[float]] = [[] for _ in services]
    warm = requests // 10
    for nth in range(requests + warm):
        for which, service in enumerate(services):
            began = time.perf_counter()
            got = await service.txt2img({"prompt": f"{which} {nth}"}, query)
            if got.status != 200:
                sys.exit(f"{got.status}: {got.body[:200]!r}")
            if nth >= warm:
                taken[which].append(1000 * (time.perf_counter() - began))
    return taken


def _tell_latency(name: str, taken: list[list[float]]) -> list[list[str]]:
    figures = [(percentile(values, 50), percentile(values, 99)) for values in taken]
    added = [after - before for before, after in zip(*figures, strict=True)]
    rows = [
        [f"{name}, {way}", *(f"{value:.1f}" for value in values)]
        for way, values in zip(("asking the upstream itself", "through Redis and one worker"), figures, strict=True)
    ]
    return [*rows, [f"**{name}, added**", *(f"{value:.1f}" for value in added)]]


async def measure_redis(fleet: Fleet, requests: int) -> None:
    """How many commands a job costs, those of the scripts included, beyond what goes on anyway."""
    async with Redis.from_url(fleet.redis.url) as redis:
        await asyncio.sleep(1)
        began, before = time.monotonic(), await _calls(redis)
        await asyncio.sleep(10)
        idle = (await _calls(redis) - before) / (time.monotonic() - began)
        began, before = time.monotonic(), await _calls(redis)
        for nth in range(requests):
            await fleet.services[0].frame({"prompt": f"counted {nth}"})
        busy, seconds = await _calls(redis) - before, time.monotonic() - began
    rows = [["for a job", f"{(busy - idle * seconds) / requests:.0f}"], ["a second, with nothing to do", f"{idle:.0f}"]]
    print_table("Redis commands, one proxy and one worker", ["", "commands"], rows)


async def _calls(redis: Redis) -> int:
    return sum(each["calls"] for each in (await redis.info("commandstats")).values())


def _tell_memory(title: str, members: Iterable[Member]) -> None:
    rows = [[each.name, f"{each.memory('VmRSS'):.0f}", f"{each.memory('VmHWM'):.0f}"] for each in members]
    print_table(title, ["", "resident", "at most"], rows)


# --- Jobs a second --------------------------------------------------------------------------------------------------


async def measure_throughput(png: bytes, counts: list[int], seconds: float) -> None:
    rows = []
    for count in counts:
        async with open_drawn(count, Drawing(answer(png), 1.0)) as (fleet, _):
            done = await _load(fleet, 3 * count, seconds)
            rows.append([f"{count}", f"{done / seconds:.2f}", f"{100 * done / seconds / count:.0f} %"])
            if count == max(counts):
                _tell_memory(f"Memory under load, MB, {count} workers", [*fleet.proxies, *fleet.workers])
    title = f"Upstreams that take 1 s, two proxies, three clients for each worker, {seconds:.0f} s"
    print_table(title, ["workers", "jobs a second", "of what can be drawn"], rows)


async def _load(fleet: Fleet, clients: int, seconds: float) -> int:
    """How many are answered in `seconds`, once all are busy."""
    began = time.monotonic() + 5
    done = 0

    async def ask_on(nth: int) -> None:
        nonlocal done
        service = fleet.services[nth % len(fleet.services)]
        while time.monotonic() < began + seconds:
            got = await service.frame({"prompt": f"client {nth}"})
            if got.status != 200:
                sys.exit(f"{got.status}: {got.body!r}")
            done += began < time.monotonic() <= began + seconds

    await asyncio.gather(*(ask_on(nth) for nth in range(clients)))
    return done


# --- Who goes first, and what a job weighs --------------------------------------------------------------------------


async def measure_line(png: bytes, rounds: int) -> None:
    drawing = Drawing(answer(png))
    async with open_drawn(1, drawing) as (fleet, (upstream,)), Redis.from_url(fleet.redis.url) as redis:
        before = [await _overtake(fleet, upstream, drawing, redis) for _ in range(rounds)]
        weights = await _weigh(fleet, upstream, drawing, redis)
    title = f"One worker, {BACKGROUND} background jobs in line, and an interactive one comes last, {rounds} times"
    rows = [["middle", middle([float(each) for each in before], 0)], ["most", str(max(before))]]
    print_table(title, ["", "background jobs drawn before it"], rows)
    print_table("What Redis holds of a job", ["", "kB"], [[name, f"{size / 1e3:.1f}"] for name, size in weights])


async def _overtake(fleet: Fleet, upstream: ScriptedA1111, drawing: Drawing, redis: Redis) -> int:
    """How many of those that wait are drawn before the one that comes last."""
    upstream.seen.clear()
    drawing.gate = asyncio.Event()
    one, two = fleet.services
    held = asyncio.create_task(one.frame({"prompt": "held"}))
    await upstream.wait_for(1)
    for nth in range(BACKGROUND):
        await fleet.services[nth % 2].txt2img({"prompt": f"background {nth}"}, prefer=ASYNC)
    await _line(redis, BACKGROUND)
    last = asyncio.create_task(two.frame({"prompt": "last"}))
    await _line(redis, BACKGROUND + 1)
    drawing.gate.set()
    await asyncio.gather(held, last)
    await until(lambda: len(upstream.generations) == BACKGROUND + 2, PATIENCE)
    await _line(redis, 0)
    drawn = [seen.body for seen in upstream.generations]
    return next(nth for nth, body in enumerate(drawn) if b'"last"' in body) - 1


async def _line(redis: Redis, count: int) -> None:
    """Until so many wait."""
    deadline = time.monotonic() + PATIENCE
    while await redis.zcard(PREFIX + "line") != count:
        if time.monotonic() > deadline:
            sys.exit(f"There never were {count} in line")
        await asyncio.sleep(0.01)


async def _weigh(fleet: Fleet, upstream: ScriptedA1111, drawing: Drawing, redis: Redis) -> list[tuple[str, float]]:
    """Bytes of a job that waits, and of its answer: the proxy is stopped for a moment, lest it fetch that."""
    upstream.seen.clear()
    drawing.gate = asyncio.Event()
    held = asyncio.create_task(fleet.services[0].frame({"prompt": "held"}))
    await upstream.wait_for(1)
    prompt = {"prompt": "a lighthouse at sunset, oil on canvas", "steps": 20, "cfg_scale": 7}
    waiting = asyncio.create_task(fleet.services[1].frame(prompt))
    await _line(redis, 1)
    jobs = [key async for key in redis.scan_iter(PREFIX + "job:*")]
    queues = [key async for key in redis.scan_iter(PREFIX + "generate*")]
    job = max([await redis.memory_usage(key) for key in jobs])
    message = sum([await redis.memory_usage(key) for key in queues])
    kill(fleet.proxies[0].pid, signal.SIGSTOP)
    try:
        drawing.gate.set()
        deadline = time.monotonic() + PATIENCE
        while not (answers := [key async for key in redis.scan_iter(PREFIX + "answer:*")]):
            if time.monotonic() > deadline:
                sys.exit("The worker never told its answer")
            await asyncio.sleep(0.01)
        sizes = [await redis.memory_usage(key) for key in answers]
    finally:
        kill(fleet.proxies[0].pid, signal.SIGCONT)
    await asyncio.gather(held, waiting)
    answered = max(size or 0 for size in sizes)
    return [("a job that waits", job), ("its message", message), ("its answer, until it is fetched", answered)]


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=500, help="of each kind, for the latency")
    options.add_argument("--seconds", type=float, default=30.0, help="of load, for the throughput")
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    options.add_argument("--rounds", type=int, default=10, help="for the priorities")
    given = options.parse_args()
    stop_when_told()
    tell_machine()
    png = picture()
    await measure_latency(png, given.requests)
    await measure_throughput(png, given.workers, given.seconds)
    await measure_line(png, given.rounds)


if __name__ == "__main__":
    asyncio.run(main())
