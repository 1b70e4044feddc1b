"""A client of everything, which keeps a tally of what it sent and got: what /metrics tells has to equal it."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Mapping
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import replace
from typing import Any

from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, said
from fakes.clients import RawClient, open_raw_client, post
from fakes.pictures import png
from fakes.tally import Figures, Tally, read_figures
from service import RAW, TXT2IMG, Said, Service

KEY = "the-key"
PLACES, LINE = 2, 2  # of the service
TOO_MANY = 3
PANEL = "/displays/waveshare-pico-lcd-1.3"
KEPT = 5  # jobs with a seed, which are asked for again and again
PATIENCE = 30.0  # seconds until the service has counted the last
NONE = "none"

IDLE = said({"progress": 0, "state": {"job_count": 0}})
# What the upstream does with a prompt's first word: its answer, what becomes of the generation, and of the job.
WORDS: dict[str, tuple[Reply, str, str]] = {
    "good": (answer(png()), "done", ""),
    "refused": (said({"detail": "no"}, 422), "UpstreamRejected", "UpstreamRejected"),
    "broken": (said({}, 500), "UpstreamUnavailable", "UpstreamUnavailable"),
    "mute": (Reply(mute=True), "UpstreamUnavailable", "UpstreamUnavailable"),
    "nonsense": (said({"no": "images"}), "UpstreamNonsense", "UpstreamNonsense"),
    "pictureless": (answer("a text that is no picture"), "done", "PictureError"),
}
STATUSES = {"": 200, "UpstreamRejected": 422, "PictureError": 422}  # any other is a 502
RELAYED = {"options": 200, "missing": 404, "mute": 502}
# What needs no upstream: method, path, kind, status.
PLAIN = (
    *(("GET", "/ready", "ready", 200), ("HEAD", "/health", "health", 200), ("POST", "/health", "health", 405)),
    *(("GET", "/displays", "displays", 200), ("GET", "/displays/nobodys", "displays", 404)),
    *(("GET", PANEL + "/testcard", "testcard", 200), ("HEAD", PANEL + "/testcard", "testcard", 200)),
    *(("GET", "/nothing", "other", 404), ("GET", PANEL + "/nothing", "other", 404), ("GET", "/", "page", 200)),
    *(("GET", "/jobs/nobodys", "jobs", 404), ("GET", "/sdapi/v1/progress", "progress", 200)),
    *(("POST", "/sdapi/v1/server-kill", "relay", 403), ("POST", TXT2IMG + "?width=wide", "txt2img", 422)),
    ("POST", PANEL + "/frame", "push", 422),
)


class MixedClient:
    """Draws its calls from `chance`, and tallies them. `upstream` is the one before which `service` stands."""

    def __init__(self, service: Service, upstream: ScriptedA1111, chance: random.Random) -> None:
        self.service = service
        self.upstream = upstream
        self.chance = chance
        self.tally = Tally()
        self.held = asyncio.Event()
        self.before: Figures = {}
        self._nth = 0
        self._plains = itertools.cycle(PLAIN)
        self._words = itertools.cycle(sorted(WORDS.keys() - {"good"}))
        upstream.standing = self._reply

    @property
    def calls(self) -> int:
        """How many it has made, without those that only looked whether others were in line."""
        return sum(count for (kind, _), count in self.tally.requests.items() if kind != "health")

    async def begin(self) -> None:
        """Remember what was counted before."""
        self.before = await self.figures()

    async def mix(self, calls: int) -> None:
        """So many calls or a few more: most of them a few at a time, and crowds in between."""
        scenes = [self._failing, self._plain, self._relay, self._push, self._newest, self._keyless, self._ticket]
        scenes += [self._original, self._plain, self._plain, *[self._good] * 6]
        while self.calls < calls:
            await self._crowd()
            await self._twins()
            self.chance.shuffle(scenes)
            for nth in range(0, len(scenes), PLACES):  # none of them has to stand in line
                await asyncio.gather(*(scene() for scene in scenes[nth : nth + PLACES]))

    async def differences(self) -> list[str]:
        """What /metrics tells otherwise once it has counted the last; who leaves is counted when that is noticed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while True:
            known = deepcopy(self.tally)
            wrong = known.differences(self.before, await self.figures())
            drawn = len([seen for seen in self.upstream.generations if "2img" in seen.target])
            if drawn != sum(self.tally.ended.values()):
                wrong.append(f"The upstream saw {drawn} generations, {sum(self.tally.ended.values())} in the tally")
            if not wrong or loop.time() > deadline:
                return wrong

    async def ask(self, kind: str, method: str, path: str, body: Any = None, **headers: str) -> Said:
        said = await self.service.ask(method, path, body, **{"x_api_key": KEY, **headers})
        self.tally.add(kind, said.status, len(said.body))
        return said

    async def figures(self) -> Figures:
        """What /metrics tells; it does not know of this very request."""
        return read_figures((await self.ask("metrics", "GET", "/metrics")).body.decode())

    def _reply(self, seen: Seen) -> Reply:
        if seen.method == "POST" and "2img" in seen.target:
            word = json.loads(seen.body)["prompt"].split()[0]
            return replace(WORDS["good"][0], gate=self.held) if word == "held" else WORDS[word][0]
        if seen.target.endswith("/missing"):
            return said({"detail": "Not Found"}, 404)
        return WORDS["mute"][0] if seen.target.endswith("/mute") else IDLE

    def _job(self, word: str, **more: Any) -> dict[str, Any]:
        """A job that was never asked for before."""
        self._nth += 1
        return {"prompt": f"{word} {self._nth}", **more}

    def _rendered(self, got: Said, pixels: str) -> None:
        assert got.status == 200, got
        origin = got.headers["X-Cache"]
        self.tally.renderings[pixels, origin] += 1
        if origin == "miss":
            self.tally.ended[("done",)] += 1

    async def _good(self) -> None:
        job = self._job("good", seed=self._nth)
        if self.chance.random() < 0.7:
            job = {"prompt": "good", "seed": self.chance.randrange(KEPT)}
        kind, pixels = self.chance.choice(("txt2img", "img2img")), self.chance.choice(("rgb565-be", "mono-hlsb"))
        base = self.chance.choice(("", PANEL))
        form = self.chance.choice(("frame", "json", "preview"))
        query = f"?answer={form}&width=8&height=8&format={pixels}"
        self._rendered(await self.ask(kind, "POST", f"{base}/sdapi/v1/{kind}{query}", job), pixels)

    async def _original(self) -> None:
        base = self.chance.choice(("/original", ""))
        got = await self.ask("txt2img", "POST", f"{base}{TXT2IMG}?answer=original", self._job("good"))
        assert got.status == 200
        self.tally.renderings[NONE, "miss"] += 1
        self.tally.ended[("done",)] += 1

    async def _failing(self) -> None:
        word = next(self._words)
        _, outcome, error = WORDS[word]
        got = await self.ask("txt2img", "POST", TXT2IMG, self._job(word), accept=RAW)
        assert got.status == STATUSES.get(error, 502), (word, got)
        self.tally.ended[(outcome,)] += 1
        self.tally.failures[(error,)] += 1

    async def _plain(self) -> None:
        method, path, kind, status = next(self._plains)
        got = await self.ask(kind, method, path, b"x" if method == "POST" else None)
        assert got.status == status, (path, got)

    async def _relay(self) -> None:
        what = self.chance.choice(sorted(RELAYED))
        base = self.chance.choice(("", "/original", PANEL))
        got = await self.ask("relay", "GET", f"{base}/sdapi/v1/{what}")
        assert got.status == RELAYED[what], got

    async def _push(self) -> None:
        got = await self.ask("push", "POST", PANEL + "/frame", png(size=(8, self.chance.randrange(4, 20))))
        assert got.status == 200

    async def _newest(self) -> None:
        got = await self.ask("newest", self.chance.choice(("GET", "HEAD")), PANEL + "/frame")
        assert got.status in (200, 404)
        if got.status == 200:
            again = await self.ask("newest", "GET", PANEL + "/frame", if_none_match=got.headers["ETag"])
            assert again.status in (200, 304)

    async def _keyless(self) -> None:
        kind, path = self.chance.choice((("txt2img", TXT2IMG), ("metrics", "/metrics"), ("other", "/nothing")))
        assert (await self.ask(kind, "GET", path, x_api_key="another")).status == 401

    async def _ticket(self) -> None:
        job = self._job("good", seed=self._nth)
        got = await self.ask("txt2img", "POST", TXT2IMG, job, accept=RAW, prefer="respond-async")
        assert got.status == 202, got
        where = got.headers["Location"]
        self._rendered(await self.ask("jobs", "GET", where + "/frame?wait=30"), "rgb565-be")
        assert (await self.ask("jobs", "DELETE", where)).status == 200

    async def _twins(self) -> None:
        """Some who want the same, at once: one is drawn, and all but that one join it."""
        self.held.clear()
        job = self._job("held", seed=self._nth)
        seen = len(self.upstream.seen)
        asked = [asyncio.create_task(self.ask("txt2img", "POST", TXT2IMG, job, accept=RAW)) for _ in range(4)]
        await self.upstream.wait_for(seen + 1)
        self.held.set()
        for got in await asyncio.gather(*asked):
            self._rendered(got, "rgb565-be")

    async def _crowd(self) -> None:
        """Full to the last place; one leaves the line and one leaves from inside; then more come than find room."""
        await self._until(in_flight=0, waiting=0)
        self.held.clear()
        async with AsyncExitStack() as stack:
            clients = [await self._come(stack, nth) for nth in range(PLACES + LINE)]
            clients.pop().leave()
            await self._until(in_flight=PLACES, waiting=LINE - 1)
            clients.pop(0).leave()
            await self._until(in_flight=PLACES, waiting=LINE - 2)
            self.tally.ended[("cancelled",)] += 1
            for _ in range(2):
                self.tally.add("txt2img", 499, 0)
                self.tally.failures[("cancelled",)] += 1
            clients += [await self._come(stack, PLACES + nth) for nth in range(LINE)]
            # Whoever it is that has to go: so many have to.
            clients += [await self._come(stack, PLACES + LINE - 1) for _ in range(TOO_MANY)]
            hearing = [asyncio.create_task(client.hear()) for client in clients]
            refused = 0
            for soonest in asyncio.as_completed(hearing):
                heard = await soonest
                self.tally.add("txt2img", heard.status, len(heard.body))
                if heard.status == 503:
                    refused += 1
                    self.tally.failures[("QueueFull",)] += 1
                else:
                    self._rendered(Said(heard.status, dict(heard.headers), heard.body), "rgb565-be")
                if refused == TOO_MANY:
                    self.held.set()

    async def _come(self, stack: AsyncExitStack, nth: int) -> RawClient:
        """One more asks, and is the nth inside or in line, as far as there is room."""
        client = await stack.enter_async_context(open_raw_client(self.service.port))
        body = json.dumps(self._job("held")).encode()
        await client.send(post(TXT2IMG, body, f"Accept: {RAW}", f"X-API-Key: {KEY}", "Connection: close"))
        await self._until(in_flight=min(nth + 1, PLACES), waiting=max(0, nth + 1 - PLACES))
        return client

    async def _until(self, **queue: int) -> None:
        """Until /health says so of the line, and those who are inside have reached the upstream."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            told: Mapping[str, int] = (await self.ask("health", "GET", "/health")).json()["queue"]
            if all(told[name] == value for name, value in queue.items()) and self.upstream.inside >= told["in_flight"]:
                return
        raise AssertionError(f"The line never was {queue}")
