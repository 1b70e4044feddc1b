"""How near a shown picture comes to another: PSNR, SSIM and CIEDE2000, before and after the eye's low-pass.

A panel's pixel is an eighth to a quarter of a millimetre; at arm's length the eye mixes about one to two of them. A
Gaussian of that standard deviation, in pixels of the panel, stands for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

Values = NDArray[np.float64]  # shape (height, width, 3), 0 to 255 in sRGB or 0 to 1 in light

# The columns of `judge`, in its order, how they are written, and whether more is better.
HEAD = ("PSNR raw", "PSNR sigma 1", "SSIM sigma 1", "ΔE00 sigma 1", "ΔE00 sigma 2", "ΔE00 sigma 1, light")
DIGITS = (1, 1, 4, 2, 2, 2)
MORE_IS_BETTER = (True, True, True, False, False, False)


def judge(shown: NDArray[np.uint8], reference: NDArray[np.uint8]) -> list[float]:
    """The figures of HEAD, for two pictures of 8 bits. The last one mixes light where the others mix sRGB's values."""
    ours, theirs = in_colour(shown), in_colour(reference)
    ours_1, theirs_1 = low_pass(ours, 1), low_pass(theirs, 1)
    light = [values_of(low_pass(light_of(picture), 1)) for picture in (ours, theirs)]
    return [
        psnr(ours, theirs),
        psnr(ours_1, theirs_1),
        float(structural_similarity(ours_1, theirs_1, channel_axis=2, data_range=255)),
        delta_e(ours_1, theirs_1),
        delta_e(low_pass(ours, 2), low_pass(theirs, 2)),
        delta_e(light[0], light[1]),
    ]


def in_colour(picture: NDArray[np.uint8]) -> Values:
    """Three channels, for grey too."""
    three = picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)
    return three.astype(np.float64)


def low_pass(picture: Values, sigma: float) -> Values:
    """Each channel through a Gaussian; the picture goes on beyond its edges as it is at them."""
    passed: Values = gaussian_filter(picture, (sigma, sigma, 0), mode="nearest")
    return passed


def psnr(picture: Values, other: Values) -> float:
    """In dB, of all channels together."""
    return float(10 * np.log10(255**2 / max(np.mean((picture - other) ** 2), 1e-9)))


def delta_e(picture: Values, other: Values) -> float:
    """The mean CIEDE2000 difference of two pictures in sRGB; about 1 can just be seen, side by side."""
    return float(deltaE_ciede2000(rgb2lab(picture / 255), rgb2lab(other / 255)).mean())


def light_of(values: Values) -> Values:
    """The light, 0 to 1, that values of sRGB stand for."""
    part = values / 255
    light: Values = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return light


def values_of(light: Values) -> Values:
    """The values of sRGB, not rounded, that stand for light."""
    part = np.clip(light, 0, 1)
    values: Values = 255 * np.where(part <= 0.0031308, part * 12.92, 1.055 * part ** (1 / 2.4) - 0.055)
    return values
