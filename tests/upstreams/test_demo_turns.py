"""The demo painter at work: one job at a time, progress, half-done pictures, and clients that leave."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakes.pictures import b64, png
from pico_a1111_proxy.jobs import Job, Progress, Route
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.upstreams.demo import DemoPainter

SMALL = {"width": 64, "height": 48, "steps": 2, "seed": 5}


def job(route: Route = "txt2img", /, **fields: Any) -> Job:
    return Job(route, json.dumps({**SMALL, **fields}).encode(), DISPLAYS["waveshare-pico-lcd-1.3"])


def image(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(image(data))


class Stops:
    """A pause that counts the steps, and halts at one of them until it is let go."""

    def __init__(self, at: int) -> None:
        self.count = 0
        self.reached = asyncio.Event()
        self.go = asyncio.Event()
        self._at = at

    async def __call__(self, _: float) -> None:
        self.count += 1
        if self.count == self._at:
            self.reached.set()
            await self.go.wait()


async def test_progress_in_the_middle() -> None:
    stops = Stops(at=8)
    painter = DemoPainter(0.004, pause=stops)
    assert await painter.progress() == Progress()
    running = asyncio.create_task(painter.generate(job(n_iter=2, steps=5)))
    await stops.reached.wait()
    now = await painter.progress()
    assert now.busy
    assert (now.step, now.steps) == (2, 5)
    assert now.fraction == pytest.approx((5 + 2) / 10)
    assert now.eta_seconds > 0
    assert now.picture is not None
    assert image(now.picture).size == (64, 48)
    stops.go.set()
    assert len((await running).pictures) == 2
    assert stops.count == 10
    assert await painter.progress() == Progress()


@pytest.mark.parametrize("fields", [{}, {"init_images": [b64(png("white"))]}])
async def test_previews_close_in_on_the_picture(fields: dict[str, Any]) -> None:
    previews: list[bytes] = []

    async def look(_: float) -> None:
        now = await painter.progress()
        assert now.picture is not None
        previews.append(now.picture)

    painter = DemoPainter(0, pause=look)
    generation = await painter.generate(job("img2img" if fields else "txt2img", prompt="owl", steps=6, **fields))
    final = pixels(generation.picture(0)).astype(int)
    left = [float(np.abs(pixels(preview).astype(int) - final).mean()) for preview in previews]
    assert len(left) == 6
    assert left == sorted(left, reverse=True)
    assert left[-1] < left[0] / 3


async def test_a_large_preview_is_made_small() -> None:
    stops = Stops(at=2)
    painter = DemoPainter(0, pause=stops)
    running = asyncio.create_task(painter.generate(job(width=1600, height=160)))
    await stops.reached.wait()
    picture = (await painter.progress()).picture
    assert picture is not None
    assert image(picture).size == (534, 54)
    stops.go.set()
    await running


async def test_one_job_at_a_time_in_the_order_of_asking() -> None:
    stops = Stops(at=1)
    painter = DemoPainter(0, pause=stops)
    done: list[int] = []

    async def ask(seed: int) -> None:
        await painter.generate(job(seed=seed, steps=seed))
        done.append(seed)

    tasks = [asyncio.create_task(ask(9))]
    await stops.reached.wait()
    tasks += [asyncio.create_task(ask(seed)) for seed in (3, 1)]
    for _ in range(1000):  # plenty for them to begin, if they could
        await asyncio.sleep(0)
    assert stops.count == 1
    assert (await painter.progress()).steps == 9
    stops.go.set()
    await asyncio.gather(*tasks)
    assert done[0] == 9
    assert sorted(done) == [1, 3, 9]


async def test_a_client_that_leaves_frees_the_painter() -> None:
    stops = Stops(at=3)
    painter = DemoPainter(0, pause=stops)
    running = asyncio.create_task(painter.generate(job(steps=20)))
    await stops.reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await painter.progress() == Progress()
    assert len((await painter.generate(job(steps=4))).pictures) == 1
    assert stops.count == 3 + 4


async def test_a_client_that_leaves_while_waiting_changes_nothing() -> None:
    stops = Stops(at=1)
    painter = DemoPainter(0, pause=stops)
    running = asyncio.create_task(painter.generate(job()))
    await stops.reached.wait()
    waiting = asyncio.create_task(painter.generate(job()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await painter.progress()).busy
    stops.go.set()
    assert len((await running).pictures) == 1


async def test_the_loop_goes_on_while_a_picture_is_painted() -> None:
    painter = DemoPainter(0)
    running = asyncio.create_task(painter.generate(job(width=256, height=256)))
    answered_meanwhile = False
    while not running.done():
        now = await painter.progress()
        answered_meanwhile = answered_meanwhile or (now.busy and now.picture is None)
        await asyncio.sleep(0)
    assert answered_meanwhile
    await running


async def test_it_says_that_it_is_the_demo() -> None:
    painter = DemoPainter()
    condition = await painter.check()
    assert condition.kind == "demo"
    assert condition.usable
    assert "A1111_BASE_URL" in condition.words
    findings = [finding async for finding in painter.examine()]
    assert [finding.good for finding in findings] == [True]
    assert "A1111_BASE_URL" in findings[0].words
