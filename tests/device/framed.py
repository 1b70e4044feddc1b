"""A picture frame on a wall: device/main.py on the CPython simulator, in a thread, and what a person does with it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from PIL import Image

from fakes.a1111 import Reply, Seen, answer, said
from fakes.pictures import BLACK, WHITE, b64, png
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.simulator.runner import Pico, device_folder
from pico_a1111_proxy.simulator.wire import PowerCut

LCD = "waveshare-pico-lcd-1.3"
NOWHERE = "http://127.0.0.1:9"  # is never asked
MAIN = (device_folder() / "main.py").read_text(encoding="utf-8")
COLOURS = {"A": (255, 0, 0), "B": (0, 255, 0), "X": (0, 0, 255), "Y": (255, 255, 0)}
LIVE = (255, 0, 255)  # what the upstream shows of a picture that is not done
PUSHED = (0, 255, 255)
LONG = 120  # seconds that no step of a test takes


def config(address: str, **changed: Any) -> str:
    """A config.json for the service at `address`; None leaves a key out."""
    given = {
        "ssid": "home",
        "password": "secret",
        "url": address,
        "board": LCD.replace("-", "_").replace(".", "_"),
        "prompts": {name: f"prompt {name}" for name in COLOURS},
        "sleep_after": 0,
        **changed,
    }
    return json.dumps({name: value for name, value in given.items() if value is not None})


class Framed:
    """A board that runs the picture frame, from power-on to the plug being pulled."""

    def __init__(self, pico: Pico) -> None:
        self.pico = pico
        self.printed: list[str] = []
        self.error: BaseException | None = None
        self._read = 0  # lines that `says` has gone past
        pico.on_print = self.printed.append

    @property
    def colour(self) -> Any:
        """What the person sees in the middle of the glass, to the next of COLOURS."""
        image = self.pico.glass.image()
        pixel = image.getpixel((image.width // 2, image.height // 2))
        return tuple(255 if value > 127 else 0 for value in pixel)

    @property
    def state(self) -> Any:
        """What it remembers for the time after a reboot."""
        text = self.pico.flash.text("state.json")
        return text and json.loads(text)

    async def until(self, happens: Callable[[], Any]) -> None:
        """Until it does."""
        end = time.monotonic() + LONG
        while not happens():
            assert time.monotonic() < end, self.printed
            assert self.error is None, (self.error, self.printed)
            await asyncio.sleep(0.005)

    async def says(self, words: str) -> str:
        """Until it prints a line with these words, after the last one that was waited for."""

        def found() -> int | None:
            numbers = range(self._read, len(self.printed))
            return next((number + 1 for number in numbers if words in self.printed[number]), None)

        await self.until(found)
        self._read = found() or 0
        return self.printed[self._read - 1]

    async def shows(self, colour: Any) -> None:
        """Until the glass does."""
        await self.until(lambda: self.colour == colour)

    async def press(self, key: str) -> None:
        """Press a key until the program has looked, and let go of it for longer than it bounces."""
        number = self.pico.board.BUTTONS[key]  # type: ignore[attr-defined]
        self.pico.wire.press(number)
        await self.looks()
        self.pico.wire.press(number, down=False)
        self.pico.wire.clock.move(200)
        await self.looks()

    async def looks(self) -> None:
        """Until the program has looked at the keys once more, and again: only then it has seen one that came up."""
        fed = self.pico.wire.fed
        await self.until(lambda: self.pico.wire.fed > fed + 2)

    def run(self, program: str = MAIN) -> None:
        """Power on, until it ends; how, is in `error`."""
        try:
            self.pico.run(program)
        except BaseException as error:  # noqa: BLE001 - a program may end by any
            self.error = error


@asynccontextmanager
async def open_framed(
    url: str, files: dict[str, str] | None = None, display: str = LCD, program: str = MAIN, **more: Any
) -> AsyncIterator[Framed]:
    """A frame before the service at `url`; `radio` and what config.json has can be given as well."""
    pico = Pico(DISPLAYS[display], radio=more.pop("radio", None))
    more.setdefault("board", display.replace("-", "_").replace(".", "_"))
    for path, text in {"config.json": config(url, **more), **(files or {})}.items():
        pico.flash.put(path, text)
    framed = Framed(pico)
    running = asyncio.create_task(asyncio.to_thread(framed.run, program))
    try:
        yield framed
        assert framed.error is None, (framed.error, framed.printed)
    finally:
        pico.wire.cut_power()
        await running
    assert isinstance(framed.error, PowerCut), framed.error
    # Without power a program gets KeyboardInterrupt, as with Ctrl-C: it has ended as it should for the REPL.
    assert framed.printed[-1] == "Stopped."


def paints(seen: Seen) -> Reply:
    """What a scripted upstream answers: a picture in the prompt's colour, and meanwhile what there is of it."""
    if seen.method == "GET":
        return said(
            {
                "progress": 0.42,
                "eta_relative": 3.0,
                "state": {"sampling_step": 8, "sampling_steps": 20, "job_count": 1},
                "current_image": b64(png(LIVE)),
            }
        )
    body = json.loads(seen.body)
    info = json.dumps({"seed": body.get("seed"), "all_seeds": [body.get("seed")], "index_of_first_image": 0})
    return answer(png(COLOURS[body["prompt"][-1]]), info=info)


def has_status(framed: Framed) -> bool:
    """Whether there is a line of text at the lower edge, above the bar: white letters on black."""
    image = framed.pico.glass.image()
    return _colours(image.crop((0, image.height - 13, image.width, image.height - 3))) == {BLACK, WHITE}


def has_words(framed: Framed) -> bool:
    """Whether there is nothing but words on the glass."""
    return _colours(framed.pico.glass.image()) == {BLACK, WHITE}


def _colours(image: Image.Image) -> set[Any]:
    return {colour for _, colour in image.getcolors(image.width * image.height)}


def wishes(upstream: Any) -> list[tuple[str, int]]:
    """Prompts and seeds of what the upstream was asked to draw."""
    bodies = [json.loads(seen.body) for seen in upstream.generations]
    return [(body["prompt"], body["seed"]) for body in bodies]
