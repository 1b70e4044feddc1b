"""Restyling: a photograph becomes a painting in a palette, and at last the painting itself."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from pico_a1111_proxy.upstreams.demo.painting.palettes import Palette, Pixels


def restyled(source: Pixels, painting: Pixels, palette: Palette, strength: float) -> Pixels:
    """Between `source` and `painting`, both (3, h, w) from 0 to 1; `strength` says how far.

    Up to a half, the source gives its colours up for the palette's and its detail for broad touches.
    From there the painting shows through it more and more, as in a double exposure.
    """
    first = min(strength / 0.5, 1.0)
    second = max(strength - 0.5, 0.0) / 0.5
    touched = _touched(source)
    grey = np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), touched, axes=1)
    coloured = palette.shade(_stretched(grey)) * np.float32(0.85) + touched * np.float32(0.15)
    picture = source + (coloured - source) * np.float32(first)
    if second == 0:
        return picture
    exposed = _soft_light(picture, painting)
    near = min(second * 2, 1.0)
    picture = picture + (exposed - picture) * np.float32(near)
    over = np.float32(max(second * 2 - 1, 0.0))
    return np.asarray(picture + (painting - picture) * over)


def _touched(source: Pixels) -> Pixels:
    """Broad touches of paint: the median of every neighbourhood, at half the size."""
    image = Image.fromarray((np.clip(source, 0, 1).transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))
    half = image.resize((max(image.width // 2, 1), max(image.height // 2, 1)), Image.Resampling.BOX)
    broad = half.filter(ImageFilter.MedianFilter(5)).resize(image.size, Image.Resampling.BICUBIC)
    return np.asarray(broad, np.float32).transpose(2, 0, 1) * np.float32(1 / 255)


def _stretched(grey: Pixels) -> Pixels:
    """All of the range from dark to light."""
    low, high = np.quantile(grey[::4, ::4], (0.02, 0.98))
    return np.asarray(0.04 + 0.92 * (grey - np.float32(low)) / np.float32(max(high - low, 0.05)))


def _soft_light(below: Pixels, above: Pixels) -> Pixels:
    """Each lights or shades the other, and half of the upper one's own colour stays."""
    mixed = (1 - 2 * above) * below * below + 2 * above * below
    return np.asarray(0.7 * mixed + 0.3 * above)
