"""The picture frame: each button draws its picture, live, and the joystick the same with another seed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from device.framed import COLOURS, LIVE, Framed, has_status, has_words, open_framed, paints, wishes
from fakes.a1111 import Reply, ScriptedA1111, Seen
from fakes.pictures import WHITE
from service import Service, open_service


def lowest_row(framed: Framed) -> set[Any]:
    image = framed.pico.glass.image()
    return {image.getpixel((x, image.height - 1)) for x in range(image.width)}


def bar(framed: Framed) -> int:
    """How many pixels of the lowest row are white."""
    image = framed.pico.glass.image()
    return sum(image.getpixel((x, image.height - 1)) == WHITE for x in range(image.width))


async def test_each_button_draws_its_picture(fresh: Service, upstream: ScriptedA1111) -> None:
    async with open_framed(fresh.url) as framed:
        await framed.says("Ready. Press A B X Y.")
        for button, colour in COLOURS.items():
            await framed.press(button)
            await framed.says("Drawn")
            await framed.shows(colour)
            assert wishes(upstream)[-1][0] == f"prompt {button}"
            assert framed.state == {"prompt": f"prompt {button}", "seed": wishes(upstream)[-1][1]}
    assert len(upstream.generations) == 4


async def test_a_button_s_picture_stays_its_own_until_the_joystick_asks_for_another(
    fresh: Service, upstream: ScriptedA1111
) -> None:
    async with open_framed(fresh.url) as framed:
        for key in ["A", "B", "A", "UP", "PRESS", "B", "A"]:
            await framed.press(key)
            await framed.says("Drawn")
    a, b, again, up, press, other, last = drawn = wishes(upstream)
    assert [prompt[-1] for prompt, _ in drawn] == list("ABAAABA")
    assert (again, other, last) == (a, b, press)
    assert len({a, up, press, b}) == 4


async def test_without_a_joystick_the_same_button_again_asks_for_another(
    fresh: Service, upstream: ScriptedA1111
) -> None:
    async with open_framed(fresh.url, display="pimoroni-display") as framed:
        for key in ["A", "A", "B", "A"]:
            await framed.press(key)
            await framed.says("Drawn")
            await framed.looks()
    first, again, _, last = drawn = wishes(upstream)
    assert [prompt[-1] for prompt, _ in drawn] == list("AABA")
    assert again == last != first


async def test_a_prompt_may_be_an_object_with_more_fields(fresh: Service, upstream: ScriptedA1111) -> None:
    prompts = {"B": {"prompt": "of B", "steps": 7, "seed": 11}}
    async with open_framed(fresh.url, prompts=prompts) as framed:
        await framed.says("Ready. Press B.")
        await framed.press("B")
        assert await framed.says("Drawn") == "Drawn with the seed 11"
        await framed.press("A")
        await framed.says("config.json has no prompt for A.")
        await framed.says("The last picture is back.")
        await framed.shows(COLOURS["B"])
    (body,) = [json.loads(seen.body) for seen in upstream.generations]
    assert (body["prompt"], body["steps"], body["seed"]) == ("of B", 7, 11)


@pytest.mark.parametrize("live", [True, False])
async def test_the_picture_is_seen_while_it_is_drawn(fresh: Service, upstream: ScriptedA1111, live: bool) -> None:
    done = asyncio.Event()

    def paint(seen: Seen) -> Reply:
        return paints(seen) if seen.method == "GET" else replace(paints(seen), gate=done)

    upstream.standing = paint
    async with open_framed(fresh.url, live=live) as framed:
        await framed.says("Ready")
        await framed.press("A")
        percent = int((await framed.says("%")).split()[-2])
        await framed.until(lambda: abs(bar(framed) - 240 * percent / 100) < 3)
        assert framed.colour == LIVE if live else has_words(framed)
        assert has_status(framed) is live  # over the picture; without one, the words are in the middle
        done.set()
        await framed.says("Drawn")
        await framed.shows(COLOURS["A"])
        assert lowest_row(framed) == {COLOURS["A"]}  # nothing is left of the bar


async def test_the_place_in_line_is_told(upstream: ScriptedA1111) -> None:
    done = asyncio.Event()
    upstream.standing = lambda seen: paints(seen) if seen.method == "GET" else replace(paints(seen), gate=done)
    async with open_service(a1111_base_url=upstream.url, max_workers=1) as service:
        others = [asyncio.create_task(service.frame({"prompt": "of X", "seed": seed})) for seed in (1, 2, 3)]
        await upstream.wait_for(1)
        async with open_framed(service.url) as framed:
            await framed.says("Ready")
            await framed.press("A")
            await framed.says("Drawing: 3rd in line")
            done.set()
            await framed.says("Drawn")
            await framed.shows(COLOURS["A"])
        await asyncio.gather(*others)


async def test_a_press_while_drawing_cancels_that_and_begins_the_new_one(
    fresh: Service, upstream: ScriptedA1111
) -> None:
    never = asyncio.Event()

    def paint(seen: Seen) -> Reply:
        slow = seen.method == "POST" and b"prompt A" in seen.body
        return replace(paints(seen), gate=never) if slow else paints(seen)

    upstream.standing = paint
    async with open_framed(fresh.url) as framed:
        await framed.says("Ready")
        await framed.press("A")
        await framed.until(lambda: upstream.inside)
        await framed.press("B")
        await framed.says("Drawn")
        await framed.shows(COLOURS["B"])
        assert not upstream.inside  # who draws for nobody is told to stop
    assert [prompt for prompt, _ in wishes(upstream)] == ["prompt A", "prompt B"]
    assert framed.state["prompt"] == "prompt B"


async def test_the_same_wish_again_while_it_is_drawn_changes_nothing(fresh: Service, upstream: ScriptedA1111) -> None:
    done = asyncio.Event()
    upstream.standing = lambda seen: paints(seen) if seen.method == "GET" else replace(paints(seen), gate=done)
    async with open_framed(fresh.url) as framed:
        await framed.says("Ready")
        await framed.press("A")
        await framed.until(lambda: upstream.inside)
        await framed.says("Drawing")
        await framed.press("A")
        done.set()
        await framed.says("Drawn")
    assert len(wishes(upstream)) == 1
