"""The picture frame on MicroPython's own VM, in the heap of a Pico W: from power-on to the REPL."""

from __future__ import annotations

from device.framed import COLOURS, MAIN, config, paints, wishes
from device.vms import run
from fakes.a1111 import ScriptedA1111
from pico_a1111_proxy.simulator.radio import Radio
from service import open_service

A, UP = 15, 2  # pins of the keys of the Waveshare Pico-LCD-1.3


async def test_a_whole_run(vm: str, upstream: ScriptedA1111) -> None:
    upstream.standing = paints
    async with open_service(a1111_base_url=upstream.url) as service:
        ran = await run(
            vm,
            MAIN,
            files={"config.json": config(service.url, follow=False, sleep_after=300)},
            radio=Radio("home", "secret", after=3),
            presses=[(60_000, A, True), (70_000, A, False), (120_000, UP, True), (130_000, UP, False)],
            cut_power_at=200_000,
        )
    drawn = wishes(upstream)
    # How far a picture is, is told when it is asked for: not of one that is done by then.
    assert [line for line in ran.printed if not line.startswith("Drawing")] == [
        "Connecting to the Wi-Fi home.",
        "Ready. Press A B X Y.",
        "Asking for a picture.",
        f"Drawn with the seed {drawn[0][1]}",
        "Asking for a picture.",
        f"Drawn with the seed {drawn[1][1]}",
        "Stopped.",
    ]
    assert [prompt for prompt, _ in drawn] == ["prompt A", "prompt A"]
    assert drawn[0] != drawn[1]
    image = ran.glass.image()
    assert image.getcolors() == [(image.width * image.height, COLOURS["A"])]
