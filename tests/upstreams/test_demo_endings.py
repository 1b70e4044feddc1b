"""The demo painter told to stop: interrupt, skip, and what clients see of a job while it runs."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakes.pictures import b64, png
from pico_a1111_proxy.jobs import Generation, Job
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.proxy import RelayRequest
from pico_a1111_proxy.upstreams.demo import DemoPainter
from pico_a1111_proxy.upstreams.demo.painting.painter import paint

SMALL = {"prompt": "owl", "width": 64, "height": 48, "steps": 6, "seed": 5}
OWL = paint("owl", "", 5, 64, 48)
PROGRESS = "/sdapi/v1/progress"


def job(**fields: Any) -> Job:
    body = json.dumps({**SMALL, **fields}).encode()
    return Job("img2img" if "init_images" in fields else "txt2img", body, DISPLAYS["waveshare-pico-lcd-1.3"])


async def ask(painter: DemoPainter, method: str, target: str, body: Any = None) -> Any:
    async def sent() -> Any:
        yield json.dumps(body).encode()

    request = RelayRequest(method, target, (), sent() if body is not None else None)
    async with painter.relay(request) as answer:
        assert answer.status == 200
        return json.loads(b"".join([chunk async for chunk in answer.body]))


async def wait_for_one_in_line(painter: DemoPainter) -> Any:
    for _ in range(100_000):  # plenty
        waiting = await ask(painter, "GET", "/internal/pending-tasks")
        if waiting["size"]:
            assert waiting["size"] == 1
            return waiting["tasks"]
        await asyncio.sleep(0)
    raise AssertionError("Nobody waits")


class At:
    """A pause that does something in one of the steps, counted from 1 over all pictures."""

    def __init__(self) -> None:
        self.count = 0
        self.done: dict[int, Callable[[], Awaitable[None]]] = {}

    async def __call__(self, _: float) -> None:
        self.count += 1
        if self.count in self.done:
            await self.done[self.count]()


async def generate_in_turn(painter: DemoPainter, at: At, first: Job, second: Job) -> tuple[Generation, Generation]:
    """Both, the second asked for in the first step of the first: threads would race otherwise."""
    begun: list[asyncio.Task[Generation]] = []

    async def begin() -> None:
        begun.append(asyncio.create_task(painter.generate(second)))

    at.done[1] = begin
    return await painter.generate(first), await begun[0]


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data))).astype(int)


def distance(data: bytes) -> float:
    return float(np.abs(pixels(data) - OWL).mean())


async def run(path: str, step: int, **fields: Any) -> tuple[Generation, At]:
    """A job that a client posts to `path` in `step`."""
    at = At()
    painter = DemoPainter(0, pause=at)

    async def post() -> None:
        await ask(painter, "POST", path)

    at.done[step] = post
    generation = await painter.generate(job(**fields))
    idle = await ask(painter, "GET", PROGRESS)
    assert (idle["progress"], idle["state"]["job_count"]) == (0.0, 0)
    return generation, at


async def test_interrupt_ends_with_the_half_done_picture() -> None:
    early, late = [(await run("/sdapi/v1/interrupt", step))[0] for step in (1, 5)]
    whole, _ = await run("/sdapi/v1/interrupt", 6)
    assert early.answer.status == 200
    assert [len(generation.images) for generation in (early, late, whole)] == [1, 1, 1]
    assert pixels(early.picture(0)).shape == (48, 64, 3)
    assert distance(early.picture(0)) > distance(late.picture(0)) > distance(whole.picture(0)) == 0


async def test_interrupt_ends_a_batch() -> None:
    generation, at = await run("/sdapi/v1/interrupt", 8, n_iter=4, save_images=True)
    assert at.count == 8
    assert len(generation.images) == 3  # the grid, the first, and what there is of the second
    assert generation.first == 1
    assert distance(generation.picture(1)) == 0
    assert len(generation.info["infotexts"]) == 3
    assert generation.info["all_seeds"] == [5, 6, 7, 8]


async def test_interrupted_in_the_first_there_is_no_grid() -> None:
    generation, _ = await run("/sdapi/v1/interrupt", 2, n_iter=4, save_images=True)
    assert (len(generation.images), generation.first) == (1, 0)


async def test_skip_ends_one_picture_of_a_batch() -> None:
    generation, at = await run("/sdapi/v1/skip", 2, n_iter=3)
    assert at.count == 2 + 6 + 6
    assert len(generation.pictures) == 3
    assert distance(generation.picture(0)) > 0
    alone = await DemoPainter(0).generate(job(seed=6))
    assert pixels(generation.picture(1)).tolist() == pixels(alone.picture(0)).tolist()


async def test_img2img_is_interrupted_too() -> None:
    generation, at = await run("/sdapi/v1/interrupt", 3, init_images=[b64(png("white"))])
    assert (len(generation.images), at.count) == (1, 3)


async def test_a_large_picture_that_is_interrupted_has_its_size() -> None:
    generation, _ = await run("/sdapi/v1/interrupt", 1, width=1600, height=160)
    assert pixels(generation.picture(0)).shape == (160, 1600, 3)


@pytest.mark.parametrize("path", ["/sdapi/v1/interrupt", "/sdapi/v1/skip"])
async def test_nothing_ends_where_nothing_is_drawn(path: str) -> None:
    at = At()
    painter = DemoPainter(0, pause=at)
    await ask(painter, "POST", path)
    assert distance((await painter.generate(job())).picture(0)) == 0
    assert at.count == 6


async def test_those_that_wait_are_not_interrupted() -> None:
    at = At()
    painter = DemoPainter(0, pause=at)

    async def end() -> None:
        await wait_for_one_in_line(painter)
        await ask(painter, "POST", "/sdapi/v1/interrupt")

    at.done[2] = end
    first, second = await generate_in_turn(painter, at, job(), job(seed=5))
    assert distance(first.picture(0)) > distance(second.picture(0)) == 0


async def test_progress_as_a1111_says_it() -> None:
    at = At()
    painter = DemoPainter(0, pause=at)
    told: list[Any] = []

    async def look() -> None:
        told.extend([await ask(painter, "GET", PROGRESS + query) for query in ("", "?skip_current_image=true")])
        await ask(painter, "POST", "/sdapi/v1/interrupt")
        told.append(await ask(painter, "GET", PROGRESS + "/?skipCurrentImage=true"))

    at.done[10] = look
    await painter.generate(job(n_iter=4))
    first, second, third = told
    assert set(first) == {"progress", "eta_relative", "state", "current_image", "textinfo"}
    assert first["progress"] == pytest.approx(0.01 + (6 + 3) / 24)
    assert {"job_no": 1, "job_count": 4, "sampling_step": 3, "sampling_steps": 6}.items() <= first["state"].items()
    assert (first["state"]["job"], first["state"]["interrupted"]) == ("Batch 2 out of 4", False)
    assert first["state"]["job_timestamp"].isdigit()
    assert pixels(base64.b64decode(first["current_image"], validate=True)).shape == (48, 64, 3)
    assert second["current_image"] is None
    assert {**second, "eta_relative": 0} == {**first, "eta_relative": 0, "current_image": None}
    assert third["state"]["interrupted"] is True
    assert third["current_image"] == first["current_image"]


async def test_a_task_by_its_id() -> None:
    at = At()
    painter = DemoPainter(0, pause=at)
    told: dict[str, Any] = {}

    async def tell(name: str, **more: Any) -> Any:
        return await ask(painter, "POST", "/internal/progress", {"id_task": name, **more})

    async def look() -> None:
        assert await wait_for_one_in_line(painter) == ["second"]
        told["first"] = await tell("first")
        told["seen"] = await tell("first", id_live_preview=told["first"]["id_live_preview"])
        told["second"] = await tell("second")
        told["third"] = await tell("third")

    at.done[4] = look
    await generate_in_turn(painter, at, job(force_task_id="first"), job(force_task_id="second"))
    flags = {name: [said[key] for key in ("active", "queued", "completed")] for name, said in told.items()}
    assert flags["first"] == flags["seen"] == [True, False, False]
    assert told["first"]["progress"] == pytest.approx(0.5)
    kind, _, picture = told["first"]["live_preview"].partition(",")
    assert kind == "data:image/png;base64"
    assert pixels(base64.b64decode(picture)).shape == (48, 64, 3)
    assert told["seen"]["live_preview"] is None
    assert (flags["second"], told["second"]["textinfo"]) == ([False, True, False], "In queue: 1/1")
    assert (flags["third"], told["third"]["textinfo"]) == ([False, False, False], "Waiting...")
    assert (await tell("first"))["completed"]
    assert not (await tell(""))["active"]


async def test_ids_take_little_room() -> None:
    painter = DemoPainter(0)
    first, *others = [f"{number:03}" + "x" * 5000 for number in range(17)]

    async def remembered(name: str) -> bool:
        told = await ask(painter, "POST", "/internal/progress", {"id_task": name})
        return bool(told["completed"])

    await painter.generate(job(force_task_id=first, steps=1))
    assert await remembered(first)
    assert await remembered(first[:200])
    for name in others:
        await painter.generate(job(force_task_id=name, steps=1))
    assert [await remembered(name) for name in (first, *others)] == [False] + [True] * 16
