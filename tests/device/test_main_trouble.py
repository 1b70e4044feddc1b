"""The picture frame in trouble: it says in plain words what is wrong, waits, and goes on by itself."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from device.framed import (
    COLOURS,
    LCD,
    LIVE,
    MAIN,
    NOWHERE,
    PUSHED,
    Framed,
    config,
    has_status,
    has_words,
    open_framed,
    paints,
    wishes,
)
from fakes.a1111 import ScriptedA1111, said
from fakes.failures import closed_port
from fakes.faults import open_fault_proxy
from fakes.pictures import BLACK, WHITE, png
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.radio import Radio
from pico_a1111_proxy.simulator.runner import Pico
from pico_a1111_proxy.simulator.wire import BoardReset
from service import Service, open_service

MINUTE = 60_000  # milliseconds
HOUR = 60 * MINUTE
STRICT = MAIN.replace("8388", "5000")  # a watchdog that is hungry sooner; real time counts too, so not much sooner
PM_NONE = 0x10  # as a Pico's network.WLAN says


def hurry(framed: Framed) -> None:
    """Have each sleep take a second longer, so that hours take seconds here."""
    framed.pico.wire.on_sleep = lambda _: framed.pico.wire.clock.move(1000)


# --- Wi-Fi -------------------------------------------------------------------------------------------------------


async def test_wifi_that_is_late(fresh: Service) -> None:
    async with open_framed(fresh.url, radio=Radio("home", "secret", after=100), program=STRICT) as framed:
        await framed.says("Connecting to the Wi-Fi home.")
        await framed.says("Ready")
        assert framed.pico.wire.radio.power_saving == PM_NONE


async def test_power_saving_is_left_to_the_chip_where_it_is_wanted(fresh: Service) -> None:
    async with open_framed(fresh.url, power_saving=True) as framed:
        await framed.says("Ready")
        assert framed.pico.wire.radio.power_saving is None


@pytest.mark.parametrize(
    ("radio", "words"),
    [
        (Radio("home", "another"), "The Wi-Fi home refuses the password of config.json. Again in 2 s."),
        (Radio("next door", "secret"), "There is no Wi-Fi home here. Again in 2 s."),
        (Radio("home", "secret", after=10**9), "The Wi-Fi home does not answer. Again in 2 s."),
    ],
)
async def test_no_wifi_is_told_and_tried_again(radio: Radio, words: str) -> None:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(closed_port())
        framed = await stack.enter_async_context(open_framed(url, radio=radio, program=STRICT))
        await framed.says(words)
        await framed.says("Again in 4 s.")
        await framed.says("Again in 60 s.")
        radio.ssid = radio.key = None
        radio.after = 0
        await framed.says(f"{url.removeprefix('http://')} does not answer")  # the service: there is Wi-Fi


async def test_wifi_that_goes_for_hours_is_joined_again_and_the_picture_stays(fresh: Service) -> None:
    radio = Radio("home", "secret")
    async with open_framed(fresh.url, radio=radio, program=STRICT) as framed:
        await framed.press("A")
        await framed.says("Drawn")
        now = framed.pico.wire.clock.now()
        radio.away = [(now, now + 3 * HOUR)]
        hurry(framed)
        await framed.says("There is no Wi-Fi home here. Again in 60 s.")
        assert framed.colour == COLOURS["A"]
        assert has_status(framed)
        await framed.says("The last picture is back.")
        assert framed.colour == COLOURS["A"]
        assert not has_status(framed)
        assert framed.pico.wire.clock.now() > now + 3 * HOUR


async def test_wifi_that_only_says_that_it_is_there_is_joined_anew(fresh: Service) -> None:
    radio = Radio("home", "secret")
    async with open_framed(fresh.url, radio=radio, program=STRICT) as framed:
        await framed.says("Ready")
        radio.deaf = framed.pico.wire.clock.now() + 1
        hurry(framed)
        await framed.says("Again in")
        await framed.says("Connecting to the Wi-Fi home.")
        await framed.press("A")
        await framed.says("Drawn")


# --- The service ---------------------------------------------------------------------------------------------------


async def test_a_night_without_the_service(fresh: Service) -> None:
    frame = f"/displays/{LCD}/frame"
    async with (
        open_fault_proxy(fresh.port) as proxy,
        open_framed(f"http://127.0.0.1:{proxy.port}", program=STRICT) as framed,
    ):
        await framed.says("Ready. Press A B X Y.")
        await fresh.ask("POST", frame, png(PUSHED), content_type="image/png")
        await framed.says("There is a newer picture.")
        async with proxy.refusing():
            # Ends the question for a newer picture, which may be open still: it is seen, or not before the morning.
            await fresh.ask("POST", frame, png(LIVE), content_type="image/png")
            hurry(framed)
            dusk = framed.pico.wire.clock.now()
            await framed.until(lambda: framed.pico.wire.clock.now() > dusk + 8 * HOUR)
            assert framed.colour in (PUSHED, LIVE)
            assert has_status(framed)
            tries = [line.rpartition("Again")[2] for line in framed.printed if "Again in" in line]
            assert tries[:6] == [f" in {seconds} s." for seconds in (2, 4, 8, 16, 32, 60)]
            assert set(tries[6:]) <= {" in 60 s."}  # all night
        await framed.says("The last picture is back.")
        assert framed.colour == LIVE
        assert not has_status(framed)
        assert "state.json" not in framed.pico.flash.files


async def test_a_wish_outlasts_the_night(fresh: Service, upstream: ScriptedA1111) -> None:
    async with (
        open_fault_proxy(fresh.port) as proxy,
        open_framed(f"http://127.0.0.1:{proxy.port}", program=STRICT) as framed,
    ):
        await framed.says("Ready")
        async with proxy.refusing():
            await framed.press("A")
            await framed.says("Again in 60 s.")
            await framed.press("B")  # changes the mind of who waits
            await framed.says("Again in 2 s.")
        await framed.says("Drawn")
        await framed.shows(COLOURS["B"])
    assert [prompt for prompt, _ in wishes(upstream)] == ["prompt B"]


async def test_a_restarted_service_is_asked_again(upstream: ScriptedA1111) -> None:
    gate = asyncio.Event()
    upstream.standing = lambda seen: paints(seen) if seen.method == "GET" else replace(paints(seen), gate=gate)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_service(a1111_base_url=upstream.url))
        proxy = await stack.enter_async_context(open_fault_proxy(first.port))
        framed = await stack.enter_async_context(open_framed(f"http://127.0.0.1:{proxy.port}"))
        await framed.says("Ready")
        await framed.press("A")
        await framed.until(lambda: upstream.inside)
        second = await stack.enter_async_context(open_service(a1111_base_url=upstream.url))
        proxy.server = second.port  # which knows no jobs of the first
        await framed.until(lambda: len(upstream.generations) == 2)
        gate.set()
        await framed.says("Drawn")
        await framed.shows(COLOURS["A"])
    assert len(set(wishes(upstream))) == 1  # the same prompt with the same seed


async def test_who_is_busy_is_told_with_the_wait(upstream: ScriptedA1111) -> None:
    gate = asyncio.Event()
    upstream.standing = lambda seen: paints(seen) if seen.method == "GET" else replace(paints(seen), gate=gate)
    async with open_service(a1111_base_url=upstream.url, max_workers=1, queue_size=1) as service:
        others = [asyncio.create_task(service.frame({"prompt": "of X", "seed": seed})) for seed in (1, 2)]
        await upstream.wait_for(1)
        async with open_framed(service.url) as framed:
            await framed.says("Ready")
            await framed.press("A")
            line = await framed.says("Again in")
            assert "queue is full" in line
            gate.set()
            await framed.says("Drawn")
            await framed.shows(COLOURS["A"])
        await asyncio.gather(*others)


async def test_what_can_not_work_is_told_once_and_then_the_picture_is_back(
    fresh: Service, upstream: ScriptedA1111
) -> None:
    async with open_framed(fresh.url) as framed:
        await framed.press("A")
        await framed.says("Drawn")
        upstream.standing = lambda _: said({"detail": "no such sampler"}, 422)
        framed.pico.wire.on_sleep = lambda _: seen.add(has_words(framed))
        seen: set[bool] = set()
        await framed.press("B")
        await framed.says("no such sampler")
        await framed.says("The last picture is back.")
        await framed.shows(COLOURS["A"])
        assert True in seen
    assert len(upstream.generations) == 2


async def test_a_wrong_key_is_told(upstream: ScriptedA1111) -> None:
    async with (
        open_service(a1111_base_url=upstream.url, service_api_key="right") as service,
        open_framed(service.url, key="wrong") as framed,
    ):
        await framed.says('see "key" in config.json. Again in 10 s.')
        await framed.says('see "key" in config.json. Again in 60 s.')
    async with (
        open_service(a1111_base_url=upstream.url, service_api_key="right") as service,
        open_framed(service.url, key="right") as framed,
    ):
        await framed.says("Ready")


# --- What is wrong on the board --------------------------------------------------------------------------------


def told(text: str | None) -> tuple[list[str], bool]:
    """What a board with this config.json prints, and whether there are words on its panel."""
    pico = Pico(DISPLAYS[LCD])
    printed = pico.run(MAIN, {} if text is None else {"config.json": text})
    return printed, {colour for _, colour in pico.glass.image().getcolors()} == {BLACK, WHITE}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "config.json is not JSON. Look for a missing comma, quote or bracket."),
        ("[]", "config.json has to begin with { and to end with }."),
        (config(NOWHERE, ssid=None), 'config.json: "ssid" is missing: the name of your Wi-Fi.'),
        (config(NOWHERE, url=None), 'config.json: "url" is missing: the address of the service, such as '),
        (config("ftp://x"), 'config.json: "url": ftp://x is no address such as http://192.168.1.50:8080.'),
        (config(NOWHERE, board="pico"), 'config.json: "board" is "pico", and boards has no such file.'),
        (config(NOWHERE, live="yes"), 'config.json: "live" has to be true or false.'),
        (config(NOWHERE, light=0), 'config.json: "light" has to be a number from 1 to 100.'),
        (config(NOWHERE, light=True), 'config.json: "light" has to be a number from 1 to 100.'),
        (config(NOWHERE, sleep_after=-1), 'config.json: "sleep_after" has to be a number of seconds, 0 for never.'),
        (config(NOWHERE, prompts=["x"]), 'config.json: "prompts" has to be such as {"A": "a mountain lake"}.'),
        (config(NOWHERE, prompts={"A": 1}), 'config.json: the prompt of "A" has to be a text, or {"prompt": "a text"}'),
    ],
)
def test_a_wrong_config_says_what_to_mend(text: str, sentence: str) -> None:
    (printed,), on_the_panel = told(text)
    assert printed.startswith(sentence)
    assert on_the_panel


def test_a_config_that_is_not_json_is_told_on_the_board_that_it_names() -> None:
    pico = Pico(DISPLAYS["pimoroni-display"])
    pico.run(MAIN, {"config.json": '{"board": "pimoroni-display" "ssid": "x"}'})
    assert {colour for _, colour in pico.glass.image().getcolors()} == {BLACK, WHITE}


async def test_what_is_unknown_is_only_told(fresh: Service) -> None:
    async with open_framed(fresh.url, sleep_afer=3) as framed:
        await framed.says('config.json: "sleep_afer" is not known here, and ignored.')
        await framed.says("Ready")


WIFI = """
class WiFiError(Exception):
    pass

class WiFi:
    def __init__(self, ssid, password, power_saving):
        pass

    def is_up(self):
        raise RuntimeError("no such luck")
"""


@pytest.mark.parametrize("watchdog", [True, False])
def test_a_surprise_is_told_and_the_board_begins_anew_after_a_minute(watchdog: bool) -> None:
    pico = Pico(DISPLAYS[LCD])
    began = pico.wire.clock.now()
    files = {"config.json": config(NOWHERE, watchdog=watchdog), "wifi.py": WIFI}
    with pytest.raises(BoardReset if watchdog else RuntimeError) as caught:
        pico.run(MAIN, files)
    assert type(caught.value) is (BoardReset if watchdog else RuntimeError)  # and no WatchdogReset
    assert pico.printed[-1] == "RuntimeError: no such luck"
    assert {colour for _, colour in pico.glass.image().getcolors()} == {BLACK, WHITE}
    assert (pico.wire.clock.now() - began >= MINUTE) is watchdog
