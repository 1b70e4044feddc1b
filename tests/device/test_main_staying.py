"""The picture that stays: over a reboot, while the display sleeps, and until somebody sends another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from device.framed import COLOURS, LCD, MAIN, PUSHED, config, open_framed, wishes
from fakes.a1111 import ScriptedA1111
from fakes.failures import closed_port
from fakes.pictures import BLACK, png
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.runner import Pico
from pico_a1111_proxy.simulator.wire import PowerCut
from service import Service

FRAME = f"/displays/{LCD}/frame"


# --- Reboots ---------------------------------------------------------------------------------------------------------


async def test_after_a_reboot_the_service_has_the_last_picture(fresh: Service, upstream: ScriptedA1111) -> None:
    async with open_framed(fresh.url) as framed:
        await framed.press("A")
        await framed.says("Drawn")
        files = {"state.json": framed.pico.flash.text("state.json") or ""}
    assert set(framed.pico.flash.files) == {"config.json", "state.json"}  # no state.new is left
    async with open_framed(fresh.url, files) as framed:
        await framed.says("The last picture is back.")
        await framed.shows(COLOURS["A"])
    assert len(upstream.generations) == 1


async def test_after_a_reboot_of_both_the_last_wish_is_drawn_again(fresh: Service, upstream: ScriptedA1111) -> None:
    wish = {"prompt": "prompt X", "seed": 5, "steps": 9}
    async with open_framed(fresh.url, {"state.json": json.dumps(wish)}) as framed:
        await framed.says("Drawn with the seed 5")
        await framed.shows(COLOURS["X"])
        await framed.press("UP")  # goes on from there
        await framed.says("Drawn")
    (one, other) = [json.loads(seen.body) for seen in upstream.generations]
    assert one.items() >= wish.items()
    assert (other["prompt"], other["steps"]) == ("prompt X", 9)
    assert other["seed"] != 5


@pytest.mark.parametrize("state", ["", "[]", '{"prompt": 7}', '{"prompt": "pro'])
async def test_a_state_that_makes_no_sense_is_none(fresh: Service, state: str) -> None:
    async with open_framed(fresh.url, {"state.json": state}) as framed:
        await framed.says("Ready")


async def test_what_is_remembered_is_written_only_when_it_is_another(fresh: Service, upstream: ScriptedA1111) -> None:
    async with open_framed(fresh.url) as framed:
        await framed.press("A")
        await framed.says("Drawn")
        framed.pico.flash.files["state.json"] = b"untouched"
        await framed.looks()
        await framed.press("A")  # the same wish again
        await framed.says("Drawn")
        assert framed.pico.flash.files["state.json"] == b"untouched"
        await framed.press("UP")
        await framed.says("Drawn")
        assert framed.state["seed"] == wishes(upstream)[-1][1]


# --- Pictures of others ----------------------------------------------------------------------------------------------


async def test_a_picture_that_is_pushed_is_shown_at_once(fresh: Service, upstream: ScriptedA1111) -> None:
    async with open_framed(fresh.url) as framed:
        await framed.says("Ready")
        await fresh.ask("POST", FRAME, png(PUSHED), content_type="image/png")
        await framed.says("There is a newer picture.")
        await framed.shows(PUSHED)
        await framed.press("A")
        await framed.says("Drawn")
        await framed.shows(COLOURS["A"])
        await framed.looks()
        assert framed.printed[-1].startswith("Drawn")  # its own picture is no news
        await fresh.ask("POST", FRAME, png(PUSHED), content_type="image/png")
        await framed.says("There is a newer picture.")
        await framed.shows(PUSHED)
    assert len(upstream.generations) == 1


async def test_who_does_not_follow_keeps_the_picture(fresh: Service) -> None:
    async with open_framed(fresh.url, follow=False) as framed:
        await framed.press("A")
        await framed.says("Drawn")
        await fresh.ask("POST", FRAME, png(PUSHED), content_type="image/png")
        now = framed.pico.wire.clock.now()
        await framed.until(lambda: framed.pico.wire.clock.now() > now + 10 * 60_000)
        assert framed.colour == COLOURS["A"]


# --- Sleep -----------------------------------------------------------------------------------------------------------


async def test_the_display_sleeps_and_a_press_only_wakes_it(fresh: Service, upstream: ScriptedA1111) -> None:
    strict = MAIN.replace("8388", "5000")
    async with open_framed(fresh.url, follow=False, sleep_after=30, light=50, program=strict) as framed:
        await framed.press("A")
        await framed.says("Drawn")
        glass, key = framed.pico.glass, framed.pico.board.BUTTONS["B"]  # type: ignore[attr-defined]
        seen: list[tuple[int, bool, bool, Any]] = []  # when the light changed: the time, light, asleep and colour

        def watch(now: int) -> None:
            lit = glass.light > 0
            if not seen or seen[-1][1] != lit:
                seen.append((now, lit, glass.controller.asleep, framed.colour))
            # A press five minutes after it went to sleep, until it is awake.
            framed.pico.wire.press(key, not lit and now - seen[-1][0] > 300_000)

        framed.pico.wire.on_sleep = watch
        await framed.until(lambda: len(seen) > 4)
        framed.pico.wire.on_sleep = lambda _: None
    slept, woke, again = seen[-3:] if not seen[-1][1] else seen[-4:-1]
    assert slept[1:] == again[1:] == (False, True, BLACK)
    assert woke[1:] == (True, False, COLOURS["A"])
    assert woke[0] - slept[0] > 300_000
    assert 20_000 < again[0] - woke[0] < 60_000
    assert len(upstream.generations) == 1


async def test_a_picture_that_comes_while_it_sleeps_is_there_when_it_wakes(fresh: Service) -> None:
    async with open_framed(fresh.url, sleep_after=1) as framed:
        await framed.says("Ready")
        await framed.until(lambda: framed.pico.glass.controller.asleep)
        await fresh.ask("POST", FRAME, png(PUSHED), content_type="image/png")
        await framed.says("There is a newer picture.")
        assert framed.colour == BLACK
        await framed.press("A")
        await framed.shows(PUSHED)


# --- The power -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [5000, 20_000, 100_000])
def test_ctrl_c_ends_it_at_any_time(at: int) -> None:
    pico = Pico(DISPLAYS[LCD])
    pico.wire.cut_power_at = at
    with closed_port() as url, pytest.raises(PowerCut):
        pico.run(MAIN, {"config.json": config(url)})
    assert pico.printed[-1] == "Stopped."
