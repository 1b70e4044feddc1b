"""The answer `preview`: a PNG of what the panel shows."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from fakes.a1111 import ScriptedA1111, answer
from fakes.pictures import corners, encode, gradient
from pico_a1111_proxy.pixels import FORMATS
from service import Service


def opened(body: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(body), formats=["PNG"])
    image.load()
    return image


def shown(frame: bytes, width: int, height: int, form: str) -> np.ndarray:
    return FORMATS[form].show(frame, width, height)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("invert", ["true", "false"])
async def test_it_is_the_frames_own_pixels_with_the_inversion_undone(
    service: Service, upstream: ScriptedA1111, form: str, invert: str
) -> None:
    upstream.standing = answer(encode(gradient((240, 240))))
    query = f"?format={form}&invert={invert}&width=60&height=40"
    frame, picture = await service.frame(query=query), await service.txt2img(query=query, accept="image/png")
    assert picture.headers["Content-Type"] == "image/png"
    expected = shown(frame.body, 60, 40, form)
    assert np.array_equal(np.asarray(opened(picture.body)), 255 - expected if invert == "true" else expected)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
async def test_it_is_upright(service: Service, upstream: ScriptedA1111, rotate: int) -> None:
    upstream.standing = answer(encode(corners()))
    got = await service.txt2img({}, f"?answer=preview&rotate={rotate}&width=32&height=16&invert=true")
    image = opened(got.body)
    assert image.size == ((32, 16) if rotate in (0, 180) else (16, 32))
    right, bottom = image.width - 1, image.height - 1
    at_corners = [image.getpixel(place) for place in ((0, 0), (right, 0), (0, bottom), (right, bottom))]
    assert at_corners == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]


async def test_it_tells_what_the_frame_would(service: Service) -> None:
    frame, picture = await service.frame(), await service.txt2img(accept="image/png")
    for name in ("X-Image-Width", "X-Image-Height", "X-Image-Format", "X-Image-Count", "X-Image-Seed", "X-Cache"):
        assert picture.headers[name] == frame.headers[name]
