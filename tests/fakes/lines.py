"""What the tests of the line do with it: jobs enter, are begun, and lose the workers that began them."""

from __future__ import annotations

from typing import Any

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.fleet.line import Begun, Line
from pico_a1111_proxy.fleet.link import Link, key
from pico_a1111_proxy.fleet.parcels import pack_answer
from pico_a1111_proxy.jobs import Job

DISPLAY = default_display(8, 8, invert=True)
ANSWER = pack_answer(Answer(200, (("A", "b"),), b"a body"))
OTHER = pack_answer(Answer(200, (), b"another"))
LEASE = 30.0


async def enter(line: Line, *names: str, patience: float = 60, **job: Any) -> None:
    for name in names:
        await line.enter(name, Job("txt2img", b"{}", DISPLAY, **job), "me", patience, 600)


async def begin(line: Line, name: str, worker: str = "w1") -> Begun:
    begun = await line.begin(name, worker, LEASE)
    assert isinstance(begun, Begun)
    return begun


async def lose_claim(link: Link, name: str) -> None:
    """As if the lease of its worker had run out."""
    assert await link.redis.delete(key("claim", name)) == 1


async def positions(line: Line, *names: str) -> list[int]:
    return [seen.position for seen in await line.look(names)]
