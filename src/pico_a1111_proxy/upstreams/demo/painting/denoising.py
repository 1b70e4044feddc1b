"""Denoising: how a picture looks when only some of its steps are done."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

CELL = 8  # pixels; a diffusion model's noise comes in cells of that size


def half_done(
    picture: npt.NDArray[np.uint8], fraction: float, seed: int, start: npt.NDArray[np.uint8] | None = None
) -> Image.Image:
    """RGB `picture` (h, w, 3) after `fraction` of its steps: noise at 0, then blurred, at 1 itself.

    `start` is the picture that img2img begins with; without it all begins as grey.
    """
    image = Image.fromarray(picture)
    left = 1.0 - min(max(fraction, 0.0), 1.0)
    if left == 0.0:
        return image
    coarser = 1 + left**1.6 * min(image.size) / 10
    size = (max(round(image.width / coarser), 1), max(round(image.height / coarser), 1))
    small = image.resize(size, Image.Resampling.BOX)
    soft = np.asarray(small.resize(image.size, Image.Resampling.BICUBIC), np.float32)
    before = np.float32(128) if start is None else start.astype(np.float32)
    grain = np.random.Generator(np.random.PCG64(abs(seed))).standard_normal(
        (-(-image.height // CELL), -(-image.width // CELL), 3), np.float32
    )
    planes = [Image.fromarray(grain[:, :, i]).resize(image.size, Image.Resampling.BILINEAR) for i in range(3)]
    noise = before + np.stack([np.asarray(plane) for plane in planes], axis=2) * np.float32(62)
    mixed = soft + (noise - soft) * np.float32(left**1.25)
    return Image.fromarray((np.clip(mixed, 0, 255) + 0.5).clip(0, 255).astype(np.uint8))
