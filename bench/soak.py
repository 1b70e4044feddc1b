"""Half an hour of everything, and memory, descriptors and threads stay what they are.

Eight clients at a time draw one after the other from all that the service does: frames with a random seed and with one
of sixty, JSON, the upstream's own answer, previews, relayed GETs, pictures pushed to a display, long polls for
the newest frame, jobs of clients that hold no connection open. One in five hangs up in the middle. One in twenty
connections to the upstream fails in some way. The memory cache and the disk cache are small, and jobs are kept but
briefly, so that what may fill is full before the second half begins.

At the end of each round the clients pause until the service is quiet, and then it is looked at: what it holds then it
holds for nobody. The slope is that of resident memory over calls, by least squares over the second half of the rounds.
Bounds: 1 MB in 10,000 calls; descriptors and threads in the last quarter of the rounds no more than in the third one;
fewer than one call in a hundred with an answer that nobody expects. Turned around, `--defect` adds 2 kB to the memory
that is read for each call, as a service would show that keeps something of each: then it has to miss.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace

import h11
from load import descriptors, ours, threads, verdict
from processes import HEALTH, Running, running, stop_when_told
from tables import tell_machine

from fakes import faults
from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, open_scripted_a1111, said
from fakes.clients import understand
from fakes.faults import Fault, by_chance, open_fault_proxy
from fakes.pictures import encode, gradient, png

AT_A_TIME = 8
LEAVING = 0.2  # of the clients
SEEDS = 60  # different repeatable pictures
ROUNDS = 60  # in all; but none is shorter than SHORTEST
SHORTEST = 6.0  # seconds
QUIET_AFTER = 3.0  # seconds, which is more than the upstream is given
PATIENCE = 30.0
FRAME, TXT2IMG = "/displays/waveshare-pico-lcd-1.3/frame", "/sdapi/v1/txt2img"
RAW = "application/octet-stream"
EXPECTED = {200, 202, 204, 304, 404, 410, 502, 503, 504}
WEATHER = {
    Fault(faults.NONE): 190.0,
    **{Fault(kind): 1.0 for kind in (faults.REFUSED, faults.RESET_AT_HEAD, faults.RESET_AT_END, faults.JUNK_ANSWER)},
    **{Fault(kind): 1.0 for kind in (faults.HALF_THEN_CLOSED, faults.HALF_THEN_RESET)},
    Fault(faults.DRIP, 0.2): 3.0,
    Fault(faults.SILENCE): 0.2,
}


@dataclass(frozen=True)
class Sample:
    """How the service was when nobody asked anything of it."""

    calls: int
    memory: float  # MB
    descriptors: int
    threads: int
    health: dict[str, object]


@dataclass
class Soak:
    port: int
    chance: random.Random
    calls: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    strange: Counter[str] = field(default_factory=Counter)
    picture: bytes = field(default_factory=lambda: encode(gradient((256, 256))))

    def draw(self) -> tuple[str, str, bytes, dict[str, str]]:
        """The next call: method, path, body, headers."""
        chance = self.chance
        document: dict[str, object] = {"prompt": f"picture {chance.random()}", "steps": 4}
        if chance.random() < 0.5:
            document = {"prompt": "a picture", "seed": chance.randrange(SEEDS)}
        body = json.dumps(document).encode()
        draws = {
            "frame": ("POST", TXT2IMG, body, {"Accept": RAW}),
            "json": ("POST", TXT2IMG + "?answer=json", body, {}),
            "original": ("POST", TXT2IMG + "?answer=original", body, {}),
            "preview": ("POST", TXT2IMG + "?answer=preview", body, {}),
            "later": ("POST", TXT2IMG, body, {"Accept": RAW, "Prefer": "respond-async"}),
            "relay": ("GET", f"/sdapi/v1/options?{chance.randrange(9)}", b"", {}),
            "push": ("POST", FRAME, self.picture + bytes([chance.randrange(256)]), {}),
            "newest": ("GET", FRAME, b"", {}),
            "wait": ("GET", FRAME + "?wait=0.2", b"", {"If-None-Match": "*"}),
            "progress": ("GET", "/sdapi/v1/progress", b"", {"Accept": RAW}),
            "health": ("GET", "/health", b"", {}),
        }
        return draws[chance.choice([*draws, "frame", "frame"])]

    async def warm_up(self) -> None:
        """Have every repeatable picture drawn in every form: what is remembered of them is no growth."""
        for seed in range(SEEDS):
            body = json.dumps({"prompt": "a picture", "seed": seed}).encode()
            for form in ("frame", "json", "original", "preview"):
                await self.ask("POST", f"{TXT2IMG}?answer={form}", body, {}, None)

    async def work(self, until: float) -> None:
        while time.monotonic() < until:
            self.calls += 1
            method, path, body, headers = self.draw()
            leaving = self.chance.uniform(0, 0.03) if self.chance.random() < LEAVING else None
            heard = await self.ask(method, path, body, headers, leaving)
            if heard and heard[0] == 202 and "Location" in heard[1]:
                await self.fetch(heard[1]["Location"])

    async def fetch(self, job: str) -> None:
        """Wait for a job's frame, leave it alone, or cancel it."""
        for method, path in self.chance.choice(
            ([("GET", job), ("GET", job + "/frame?wait=5")], [("DELETE", job)], [("GET", job)])
        ):
            await self.ask(method, path, b"", {}, None)

    async def ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str], leaving: float | None
    ) -> tuple[int, dict[str, str]] | None:
        """One call on a connection of its own; `leaving` is after how many seconds the client hangs up."""
        lines = [f"{method} {path} HTTP/1.1", "Host: pico", "Connection: close", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
            told = await asyncio.wait_for(reader.read(), PATIENCE if leaving is None else leaving)
            heard = understand(told, method)
        except asyncio.TimeoutError:
            if leaving is None:
                self.strange[f"{method} {path.partition('?')[0]}: nothing for {PATIENCE:.0f} s"] += 1
            self.answers["left"] += 1
            return None
        except h11.RemoteProtocolError:
            # A relayed answer is passed on as it comes: where the upstream's ends in the middle, so does ours.
            if method != "GET" or not path.startswith("/sdapi/"):
                self.strange[f"{method} {path.partition('?')[0]}: cut off"] += 1
            self.answers["cut off"] += 1
            return None
        except (ConnectionError, AssertionError) as error:
            self.strange[f"{method} {path.partition('?')[0]}: {type(error).__name__}"] += 1
            return None
        finally:
            writer.transport.abort()
        self.answers[str(heard.status)] += 1
        if heard.status not in EXPECTED:
            self.strange[f"{method} {path.partition('?')[0]}: {heard.status}"] += 1
        return heard.status, dict(heard.headers)

    async def look(self, service: Running) -> Sample:
        """Wait until the descriptors are as few as they get, and look."""
        fewest, since = descriptors(service.pid), time.monotonic()
        while time.monotonic() < since + QUIET_AFTER:
            await asyncio.sleep(0.25)
            now = descriptors(service.pid)
            if now < fewest:
                fewest, since = now, time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: pico\r\nConnection: close\r\n\r\n")
        health = understand(await reader.read()).json()
        writer.close()
        return Sample(self.calls, service.memory("VmRSS"), fewest, threads(service.pid), health)


def main() -> None:
    options = argparse.ArgumentParser(description="Nothing grows.")
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--seed", type=int, default=15)
    options.add_argument("--defect", action="store_true", help="as if 2 kB of each call were kept")
    options.add_argument("--bound", type=float, default=1.0, help="MB that 10,000 calls may take")
    given = options.parse_args()
    stop_when_told()
    tell_machine()
    samples, soak = asyncio.run(run(given))
    print("answers:", ", ".join(f"{count:,} x {what}" for what, count in sorted(soak.answers.items())))
    for what, count in soak.strange.most_common(10):
        print(f"not expected: {count:,} x {what}")
    if given.defect:
        samples = [replace(one, memory=one.memory + 2e-3 * one.calls) for one in samples]
    verdict(missed(samples, soak, given.bound))


async def run(given: argparse.Namespace) -> tuple[list[Sample], Soak]:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        upstream = await stack.enter_async_context(open_scripted_a1111())
        upstream.standing = reply
        weather = await stack.enter_async_context(open_fault_proxy(upstream.port))
        weather.standing = by_chance(given.seed, WEATHER)
        settings = {"a1111_timeout": 2, "max_workers": 4, "queue_size": 10, "cache_max_mb": 8, "job_ttl": 5}
        starting = running(ours(weather.port, folder, **settings), HEALTH)
        service = await asyncio.to_thread(starting.__enter__)  # which needs the upstream of this loop
        stack.push_async_callback(asyncio.to_thread, starting.__exit__, None, None, None)
        soak = Soak(service.port, random.Random(given.seed))
        return await rounds(soak, service, upstream, 60 * given.minutes), soak


async def rounds(soak: Soak, service: Running, upstream: ScriptedA1111, seconds: float) -> list[Sample]:
    """The samples at the end of each round; every minute a line is printed."""
    await soak.warm_up()
    each, samples, told = max(SHORTEST, seconds / ROUNDS - 1), [await soak.look(service)], 0.0
    until = time.monotonic() + seconds
    print(f"{'minute':>6} {'calls':>9} {'RSS MB':>7} {'files':>5} {'threads':>7}  queue, cache, tasks as /health tells")
    while time.monotonic() < until:
        deadline = time.monotonic() + each
        await asyncio.gather(*(soak.work(deadline) for _ in range(AT_A_TIME)))
        upstream.seen.clear()
        upstream.looks.clear()
        samples.append(await soak.look(service))
        if time.monotonic() > told + 55 or time.monotonic() > until:
            told, last = time.monotonic(), samples[-1]
            minute = (seconds - until + told) / 60
            figures = {name: last.health[name] for name in ("queue", "cache", "tasks") if name in last.health}
            print(
                f"{minute:6.1f} {last.calls:9,} {last.memory:7.1f} {last.descriptors:5} {last.threads:7}  {figures}",
                flush=True,
            )
    return samples


def reply(seen: Seen) -> Reply:
    if not seen.target.startswith(TXT2IMG):
        return said({"samples_save": True, "progress": 0.0, "state": {"job_count": 0}})
    with suppress(ValueError):
        seed = json.loads(seen.body).get("seed", 0)
        return answer(png((seed, 99, 50), (512, 512)))
    return said({"detail": "no JSON"}, 422)


def slope(samples: list[Sample]) -> float:
    """Of resident memory, in MB a call."""
    return statistics.linear_regression([one.calls for one in samples], [one.memory for one in samples]).slope


def missed(samples: list[Sample], soak: Soak, bound: float) -> list[str]:
    half, quarter = samples[len(samples) // 2 :], samples[-max(1, len(samples) // 4) :]
    grows, calls = slope(half), half[-1].calls - half[0].calls
    third = half[: -len(quarter)] or half
    # Of less than 10,000 calls the slope is mostly noise: they may not take more than 10,000 may.
    grown, most = grows * calls, bound * max(1.0, calls / 10_000)
    print(f"\nresident memory grows by {10_000 * grows:+.2f} MB per 10,000 calls in the second half (bound {bound:g})")
    print(f"which is {grown:+.2f} MB in its {calls:,} calls (bound {most:.2f})")
    found = [f"memory grows by {grown:.2f} MB in {calls:,} calls"] if grown >= most else []
    for what in ("descriptors", "threads"):
        before, after = (max(getattr(one, what) for one in part) for part in (third, quarter))
        print(f"{what}: at most {before} in the third quarter, {after} in the last one")
        if after > before:
            found.append(f"{what} grow from {before} to {after}")
    if soak.strange.total() > soak.calls / 100:
        found.append(f"{soak.strange.total()} answers that nobody expects")
    return found


if __name__ == "__main__":
    main()
