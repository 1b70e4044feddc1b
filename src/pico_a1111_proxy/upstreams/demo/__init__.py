"""The demo painter: an upstream without a model, which paints by rules and answers as A1111 does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import pybase64
from PIL import Image, ImageOps

from pico_a1111_proxy.errors import PictureError, UpstreamRejected, UpstreamUnavailable
from pico_a1111_proxy.jobs import Generation, Job, Progress, decode_base64
from pico_a1111_proxy.pictures import decode
from pico_a1111_proxy.proxy import Condition, Finding
from pico_a1111_proxy.upstreams.demo.fields import json_answer, read_fields, refuse
from pico_a1111_proxy.upstreams.demo.infotext import encode_png, info, infotext
from pico_a1111_proxy.upstreams.demo.painting.denoising import half_done
from pico_a1111_proxy.upstreams.demo.painting.painter import Picture, paint, repaint

SIDES = (8, 2048)  # pixels
STEPS = (1, 150)
MOST_PICTURES = 16
GRID_SIDE = 4096  # pixels; a grid that would be longer is made smaller
PREVIEW_SIDE = 768  # pixels; a preview is for looking at while one waits
SEEDS = 4294967294  # A1111 draws a random seed below that

WORDS = "The demo painter draws, without a model; A1111_BASE_URL sets a real web UI"


@dataclass(frozen=True)
class Request:
    """What one job asks the demo painter for; `fields` are all of A1111's, as they were read."""

    job: Job
    fields: dict[str, Any]
    width: int
    height: int
    start: Picture | None = None

    @classmethod
    def of(cls, job: Job) -> Request:
        """Read `job`. Raises UpstreamRejected, or UpstreamUnavailable where A1111 would answer 500."""
        fields = read_fields(job.route, job.body)
        _check_bounds(fields)
        request = cls(job, fields, fields["width"] // 8 * 8, fields["height"] // 8 * 8)
        return request if job.route == "txt2img" else replace(request, start=_read_start(request))

    @property
    def count(self) -> int:
        """How many pictures."""
        return int(self.fields["n_iter"] * self.fields["batch_size"])

    @property
    def grid(self) -> bool:
        """Whether a grid of all pictures comes first: A1111 makes one when it saves several."""
        return self.count > 1 and bool(self.fields["save_images"])

    def paint(self, seed: int) -> Picture:
        """Paint RGB (height, width, 3)."""
        prompt, negative = self.fields["prompt"], self.fields["negative_prompt"]
        if self.start is None:
            return paint(prompt, negative, seed, self.width, self.height)
        return repaint(self.start, self.fields["denoising_strength"], prompt, negative, seed)

    def parameters(self) -> dict[str, Any]:
        """The fields as A1111 echoes them: pictures that were sent don't come back."""
        if self.job.route == "txt2img" or self.fields["include_init_images"]:
            return self.fields
        return {**self.fields, "init_images": None, "mask": None}


@dataclass(frozen=True)
class _Drawing:
    """Where the painter is: so many `steps` of picture `nth` of `count`; no picture before it is laid out."""

    request: Request
    seed: int
    nth: int = 0
    step: int = 0
    picture: Picture | None = None

    @property
    def steps(self) -> int:
        """How many steps each picture has."""
        return int(self.request.fields["steps"])

    @property
    def fraction(self) -> float:
        """How much of the whole job is done, from 0 to 1."""
        return (self.nth + self.step / self.steps) / self.request.count

    def preview(self) -> bytes:
        """The half-done picture as PNG. Runs in a thread."""
        assert self.picture is not None
        every = -(-max(self.picture.shape) // PREVIEW_SIDE)
        start = None if self.request.start is None else self.request.start[::every, ::every]
        return encode_png(half_done(self.picture[::every, ::every], self.step / self.steps, self.seed, start))


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
        self._step_seconds = step_seconds
        self._chance = chance or Random()  # noqa: S311
        self._pause = pause
        self._turn = asyncio.Lock()
        self._drawing: _Drawing | None = None
        self._started = 0.0

    async def generate(self, job: Job) -> Generation:
        """Paint all pictures of `job`. Raises UpstreamRejected, and UpstreamUnavailable for a bad init image."""
        request = await asyncio.to_thread(Request.of, job)
        first, subseed = (self._pick(request.fields[name]) for name in ("seed", "subseed"))
        seeds = [first + nth for nth in range(request.count)]
        async with self._turn:
            self._started = asyncio.get_running_loop().time()
            try:
                images = [await self._draw(request, nth, seed) for nth, seed in enumerate(seeds)]
                return await asyncio.to_thread(_answer, request, images, seeds, subseed)
            finally:
                self._drawing = None

    async def progress(self) -> Progress:
        """How far the running job is; the half-done picture is made now, for whoever asks."""
        now = self._drawing
        if now is None:
            return Progress()
        spent = asyncio.get_running_loop().time() - self._started
        left = now.request.count * now.steps * self._step_seconds
        eta = spent / now.fraction - spent if now.fraction else left
        picture = None if now.picture is None else await asyncio.to_thread(now.preview)
        return Progress(now.fraction, eta, now.step, now.steps, picture)

    async def check(self) -> Condition:
        """It can always be used."""
        return Condition("demo", usable=True, words=WORDS)

    async def examine(self) -> AsyncIterator[Finding]:
        """There is no way to it that could be blocked."""
        yield Finding("demo painter", good=True, words=WORDS)

    async def _draw(self, request: Request, nth: int, seed: int) -> bytes:
        """One picture as PNG, after as many pauses as it has steps."""
        drawing = self._drawing = _Drawing(request, seed, nth)
        drawing = replace(drawing, picture=await asyncio.to_thread(request.paint, seed))
        clock = asyncio.get_running_loop().time
        laid_out = clock()
        for step in range(drawing.steps):
            self._drawing = replace(drawing, step=step)
            # Up to a moment and not for a while: a sleep takes a millisecond longer than asked for.
            await self._pause(max(laid_out + (step + 1) * self._step_seconds - clock(), 0.0))
        self._drawing = replace(drawing, step=drawing.steps)
        assert drawing.picture is not None
        image = Image.fromarray(drawing.picture)
        return await asyncio.to_thread(encode_png, image, infotext(request.fields, seed))

    def _pick(self, seed: int) -> int:
        return self._chance.randrange(SEEDS) if seed == -1 else seed


def _check_bounds(fields: dict[str, Any]) -> None:
    """Raise UpstreamRejected for what would take this machine too long."""
    for name, (least, most) in {"width": SIDES, "height": SIDES, "steps": STEPS}.items():
        if not least <= fields[name] <= most:
            words = f"the demo painter takes {least} to {most}, not {fields[name]}"
            refuse({"loc": ["body", name], "msg": words, "type": "value_error"})
    batch, rounds = fields["batch_size"], fields["n_iter"]
    if batch < 1 or rounds < 1 or batch * rounds > MOST_PICTURES:
        words = f"the demo painter draws 1 to {MOST_PICTURES} pictures a request, not {rounds} times {batch}"
        refuse({"loc": ["body", "batch_size"], "msg": words, "type": "value_error"})


def _read_start(request: Request) -> Picture:
    """The first init image at the size asked for, RGB (height, width, 3).

    A1111 answers 404 where there is none, and 500 where there is one that it can't read.
    """
    images = request.fields["init_images"]
    if not images:
        words = "Init image not found"
        raise UpstreamRejected(words, answer=_exception(404, words))
    data = decode_base64(images[0]) if isinstance(images[0], str) else None
    try:
        image = decode(data or b"")
    except PictureError as error:
        words = "Invalid encoded image"
        raise UpstreamUnavailable(words, f"init_images: {error}", _exception(500, words)) from error
    size = (request.width, request.height)
    mode = request.fields["resize_mode"]
    if mode == 1:
        return np.asarray(ImageOps.fit(image, size))
    if mode == 2:
        return np.asarray(ImageOps.pad(image, size))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def _exception(status: int, words: str) -> Any:
    return json_answer({"error": "HTTPException", "detail": words, "body": "", "errors": ""}, status)


def _answer(request: Request, images: list[bytes], seeds: list[int], subseed: int) -> Generation:
    subseeds = [subseed + nth for nth in range(len(seeds))]
    if request.grid:
        images = [encode_png(_grid(request, images), infotext(request.fields, seeds[0])), *images]
    document = {
        "images": [pybase64.b64encode(image).decode("ascii") for image in images if request.fields["send_images"]],
        "parameters": request.parameters(),
        "info": info(request.fields, seeds, subseeds, request.grid),
    }
    return Generation.read(json_answer(document))


def _grid(request: Request, images: list[bytes]) -> Image.Image:
    """All pictures side by side, about as many rows as columns."""
    rows = round(math.sqrt(len(images)))
    columns = math.ceil(len(images) / rows)
    scale = min(GRID_SIDE / (columns * request.width), GRID_SIDE / (rows * request.height), 1.0)
    width, height = max(int(request.width * scale), 1), max(int(request.height * scale), 1)
    grid = Image.new("RGB", (columns * width, rows * height))
    for nth, image in enumerate(images):
        grid.paste(decode(image).resize((width, height)), (nth % columns * width, nth // columns * height))
    return grid
