"""The demo painter: an upstream without a model, which paints by rules and answers as A1111 does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import pybase64
from PIL import Image

from pico_a1111_proxy.jobs import Generation, Job, Progress
from pico_a1111_proxy.outlooks import Stage
from pico_a1111_proxy.pictures import decode
from pico_a1111_proxy.proxy import Condition, Finding, RelayAnswer, RelayRequest
from pico_a1111_proxy.upstreams.demo.easel import Easel
from pico_a1111_proxy.upstreams.demo.fields import json_answer
from pico_a1111_proxy.upstreams.demo.infotext import encode_png, info, infotext
from pico_a1111_proxy.upstreams.demo.parameters import Parameters
from pico_a1111_proxy.upstreams.demo.routes import Routes

GRID_SIDE = 4096  # pixels; a grid that would be longer is made smaller
SEEDS = 4294967294  # A1111 draws a random seed below that

WORDS = "The demo painter draws, without a model; A1111_BASE_URL sets a real web UI"


class DemoPainter:
    """Paints one picture at a time, in the order of asking, as A1111 does.

    `step_seconds` is how long a step takes. `chance` picks the seeds that nobody named, and `pause` waits.
    """

    def __init__(
        self,
        step_seconds: float = 0.004,
        chance: Random | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._chance = chance or Random()  # noqa: S311
        self._easel = Easel(step_seconds, pause)
        self._routes = Routes(self._easel)

    async def generate(self, job: Job) -> Generation:
        """Paint all pictures of `job`. Raises UpstreamRejected, and UpstreamUnavailable for a bad init image."""
        parameters = await asyncio.to_thread(Parameters.of, job)
        first, subseed = (self._pick(parameters.fields[name]) for name in ("seed", "subseed"))
        seeds = [first + nth for nth in range(parameters.count)]
        task = parameters.fields["force_task_id"] or f"task({job.route}-{self._chance.randrange(16**7):07x})"
        images: list[bytes] = []
        async with self._easel.task(task):
            for nth, seed in enumerate(seeds):
                if nth and self._easel.interrupted:
                    break
                image = await self._easel.draw(parameters, nth, seed)
                images.append(await asyncio.to_thread(encode_png, image, infotext(parameters.fields, seed)))
            return await asyncio.to_thread(_answer, parameters, images, seeds, subseed)

    @asynccontextmanager
    async def relay(self, request: RelayRequest) -> AsyncIterator[RelayAnswer]:
        """Answer as a web UI's other routes do. Raises BodyTooLarge, and what reading the body raises."""
        answer = await self._routes.answer(request)
        headers = (*answer.headers, ("Content-Length", str(len(answer.body))))
        yield RelayAnswer(answer.status, headers, _once(b"" if request.method == "HEAD" else answer.body))

    async def progress(self) -> Progress:
        """How far the running job is; the half-done picture is made now, for whoever asks."""
        return await self._easel.progress()

    async def abandon(self, job: Job) -> None:
        """There is nothing left of it: who is cancelled has put the brush down."""

    def stage(self, job: Job, *, closely: bool = False) -> Stage | None:
        """It tells no job from another."""
        return None

    async def check(self) -> Condition:
        """It can always be used."""
        return Condition("demo", usable=True, words=WORDS)

    async def examine(self) -> AsyncIterator[Finding]:
        """There is no way to it that could be blocked."""
        yield Finding("demo painter", good=True, words=WORDS)

    def _pick(self, seed: int) -> int:
        return self._chance.randrange(SEEDS) if seed == -1 else seed


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body


def _answer(parameters: Parameters, images: list[bytes], seeds: list[int], subseed: int) -> Generation:
    subseeds = [subseed + nth for nth in range(len(seeds))]
    infotexts = [infotext(parameters.fields, seed) for seed in seeds[: len(images)]]
    grid = len(images) > 1 and bool(parameters.fields["save_images"])  # A1111 makes one when it saves several
    if grid:
        images = [encode_png(_grid(parameters, images), infotexts[0]), *images]
        infotexts = [infotexts[0], *infotexts]
    document = {
        "images": [pybase64.b64encode(image).decode("ascii") for image in images if parameters.fields["send_images"]],
        "parameters": parameters.echo(),
        "info": info(parameters.fields, seeds, subseeds, infotexts, int(grid)),
    }
    return Generation.read(json_answer(document))


def _grid(parameters: Parameters, images: list[bytes]) -> Image.Image:
    """All pictures side by side, about as many rows as columns."""
    rows = round(math.sqrt(len(images)))
    columns = math.ceil(len(images) / rows)
    scale = min(GRID_SIDE / (columns * parameters.width), GRID_SIDE / (rows * parameters.height), 1.0)
    width, height = max(int(parameters.width * scale), 1), max(int(parameters.height * scale), 1)
    grid = Image.new("RGB", (columns * width, rows * height))
    for nth, image in enumerate(images):
        grid.paste(decode(image).resize((width, height)), (nth % columns * width, nth // columns * height))
    return grid
