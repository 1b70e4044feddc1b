"""Workers and those who ask them: who leaves, who can not wait, who goes first, and what is seen from afar."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
import uuid
from pathlib import Path
from typing import Any

import pytest

from fakes.a1111 import ScriptedA1111
from fakes.crew import IDLE, Drawing, ask, drawn, job, nothing_is_left, prompts, taking
from fakes.pictures import b64, png
from fakes.redis import RedisServer
from fakes.waiting import until
from fakes.worker import Asking, open_asking
from pico_a1111_proxy.errors import QueueFull
from pico_a1111_proxy.fleet.broker import QUEUE
from pico_a1111_proxy.fleet.link import PREFIX

# --- Clients that leave, and those that can't wait ------------------------------------------------------------------


async def test_what_nobody_wants_any_more_is_not_drawn(asking: Asking, redis: RedisServer, one: ScriptedA1111) -> None:
    drawing = Drawing(one)
    async with taking(asking, redis, one.url):
        first = ask(asking)
        await drawn(one, 1)
        second, third = ask(asking, "b"), ask(asking, "c")
        await asking.sees(lambda: asking.roll.figures().waiting == 2, "they do not wait")
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        await asking.sees(lambda: asking.roll.figures().waiting == 1, "it is still in the line")
        drawing.now.set()
        await asyncio.gather(first, third)
        assert prompts(one) == ["a", "c"]
        await nothing_is_left(asking)


async def test_a_client_that_leaves_while_it_is_drawn_frees_the_worker(
    asking: Asking, redis: RedisServer, one: ScriptedA1111
) -> None:
    drawing = Drawing(one)
    drawing.told = {"progress": 0.5, "state": {"job_count": 1, "sampling_step": 1, "sampling_steps": 2}}
    async with taking(asking, redis, one.url):
        left = ask(asking)
        await drawn(one, 1)
        next_one = ask(asking, "b")
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        await until(lambda: drawing.asked, "nobody asks whether it still draws")
        assert prompts(one) == ["a"]
        drawing.told = IDLE
        drawing.now.set()
        assert (await next_one).pictures
        assert prompts(one) == ["a", "b"]
        await nothing_is_left(asking)


async def test_what_nobody_begins_in_time_is_never_drawn(redis: RedisServer, one: ScriptedA1111) -> None:
    drawing = Drawing(one)
    async with open_asking(redis.url, patience=1) as asking, taking(asking, redis, one.url):
        work = ask(asking)
        await drawn(one, 1)
        with pytest.raises(QueueFull) as caught:
            await asking.fleet.generate(job("b"))
        assert caught.value.retry_after >= 1
        drawing.now.set()
        assert (await work).pictures
        assert (await asking.fleet.generate(job("c"))).pictures
        assert prompts(one) == ["a", "c"]
        await nothing_is_left(asking)


async def test_the_background_is_drawn_after_all_others(asking: Asking, redis: RedisServer, one: ScriptedA1111) -> None:
    drawing = Drawing(one)
    async with taking(asking, redis, one.url):
        works = [ask(asking, "first")]
        await drawn(one, 1)
        for count, (prompt, priority) in enumerate(
            [("b1", "background"), ("i1", "interactive"), ("b2", "background"), ("i2", "interactive")], 1
        ):
            works.append(ask(asking, prompt, priority))  # type: ignore[arg-type]
            await asking.sees(lambda count=count: asking.roll.figures().waiting == count, "it does not wait")
        assert asking.roll.figures().background == 2
        drawing.now.set()
        await asyncio.gather(*works)
        assert prompts(one) == ["first", "i1", "i2", "b1", "b2"]


# --- What else there is to see --------------------------------------------------------------------------------------


async def test_how_far_it_is_is_seen_from_afar(asking: Asking, redis: RedisServer, one: ScriptedA1111) -> None:
    drawing = Drawing(one)
    state = {"job_count": 1, "job_no": 0, "sampling_step": 5, "sampling_steps": 20}
    preview = png(size=(4, 4))
    drawing.told = {"progress": 0.25, "eta_relative": 3.0, "state": state, "current_image": b64(preview)}
    async with taking(asking, redis, one.url):
        waiting = [job("a"), job("b")]
        works = []
        for count, each in enumerate(waiting):
            works.append(asyncio.create_task(asking.fleet.generate(each)))
            await asking.sees(lambda count=count: asking.roll.figures().waiting == count, "it does not wait")
            await drawn(one, 1)

        def told() -> bool:
            begun, in_line = (asking.fleet.stage(each, closely=True) for each in waiting)
            return bool(begun and begun.told and begun.told.busy and in_line and in_line.position == 1)

        await until(told, "it never was told")
        seen = asking.fleet.stage(waiting[0])
        assert seen is not None
        assert seen.told is not None
        assert (seen.position, seen.told.fraction, seen.told.step, seen.told.steps) == (0, 0.25, 5, 20)
        assert seen.seconds > 0
        progress = await asking.fleet.progress()
        assert (progress.fraction, progress.step, progress.steps, progress.picture) == (0.25, 5, 20, preview)
        assert asking.fleet.stage(job("a")) is None
        drawing.now.set()
        await asyncio.gather(*works)
        assert not (await asking.fleet.progress()).busy


async def test_two_workers_draw_two_at_once(
    asking: Asking, redis: RedisServer, one: ScriptedA1111, two: ScriptedA1111
) -> None:
    drawing = Drawing(one)
    two.standing = drawing
    async with taking(asking, redis, one.url, two.url):
        works = [ask(asking, prompt) for prompt in "abcd"]
        await drawn(one, 1)
        await drawn(two, 1)
        drawing.now.set()
        await asyncio.gather(*works)
        assert sorted(prompts(one) + prompts(two)) == [*"abcd"]
        assert (one.most_inside, two.most_inside) == (1, 1)


class _Trap:
    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.path),)

    def __init__(self, path: str) -> None:
        self.path = path


async def test_a_message_that_is_none_of_ours_is_not_read(
    asking: Asking, redis: RedisServer, one: ScriptedA1111, tmp_path: Path
) -> None:
    trap = base64.b64encode(pickle.dumps(_Trap(str(tmp_path / "sprung")))).decode()
    properties = {
        "delivery_tag": str(uuid.uuid4()),
        "delivery_info": {"exchange": "", "routing_key": QUEUE, "priority": 0},
        "body_encoding": "base64",
    }
    kinds = {"content-type": "application/x-python-serialize", "content-encoding": "binary"}
    message = json.dumps({"body": trap, **kinds, "headers": {"task": "a", "id": "a"}, "properties": properties})
    await asking.link.redis.lpush(PREFIX + QUEUE, message)
    async with taking(asking, redis, one.url):
        assert (await asking.fleet.generate(job())).pictures
        assert not await asking.link.redis.llen(PREFIX + QUEUE)
    assert not (tmp_path / "sprung").exists()
