"""Fitting: a picture is brought to the size of a display, squashed, cut or with room around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pico_a1111_proxy.displays import Display

LANCZOS = Image.Resampling.LANCZOS

_STEPS = 1 << 14  # of linear light: enough to tell the darkest values of 8 bits apart
_SHARPEN_RADIUS = 1.0  # pixels of the display

Box = tuple[float, float, float, float]


def fit(image: Image.Image, display: Display) -> Image.Image:
    """Bring an image of mode RGB to `display.upright_size`, as its `fit`, `linear_light` and `sharpen` say.

    One of that size stays as it is.
    """
    if image.size == display.upright_size:
        return image
    return _FITS[display.fit](image, display)


def _stretch(image: Image.Image, display: Display) -> Image.Image:
    return _resize(image, display.upright_size, None, display)


def _cover(image: Image.Image, display: Display) -> Image.Image:
    """Fill the panel and cut off what hangs over, the same on both sides."""
    width, height = display.upright_size
    scale = max(width / image.width, height / image.height)
    left = (image.width - width / scale) / 2
    top = (image.height - height / scale) / 2
    # Rounding may put the box a hair outside of the picture, which Pillow refuses.
    box = (max(left, 0), max(top, 0), min(image.width - left, image.width), min(image.height - top, image.height))
    return _resize(image, (width, height), box, display)


def _contain(image: Image.Image, display: Display) -> Image.Image:
    """Show the whole picture and fill what is left with the background."""
    width, height = display.upright_size
    scale = min(width / image.width, height / image.height)
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = Image.new("RGB", (width, height), display.background_rgb)
    resized = _resize(image, inner, None, display)
    canvas.paste(resized, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


_FITS: dict[str, Callable[[Image.Image, Display], Image.Image]] = {
    "stretch": _stretch,
    "cover": _cover,
    "contain": _contain,
}


def _resize(image: Image.Image, size: tuple[int, int], box: Box | None, display: Display) -> Image.Image:
    resized = _resize_light(image, size, box) if display.linear_light else image.resize(size, LANCZOS, box)
    if display.sharpen:
        resized = resized.filter(ImageFilter.UnsharpMask(_SHARPEN_RADIUS, display.sharpen, threshold=0))
    return resized


def _resize_light(image: Image.Image, size: tuple[int, int], box: Box | None) -> Image.Image:
    """Mix light, which adds up, where `resize` mixes the values that stand for it, which do not."""
    channels = []
    for channel in image.split():
        light = Image.fromarray(_light_of_values()[np.asarray(channel)]).resize(size, LANCZOS, box)
        steps = np.rint(np.asarray(light).clip(0, 1) * (_STEPS - 1)).astype(np.uint16)
        channels.append(Image.fromarray(_values_of_light()[steps]))
    return Image.merge("RGB", channels)


@cache
def _light_of_values() -> NDArray[np.float32]:
    """The light, from 0 to 1, that each 8-bit value of sRGB stands for."""
    values = np.arange(256) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


@cache
def _values_of_light() -> NDArray[np.uint8]:
    """The 8-bit value of sRGB for each of the steps from no light to all."""
    light = np.arange(_STEPS) / (_STEPS - 1)
    values = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    rounded: NDArray[np.uint8] = np.rint(255 * values).astype(np.uint8)
    return rounded
