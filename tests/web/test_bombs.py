"""Bombs over the wire: what is small to send and large to open is refused in a sentence, and memory stays as it was."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer
from fakes.pictures import encode
from fakes.pictures import png as small_picture
from fakes.pngs import bomb, ihdr, png
from fakes.samples import noise
from pico_a1111_proxy.pictures import gif
from service import RAW, Said, Service

PUSH = "/displays/default/frame?publish=false"
MOST = 50  # MB
STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")

SIDES = (struct.pack("<I", 2**24 - 1)[:3]) * 2
PICTURES = {
    "PNG of 12000x12000": (bomb(12000, 12000), "12000x12000 is more than 64 megapixels"),
    "PNG that can't be whole": (png(ihdr(8000, 8000), pixels=zlib.compress(b"")), "the PNG is damaged or cut off"),
    "WebP of 2^24": (
        b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + SIDES,
        "16777216x16777216 is more than 64 megapixels",
    ),
    "GIF's frame beyond its screen": (
        b"GIF89a\1\0\1\0\0\0\0," + struct.pack("<4HB", 0, 0, 65535, 65535, 0) + b"\2\0;",
        "65535x65535 is more than 64 megapixels",
    ),
}
NO_OBJECTS = {
    "brackets": b"[" * 100_000,
    "closed brackets": b'{"images": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "brackets for the slow parser": b'{"a": NaN, "images": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "digits": b'{"images": ' + b"9" * 1_000_000 + b"}",
}


def megabytes(what: str) -> float:
    return int(STATUS.read_text().split(f"{what}:")[1].split()[0]) / 1024


@contextmanager
def little_memory() -> Iterator[None]:
    """What happens inside grows the process, client and upstream included, by less than MOST. Linux only."""
    if not CLEAR.exists():
        yield
        return
    CLEAR.write_text("5")  # the peak begins again at what is resident now
    before = megabytes("VmRSS")
    yield
    assert megabytes("VmHWM") - before < MOST


def refused(said: Said, status: int, sentence: str = "") -> None:
    assert said.status == status
    assert len(said.body) < 1000
    assert said.json()["code"] == status
    assert said.json()["error"].endswith(sentence)


@pytest.mark.parametrize("name", PICTURES)
async def test_a_bomb_that_is_pushed_or_answered(service: Service, upstream: ScriptedA1111, name: str) -> None:
    data, why = PICTURES[name]
    upstream.standing = answer(data)
    await service.frame({"prompt": "a"})  # what is loaded at first use
    with little_memory():
        refused(await service.ask("POST", PUSH, data), 422, f"Failed to process image: {why}")
        refused(await service.frame({"prompt": "b"}), 422, f"Failed to process image: {why}")
        refused(await service.txt2img({"prompt": "c"}), 422, f"Failed to process image: {why}")


@pytest.mark.parametrize("name", NO_OBJECTS)
async def test_json_that_is_deep_or_long(service: Service, upstream: ScriptedA1111, name: str) -> None:
    body = NO_OBJECTS[name]
    with little_memory():
        refused(await service.frame(body, content_type="application/json"), 422, "The body is not a JSON object")
        assert not upstream.generations
        upstream.standing = Reply(body=body)
        refused(await service.frame({"prompt": "a"}), 502)


async def test_a_clients_gzip_is_not_opened(service: Service, upstream: ScriptedA1111) -> None:
    packed = gzip.compress(bytes(200_000_000), 1)
    with little_memory():
        coded = {"content_type": "application/json", "content_encoding": "gzip"}
        refused(await service.frame(packed, **coded), 422, "The body is not a JSON object")
        refused(await service.ask("POST", PUSH, packed, content_encoding="gzip"), 422)
    assert not upstream.generations


async def test_an_upstreams_gzip_is_not_opened_for_ever(service: Service, upstream: ScriptedA1111) -> None:
    body = gzip.compress(b'{"images": ["' + b"A" * 120_000_000 + b'"]}', 1)
    coding = (("content-type", "application/json"), ("content-encoding", "gzip"))
    upstream.standing = Reply(body=body, headers=coding)
    with little_memory():
        refused(await service.frame({"prompt": "a"}), 502, "The upstream's answer is too large")


async def test_an_answer_of_far_too_many_images(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = answer(*[small_picture()] * 1001)
    why = "The upstream's answer holds 1001 images, more than 1000"
    refused(await service.frame({"prompt": "a"}), 502, why)
    refused(await service.txt2img({"prompt": "a"}), 502, why)
    upstream.standing = answer(*[small_picture()] * 1000)
    assert (await service.frame({"prompt": "b"})).status == 200


async def test_of_a_gif_of_many_frames_the_first_is_taken(service: Service) -> None:
    still = encode(noise("P"), "GIF")
    frame = still[still.index(b",\0\0\0\0") : -1]
    animated = still[:-1] + frame * 2000 + b";"
    assert gif.only_pixels(animated, keep_alpha=True)[-1:] == b";"
    assert len(gif.only_pixels(animated, keep_alpha=True)) <= len(still)
    one, many = [await service.ask("POST", PUSH, data, accept=RAW) for data in (still, animated)]
    assert (one.status, one.body) == (many.status, many.body)
    assert one.status == 200
