"""What a prompt asks for: its words, the style they name and the palette."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pico_a1111_proxy.upstreams.demo.painting.palettes import PALETTES, Palette, asked_palettes, mix, named_palettes
from pico_a1111_proxy.upstreams.demo.painting.styles import STYLES, Style

_NETWORK = re.compile(r"<[^<>]*>")  # <lora:name:0.8> names a model's file, not a thing to draw
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Prompt:
    """A prompt, what it must not hold, and the seed."""

    text: str
    negative: str
    seed: int

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words in lower case and in order, without those of the negative prompt."""
        unwanted = set(_words(self.negative))
        return tuple(word for word in _words(self.text) if word not in unwanted)

    @cached_property
    def named_style(self) -> Style | None:
        """The style of the first word that names one; a word that only hints at one counts after these."""
        for meaning in ("words", "hints"):
            for word in self.words:
                for style in STYLES:
                    if word in getattr(style, meaning):
                        return style
        return None

    @cached_property
    def style(self) -> Style:
        """The style that is named, or else one that the prompt's hash picks of those not unwanted."""
        if self.named_style:
            return self.named_style
        unwanted = set(_words(self.negative))
        free = [style for style in STYLES if not style.words & unwanted] or list(STYLES)
        return free[self._digest("style") % len(free)]

    @cached_property
    def palette(self) -> Palette:
        """The one colour that is named or two of them mixed, or else one that becomes the style.

        A prompt that names neither style nor colour always has the palette of its hash; where the
        style is named, every seed may have another.
        """
        asked = asked_palettes(self.words)
        if len(asked) >= 2:
            return mix(PALETTES[asked[0]], PALETTES[asked[1]])
        if asked:
            return PALETTES[asked[0]]
        unwanted = named_palettes(_words(self.negative))
        free = [name for name in self.style.palettes if name not in unwanted] or list(self.style.palettes)
        picked = self._digest(f"palette {self.seed}" if self.named_style else "palette")
        return PALETTES[free[picked % len(free)]]

    def chance(self) -> np.random.Generator:
        """The stream of numbers that this prompt and seed always give."""
        return np.random.Generator(np.random.PCG64(self._digest(f"picture {self.seed}")))

    def _digest(self, purpose: str) -> int:
        # An empty prompt asks for nothing, so the seed may choose everything.
        text = self.text.strip() or str(self.seed)
        digest = hashlib.sha256(f"{purpose}\n{text}".encode("utf-8", "surrogatepass"))
        return int.from_bytes(digest.digest()[:16], "big")


def _words(text: str) -> list[str]:
    return _WORD.findall(_NETWORK.sub(" ", text).lower())
