"""The client of the boards draws what the service makes: by txt2img, the newest frame, and what is being drawn."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from device.asking import LCD, Asked, ask, open_levers
from fakes.a1111 import Reply, ScriptedA1111, Seen, answer, in_turn, said
from fakes.pictures import BLUE, GREEN, RED, b64, encode, gradient, levels, png
from pico_a1111_proxy.frames import convert, preview
from pico_a1111_proxy.panels import DISPLAYS
from service import Service, open_service

SEVERAL = [LCD, "waveshare-pico-lcd-1.3", "waveshare-pico-lcd-1.44"]
PICTURE = encode(gradient())
KEY = "only for picture frames"
INFO = json.dumps({"seed": 2**40 + 1, "all_seeds": [2**40 + 1], "index_of_first_image": 0})


def shows(asked: Asked, picture: bytes, display: str = LCD) -> bool:
    """Whether every pixel on the glass is that of `picture`."""
    profile = DISPLAYS[display]
    wanted = Image.open(io.BytesIO(preview(convert(picture, profile), profile)))
    return bool(np.array_equal(levels(asked.ran.glass.image()), levels(wanted)))


# --- txt2img ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("display", SEVERAL)
async def test_a_drawing_pixel_for_pixel(vm: str, service: Service, upstream: ScriptedA1111, display: str) -> None:
    upstream.standing = answer(PICTURE, info=INFO)
    program = f"""
client = FrameClient({service.url!r}, panel)
tell("at first", lambda: client.seed)
tell("drawn", client.txt2img, "ein Bär, 熊", steps=4, seed=-1, cfg_scale=1.5, override_settings={{"a": [None, True]}})
tell("seed", lambda: client.seed)
tell("newest", client.newest)
"""
    asked = await ask(vm, program, display)
    assert asked.gave == {"at first": None, "drawn": None, "seed": 2**40 + 1, "newest": False}
    assert shows(asked, PICTURE, display)
    assert [told.rows for told in asked.told] == [0, DISPLAYS[display].height, 0, 0]
    fields = {
        "prompt": "ein Bär, 熊",
        "steps": 4,
        "seed": -1,
        "cfg_scale": 1.5,
        "override_settings": {"a": [None, True]},
    }
    assert [json.loads(seen.body) for seen in upstream.generations] == [fields]


async def test_the_api_key(vm: str, upstream: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=upstream.url, service_api_key=f"other,{KEY}") as service:
        program = f"""
panel.fill(0xFFFF)
for name, key in (("none", None), ("wrong", "x"), ("right", {KEY!r})):
    client = FrameClient({service.url!r}, panel, key=key)
    tell(name, client.txt2img, "a")
    tell(name + " job", client.cancel, "/jobs/x")
"""
        service.session.headers["X-API-Key"] = KEY  # or the end of the test would find no way in
        asked = await ask(vm, program)
    for name in ("none", "wrong", "none job", "wrong job"):
        assert (asked[name].error, asked[name].status) == ("Invalid or missing API key", 401)
    assert (asked["right"].error, asked["right job"].status) == ("", 404)
    assert len(upstream.generations) == 1


# --- The newest -------------------------------------------------------------------------------------------------


async def test_the_newest_is_drawn_once(vm: str, fresh: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = in_turn(answer(png(RED)), answer(PICTURE))
    program = f"""
panel.fill(0xFFFF)
client, other = [FrameClient({fresh.url!r}, panel) for _ in range(2)]
tell("before the first", client.newest)
other.txt2img("one")
panel.fill(0xFFFF)
tell("the first", client.newest)
tell("the first again", client.newest)
tell("after waiting", client.newest, wait=1)
other.txt2img("two")
panel.fill(0xFFFF)
tell("the second", client.newest, wait=30)
tell("seed", lambda: client.seed)
"""
    asked = await ask(vm, program)
    assert asked.gave == {
        "before the first": False,
        "the first": True,
        "the first again": False,
        "after waiting": False,
        "the second": True,
        "seed": 1234,
    }
    assert [told.rows for told in asked.told] == [0, 80, 0, 0, 80, 0]
    assert shows(asked, PICTURE)


async def test_waiting_ends_with_the_next_picture(vm: str, fresh: Service) -> None:
    path = f"/displays/{LCD}/frame"
    await fresh.ask("POST", path, png(RED))
    publishing: list[asyncio.Task[Any]] = []

    async def publish() -> None:
        for _ in range(20):  # requests, so that the service comes to the one that waits
            await fresh.health()
        await fresh.ask("POST", path, PICTURE)

    def soon() -> None:
        publishing.append(asyncio.create_task(publish()))

    async with open_levers(soon=soon) as levers:
        program = f"""
client = FrameClient({fresh.url!r}, panel)
tell("the first", client.newest)
pull("soon")
tell("the next", client.newest, wait=30)
"""
        asked = await ask(vm, program, levers=levers)
    await asyncio.gather(*publishing)
    assert asked.gave == {"the first": True, "the next": True}
    assert shows(asked, PICTURE)


# --- What is being drawn ----------------------------------------------------------------------------------------


async def test_the_progress(vm: str, fresh: Service, upstream: ScriptedA1111) -> None:
    pictures: list[str | None] = [None, b64(png(BLUE)), b64(PICTURE)]

    def progress(seen: Seen) -> Reply:
        if seen.method == "POST":
            return answer(png(GREEN))
        state = {"job": "txt2img", "job_count": 1, "job_no": 0, "sampling_step": 2, "sampling_steps": 4}
        picture = pictures[0]
        return said({"progress": 0.5, "eta_relative": 1.0, "state": state, "current_image": picture})

    upstream.standing = progress
    async with open_levers(on=lambda: pictures.pop(0)) as levers:
        program = f"""
client = FrameClient({fresh.url!r}, panel)
tell("nothing yet", client.progress)
pull("on")
client.txt2img("a")
tell("is shown", client.newest)
tell("a picture", client.progress)
tell("is over it", client.newest)
pull("on")
tell("another", client.progress)
"""
        asked = await ask(vm, program, levers=levers)
    assert asked.gave == {
        "nothing yet": False, "is shown": False, "a picture": True, "is over it": True, "another": True
    }  # fmt: skip
    assert [told.rows for told in asked.told] == [0, 0, 80, 80, 80]
    assert shows(asked, PICTURE)
