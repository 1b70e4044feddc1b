"""Palettes: five tones from dark to light and an accent, the colour words that choose them, and their mixing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.floating[Any]]  # float32 in practice: half the memory of float64, and twice as fast

RAMP_STEPS = 512

# Björn Ottosson's OKLab: between two colours of it lie colours that the eye expects there.
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@dataclass(frozen=True)
class Palette:
    """`tones` are five colours `rrggbb` from dark to light; `accent` stands out from all of them."""

    name: str
    tones: tuple[str, str, str, str, str]
    accent_tone: str

    @cached_property
    def ramp(self) -> Pixels:
        """The tones as one smooth gradient: float32 (3, RAMP_STEPS), sRGB from 0 to 1."""
        stops = np.stack([_to_oklab(_rgb(tone)) for tone in self.tones])
        at = np.linspace(0, len(self.tones) - 1, RAMP_STEPS)
        lab = np.stack([np.interp(at, np.arange(len(stops)), stops[:, i]) for i in range(3)])
        return _from_oklab(lab).astype(np.float32)

    @cached_property
    def accent(self) -> Pixels:
        """The accent: float32 (3, 1, 1), sRGB from 0 to 1."""
        return _rgb(self.accent_tone).astype(np.float32).reshape(3, 1, 1)

    def tone(self, lightness: float) -> Pixels:
        """One colour of the ramp, 0 the darkest and 1 the lightest: float32 (3, 1, 1)."""
        return self.ramp[:, round(min(max(lightness, 0.0), 1.0) * (RAMP_STEPS - 1))].reshape(3, 1, 1)

    def shade(self, lightness: Pixels) -> Pixels:
        """A colour of the ramp for every value of `lightness` (h, w), clipped to 0 to 1: (3, h, w)."""
        index = (np.clip(lightness, 0, 1) * (RAMP_STEPS - 1) + 0.5).astype(np.int32)
        colours = np.empty((3, *index.shape), np.float32)
        for channel, tones in zip(colours, self.ramp, strict=True):
            channel[:] = tones[index]
        return colours

    def ink(self, lightness: float) -> tuple[int, int, int]:
        """One colour of the ramp as three values from 0 to 255, as Pillow draws with."""
        return self._inks[round(min(max(lightness, 0.0), 1.0) * (RAMP_STEPS - 1))]

    @cached_property
    def _inks(self) -> list[tuple[int, int, int]]:
        levels = (self.ramp.T * 255 + 0.5).astype(int).tolist()
        return [(red, green, blue) for red, green, blue in levels]


def _rgb(tone: str) -> npt.NDArray[np.float64]:
    return np.frombuffer(bytes.fromhex(tone), np.uint8) / 255.0


def _to_oklab(rgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.asarray(_TO_LAB @ np.cbrt(_TO_LMS @ linear))


def _from_oklab(lab: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    linear = np.linalg.inv(_TO_LMS) @ (np.linalg.inv(_TO_LAB) @ lab) ** 3
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def mix(first: Palette, second: Palette) -> Palette:
    """The dark half of `first` under the light half of `second`, as "red and blue" asks for."""
    middle = _from_oklab((_to_oklab(_rgb(first.tones[2])) + _to_oklab(_rgb(second.tones[2]))) / 2)
    tone = bytes((middle * 255 + 0.5).astype(np.uint8)).hex()
    tones = (first.tones[0], first.tones[1], tone, second.tones[3], second.tones[4])
    return Palette(f"{first.name}-{second.name}", tones, first.tones[3])


_KNOWN = (
    Palette("red", ("18050a", "5a0f1c", "b3202e", "ee5a4a", "ffd9c0"), "ffb347"),
    Palette("orange", ("1c0c08", "6b2a0c", "c9591b", "f79a3e", "ffe8c2"), "2e8fa3"),
    Palette("golden", ("1a1008", "5c3a0e", "b07a1e", "eebb4d", "fff3cf"), "a83f4f"),
    Palette("green", ("06140f", "12402f", "2f7d4f", "86c06c", "eaf5c9"), "f2b544"),
    Palette("teal", ("04161c", "0b4250", "1c8a8f", "6fd0bf", "e5fbee"), "ff8a5c"),
    Palette("blue", ("050d22", "12306b", "2a6cc4", "79b8f0", "e8f5ff"), "ffb45c"),
    Palette("purple", ("0e0720", "34185f", "7440b0", "b98ae6", "f6e6ff"), "ffc86b"),
    Palette("pink", ("1f0716", "6b1a47", "c94a86", "f79cb8", "ffeaf0"), "5cc8c0"),
    Palette("brown", ("170d08", "4a2c1c", "8f5f3a", "cfa373", "f6e8d2"), "5f8a7a"),
    Palette("mono", ("0a0a0b", "2e2f33", "6f7278", "b9bcc1", "fafaf8"), "ecebe6"),
    Palette("neon", ("070312", "2b0a5e", "a012c0", "ff4fae", "c9f6ff"), "19e6f0"),
    Palette("pastel", ("6a6794", "a99fd0", "e7b5cf", "fbd9c4", "fff8ea"), "8fd6c8"),
    Palette("white", ("22334a", "6788a5", "a9c9db", "dceef4", "ffffff"), "f2a98f"),
    Palette("black", ("020204", "0d0f16", "232936", "4d586b", "b8c0cc"), "e0533d"),
    Palette("dusk", ("120b2a", "43235f", "b0446f", "f58a5b", "ffe0a3"), "fff1c9"),
    Palette("dawn", ("1b2547", "4f5f94", "b28cb0", "f7b89f", "fff0d8"), "ffd98f"),
    Palette("daylight", ("0e2a3d", "235a7a", "4f9cc4", "a8d8ea", "fdf6e3"), "ffd36b"),
    Palette("midnight", ("030612", "0b1733", "1f3d6b", "5a80b3", "d6e2f2"), "f6efc9"),
    Palette("aurora", ("031018", "0a2f3f", "14766c", "5fe0a0", "e9ffd8"), "b26be0"),
    Palette("meadow", ("0d2114", "1f5a34", "6aa84a", "c7da6b", "fff6cf"), "e2607f"),
    Palette("clay", ("221014", "6e2f2c", "c0654a", "e9a678", "f9e6cf"), "2f6f7d"),
    Palette("winter", ("0f1d36", "2c4f7d", "769fc9", "c9e0ef", "ffffff"), "ffcfa8"),
    Palette("harbour", ("0b1622", "1d4257", "4d8a8c", "e0b07e", "fbefd9"), "d8563f"),
)

PALETTES: dict[str, Palette] = {palette.name: palette for palette in _KNOWN}

_WORDS = {
    "red": "red crimson scarlet ruby maroon vermilion lava fire flame volcano",
    "orange": "orange amber tangerine copper rust autumn",
    "golden": "gold golden yellow honey brass",
    "green": "green emerald jade olive lime mint moss",
    "teal": "teal turquoise cyan aqua aquamarine",
    "blue": "blue azure navy sapphire cobalt indigo",
    "purple": "purple violet lavender magenta amethyst lilac plum",
    "pink": "pink rose salmon fuchsia blush",
    "brown": "brown beige sepia tan chocolate coffee wooden",
    "mono": "monochrome grayscale greyscale gray grey silver noir mono charcoal ink",
    "neon": "neon cyberpunk synthwave vaporwave fluorescent",
    "pastel": "pastel pale cute kawaii",
    "white": "white ivory frost frozen ice icy",
    "black": "black dark gothic obsidian",
    "dusk": "sunset dusk twilight evening",
    "dawn": "dawn sunrise morning",
    "daylight": "sunny noon daylight",
    "midnight": "midnight night moonlight moonlit nocturnal starry",
    "aurora": "aurora borealis",
    "winter": "snow snowy winter glacier arctic",
    "meadow": "spring summer",
    "clay": "terracotta clay earthy desert dune dunes canyon",
}

COLOUR_WORDS: dict[str, str] = {word: name for name, words in _WORDS.items() for word in words.split()}

# Times of day colour a picture only where no colour is named: "a blue night" is blue.
_MOODS = ("dusk", "dawn", "daylight", "midnight", "meadow", "winter", "clay")


def named_palettes(words: Collection[str]) -> list[str]:
    """The palettes that `words` name, in the order of the words."""
    if "black" in words and "white" in words:
        return ["mono"]
    return list(dict.fromkeys(COLOUR_WORDS[word] for word in words if word in COLOUR_WORDS))


def asked_palettes(words: Collection[str]) -> list[str]:
    """The palettes that a picture of `words` shall have: colours, or else one time of day."""
    names = named_palettes(words)
    return [name for name in names if name not in _MOODS] or names[:1]
