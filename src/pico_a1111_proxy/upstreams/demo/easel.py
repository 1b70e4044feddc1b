"""The easel: the one drawing that is being made, whose turn it is, and how far it is."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pybase64
from PIL import Image

from pico_a1111_proxy.jobs import Progress
from pico_a1111_proxy.upstreams.demo.infotext import encode_png
from pico_a1111_proxy.upstreams.demo.painting.denoising import half_done
from pico_a1111_proxy.upstreams.demo.painting.painter import Picture
from pico_a1111_proxy.upstreams.demo.parameters import Parameters

PREVIEW_SIDE = 768  # pixels; a preview is for looking at while one waits
LONGEST_ID = 200  # characters of a client's own task id
REMEMBERED = 16  # finished tasks, as many as A1111 remembers


@dataclass(frozen=True)
class Drawing:
    """Where the painter is: so many `steps` of picture `nth` of `count`; no picture before it is laid out."""

    parameters: Parameters
    seed: int
    nth: int = 0
    step: int = 0
    picture: Picture | None = None

    @property
    def fraction(self) -> float:
        """How much of the whole job is done, from 0 to 1."""
        return (self.nth + self.step / self.parameters.steps) / self.parameters.count

    def look(self) -> Image.Image:
        """The half-done picture, its longest side at most PREVIEW_SIDE. Runs in a thread."""
        assert self.picture is not None
        every = -(-max(self.picture.shape) // PREVIEW_SIDE)
        start = None if self.parameters.start is None else self.parameters.start[::every, ::every]
        return half_done(self.picture[::every, ::every], self.step / self.parameters.steps, self.seed, start)

    def preview(self) -> bytes:
        """The half-done picture as PNG. Runs in a thread."""
        return encode_png(self.look())

    def finish(self) -> Image.Image:
        """The picture at its full size, as far as it was drawn. Runs in a thread."""
        assert self.picture is not None
        if self.step == self.parameters.steps:
            return Image.fromarray(self.picture)
        # What is half-done is soft: made at the size of a preview, the largest takes no more memory than that.
        return self.look().resize((self.parameters.width, self.parameters.height), Image.Resampling.BICUBIC)


class Easel:
    """One drawing at a time, in the order of asking, as with A1111's lock.

    `step_seconds` is how long a step takes, and `pause` waits.
    """

    def __init__(self, step_seconds: float, pause: Callable[[float], Awaitable[object]]) -> None:
        self._step_seconds = step_seconds
        self._pause = pause
        self._turn = asyncio.Lock()
        self._drawing: Drawing | None = None
        self._task = ""
        self._started = 0.0
        self._timestamp = "0"
        self._skipped = False
        self.interrupted = False
        self.waiting: list[str] = []
        self.finished: deque[str] = deque(maxlen=REMEMBERED)

    @asynccontextmanager
    async def task(self, name: str) -> AsyncIterator[None]:
        """The turn of a drawing that clients know by `name`; who waits for it is in `waiting`."""
        name = name[:LONGEST_ID]
        self.waiting.append(name)
        try:
            await self._turn.acquire()
        finally:
            self.waiting.remove(name)
        try:
            self._task = name
            self._started = asyncio.get_running_loop().time()
            self._timestamp = time.strftime("%Y%m%d%H%M%S")
            self.interrupted = self._skipped = False
            yield
        finally:
            self._drawing = None
            self._task = ""
            self.finished.append(name)
            self._turn.release()

    async def draw(self, parameters: Parameters, nth: int, seed: int) -> Image.Image:
        """One picture, after as many pauses as it has steps, or fewer where somebody ends it. Within a turn."""
        self._skipped = False
        drawing = self._drawing = Drawing(parameters, seed, nth)
        drawing = replace(drawing, picture=await asyncio.to_thread(parameters.paint, seed))
        clock = asyncio.get_running_loop().time
        laid_out = clock()
        for step in range(parameters.steps):
            self._drawing = replace(drawing, step=step)
            if self.interrupted or self._skipped:
                break
            # Up to a moment and not for a while: a sleep takes a millisecond longer than asked for.
            await self._pause(max(laid_out + (step + 1) * self._step_seconds - clock(), 0.0))
        else:
            self._drawing = replace(drawing, step=parameters.steps)
        return await asyncio.to_thread(self._drawing.finish)

    def interrupt(self) -> None:
        """End the running job with what there is of it; those that wait go on, and an idle painter too."""
        self.interrupted = True

    def skip(self) -> None:
        """End the picture that is being drawn with what there is of it; the next one of its job follows."""
        self._skipped = True

    async def progress(self, with_picture: bool = True) -> Progress:
        """How far the running job is; the half-done picture is made now, for whoever asks."""
        now = self._drawing
        if now is None:
            return Progress()
        steps = now.parameters.steps
        spent = asyncio.get_running_loop().time() - self._started
        eta = spent / now.fraction - spent if now.fraction else now.parameters.count * steps * self._step_seconds
        picture = None
        if with_picture and now.picture is not None:
            picture = await asyncio.to_thread(now.preview)
        return Progress(now.fraction, eta, now.step, steps, picture)

    async def tell(self, with_picture: bool) -> dict[str, Any]:
        """How far the running job is, as A1111 says it; clients take progress 0.0 and job_count 0 for idle."""
        now = self._drawing
        state = {
            "skipped": self._skipped,
            "interrupted": self.interrupted,
            "stopping_generation": False,
            "job": _name(now) if now else "",
            "job_count": now.parameters.count if now else 0,
            "job_timestamp": self._timestamp,
            "job_no": now.nth if now else 0,
            "sampling_step": now.step if now else 0,
            "sampling_steps": now.parameters.steps if now else 0,
        }
        progress = await self.progress(with_picture)
        return {
            "progress": min(0.01 + progress.fraction, 1.0) if now else 0.0,
            "eta_relative": progress.eta_seconds,
            "state": state,
            "current_image": progress.picture and pybase64.b64encode(progress.picture).decode("ascii"),
            "textinfo": None,
        }

    async def tell_of_task(self, name: str, preview: int, with_picture: bool) -> dict[str, Any]:
        """How far task `name` is, as A1111's own page is told; `preview` is the number of the one it has seen."""
        name, now = name[:LONGEST_ID], self._drawing
        told: dict[str, Any] = {
            "active": bool(name) and name == self._task,
            "queued": name in self.waiting,
            "completed": name in self.finished,
            "progress": None,
            "eta": None,
            "live_preview": None,
            "id_live_preview": -1,
            "textinfo": None,
        }
        if not told["active"] or now is None:
            place = f"In queue: {self.waiting.index(name) + 1}/{len(self.waiting)}" if told["queued"] else "Waiting..."
            return {**told, "textinfo": place}
        number = now.nth * now.parameters.steps + now.step
        progress = await self.progress(with_picture and number != preview)
        if progress.picture:
            told["live_preview"] = f"data:image/png;base64,{pybase64.b64encode(progress.picture).decode('ascii')}"
        return {**told, "progress": progress.fraction, "eta": progress.eta_seconds, "id_live_preview": number}


def _name(drawing: Drawing) -> str:
    count, route = drawing.parameters.count, drawing.parameters.job.route
    return f"Batch {drawing.nth + 1} out of {count}" if count > 1 else f"scripts_{route}"
