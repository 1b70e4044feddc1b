"""Jobs as their clients see them, and an upstream that draws when it is told to."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest

from fakes.a1111 import Reply, Seen, answer, said
from fakes.pictures import corners, encode
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert
from service import Service

DEFAULT = default_display(240, 240, invert=True)
PICTURE = encode(corners())
FRAME = convert(PICTURE, DEFAULT)
PROGRESS = "/sdapi/v1/progress"
LATER = {"prefer": "respond-async"}


class Drawing:
    """How the upstream draws: PICTURE, each once `now` is set, and what it tells of its progress meanwhile."""

    def __init__(self) -> None:
        self.now = asyncio.Event()
        self.told: dict[str, Any] = {}
        self.asked = 0

    def __call__(self, seen: Seen) -> Reply:
        if PROGRESS in seen.target:
            self.asked += 1
            return said(self.told)
        if "interrupt" in seen.target:
            return said({})
        return replace(answer(PICTURE), gate=self.now)


async def begin(service: Service, body: Any = None, query: str = "", **headers: str) -> str:
    """Post a job and give back its path."""
    got = await service.txt2img(body, query, **{**LATER, **headers})
    assert (got.status, got.headers["Preference-Applied"]) == (202, "respond-async")
    assert re.fullmatch(r"/jobs/[A-Za-z0-9_-]{22,}", got.headers["Location"])
    return got.headers["Location"]


async def state_of(service: Service, path: str) -> Any:
    got = await service.ask("GET", path)
    assert (got.status, got.headers["Cache-Control"]) == (200, "no-store")
    return got.json()


async def until(service: Service, path: str, state: str) -> Any:
    """The document, once the job is in that state; each look is a request, so the service gets on in between."""
    for _ in range(500):
        document = await state_of(service, path)
        if document["state"] == state:
            return document
    pytest.fail(f"It never was {state}: {document}")


async def queue_of(service: Service, **wanted: int) -> None:
    """Until the queue is as wanted."""
    for _ in range(500):
        queue = (await service.health())["queue"]
        if wanted.items() <= queue.items():
            return
    pytest.fail(f"The queue never was as wanted: {queue}")
