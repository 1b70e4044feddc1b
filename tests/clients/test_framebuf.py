"""MicroPython's own framebuf, in node, finds the pixels that were packed for it."""

from __future__ import annotations

import io
import json
import subprocess
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clients.node import FOLDER
from fakes.pictures import encode, gradient
from pico_a1111_proxy.displays import DITHERS, Display
from pico_a1111_proxy.frames import convert, preview
from pico_a1111_proxy.pixels import FORMATS

# Its name there, and the words of two bytes are the processor's: low byte first.
FRAMEBUF = {"gs8": "GS8", "gs4-hmsb": "GS4_HMSB", "mono-hlsb": "MONO_HLSB", "rgb565-le": "RGB565"}
SHAPES = [(1, 1), (3, 1), (1, 3), (5, 7), (8, 2), (9, 5), (17, 4), (240, 3), (1024, 1)]

EVERY_ONE = pytest.mark.parametrize("name", FRAMEBUF)


def read(node: str, frames: list[tuple[str, int, int, bytes]]) -> list[Any]:
    """What framebuf's pixel(x, y) gives for every pixel of every frame."""
    question = [
        {"format": FRAMEBUF[name], "width": width, "height": height, "data": data.hex()}
        for name, width, height, data in frames
    ]
    command = [node, str(FOLDER / "framebuf.mjs")]
    done = subprocess.run(command, input=json.dumps(question), check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [np.array(json.loads(line)) for line in done.stdout.splitlines()]


def words(levels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The numbers that framebuf knows colours by."""
    wide = levels.astype(int)
    return wide[..., 0] if levels.shape[-1] == 1 else wide[..., 0] * 2048 + wide[..., 1] * 32 + wide[..., 2]


@EVERY_ONE
def test_every_pixel_is_where_framebuf_looks_for_it(node: str, name: str) -> None:
    form, random = FORMATS[name], np.random.default_rng(0)
    pictures = [
        np.stack([random.integers(0, 1 << depth, (height, width)) for depth in form.depths], axis=-1).astype(np.uint8)
        for width, height in SHAPES
    ]
    found = read(node, [(name, *shape, form.pack(levels)) for shape, levels in zip(SHAPES, pictures, strict=True)])

    assert len(found) == len(pictures)
    assert all(np.array_equal(there, words(levels)) for there, levels in zip(found, pictures, strict=True))


@EVERY_ONE
def test_a_frame_has_no_byte_too_many_for_framebuf(node: str, name: str) -> None:
    short = [(name, *shape, bytes(FORMATS[name].size(*shape) - 1)) for shape in SHAPES]

    assert [there.tolist() for there in read(node, short)] == [None] * len(SHAPES)


@EVERY_ONE
@pytest.mark.parametrize("invert", [False, True])
def test_the_preview_is_what_framebuf_reads(node: str, name: str, invert: bool) -> None:
    form, displays = FORMATS[name], [Display("d", 61, 43, name, dither=dither, invert=invert) for dither in DITHERS]
    frames = [convert(encode(gradient()), display) for display in displays]
    found = read(node, [(name, 61, 43, frame.data) for frame in frames])

    for there, frame, display in zip(found, frames, displays, strict=True):
        assert np.array_equal(there, words(form.unpack(frame.data, 61, 43)))
        if form.is_grey:
            most = (1 << form.depths[0]) - 1
            seen = np.asarray(Image.open(io.BytesIO(preview(frame, display))))
            assert np.array_equal(seen, np.floor((most - there if invert else there) * 255 / most + 0.5))
