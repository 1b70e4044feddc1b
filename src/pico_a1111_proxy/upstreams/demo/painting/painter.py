"""The painter: a picture from a prompt and a seed, or another picture painted over."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from pico_a1111_proxy.upstreams.demo.painting.label import add_label
from pico_a1111_proxy.upstreams.demo.painting.palettes import Pixels
from pico_a1111_proxy.upstreams.demo.painting.prompts import Prompt
from pico_a1111_proxy.upstreams.demo.painting.restyling import restyled
from pico_a1111_proxy.upstreams.demo.painting.scene import Scene

Picture = npt.NDArray[np.uint8]

SMALLEST_SIDE = 96  # pixels; what is smaller is painted at this size and made smaller
LARGEST_AREA = 1_300_000  # pixels; what is larger is painted at this size and made larger
NARROWEST = 4.0  # times as long as wide; of what is narrower, the middle is shown


def paint(prompt: str, negative_prompt: str, seed: int, width: int, height: int) -> Picture:
    """Paint RGB (height, width, 3): the same for the same arguments. Sides from 1 pixel up."""
    painting = _painted(Prompt(prompt, negative_prompt, seed), width, height)
    return _finished(painting)


def repaint(original: Picture, strength: float, prompt: str, negative_prompt: str, seed: int) -> Picture:
    """Paint over RGB `original` (h, w, 3): at `strength` 0 it stays as it is, at 1 nothing is left of it."""
    height, width = original.shape[:2]
    wish = Prompt(prompt, negative_prompt, seed)
    painting = np.asarray(_painted(wish, width, height), np.float32).transpose(2, 0, 1) * np.float32(1 / 255)
    source = original.astype(np.float32).transpose(2, 0, 1) * np.float32(1 / 255)
    return _finished(_image(restyled(source, painting, wish.palette, min(max(strength, 0.0), 1.0))))


def _finished(image: Image.Image) -> Picture:
    add_label(image)
    return np.asarray(image)


def _painted(prompt: Prompt, width: int, height: int) -> Image.Image:
    """The painting without the label, at a size that suits the styles first, then at the size asked for."""
    whole = (max(width, math.ceil(height / NARROWEST)), max(height, math.ceil(width / NARROWEST)))
    scale = max(SMALLEST_SIDE / min(whole), 1.0) * min(math.sqrt(LARGEST_AREA / (whole[0] * whole[1])), 1.0)
    size = (max(round(whole[0] * scale), 1), max(round(whole[1] * scale), 1))
    scene = Scene(*size, frozenset(prompt.words), prompt.palette, prompt.chance())
    image = _image(prompt.style.paint(scene))
    if size != whole:
        image = image.resize(whole, Image.Resampling.LANCZOS)
    left, top = (whole[0] - width) // 2, (whole[1] - height) // 2
    return image.crop((left, top, left + width, top + height))


def _image(picture: Pixels) -> Image.Image:
    levels = picture * np.float32(255)
    levels += np.float32(0.5)
    np.clip(levels, 0, 255, out=levels)
    return Image.fromarray(np.ascontiguousarray(levels.astype(np.uint8).transpose(1, 2, 0)))
