"""Programs that bring a picture to RGB565, given their best settings; whatever is not installed is left out."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pico_a1111_proxy.pixels import FORMATS, shades

Show = Callable[[Image.Image], NDArray[np.uint8]]  # what the panel shows of an image, 8 bits a channel

_SWS_DITHERS = ("none", "bayer", "ed", "a_dither", "x_dither")
_PALETTE_DITHERS = ("floyd_steinberg", "sierra2_4a")
_RAMP = {"R": "ramp5.png", "G": "ramp6.png", "B": "ramp5.png"}
# Each plane, as a grey picture, is brought to a palette of the panel's shades; the planes are put together again.
_PALETTE_GRAPH = (
    "[0:v]format=gbrp,extractplanes=r+g+b[r][g][b];"
    "[r]format=rgb24[R];[g]format=rgb24[G];[b]format=rgb24[B];[1:v]split[p][q];"
    "[R][p]paletteuse=dither={0},format=gray[x];[G][2:v]paletteuse=dither={0},format=gray[y];"
    "[B][q]paletteuse=dither={0},format=gray[z];[y][z][x]mergeplanes=0x001020:gbrp,format=rgb24"
)


class Programs:
    """What is installed; pictures pass through files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._source = folder / "in.png"
        self._ramps = folder
        self.ffmpeg = shutil.which("ffmpeg")
        self.magick = shutil.which("magick") or shutil.which("convert-im6.q16")
        self.missing = [name for name, path in (("ffmpeg", self.ffmpeg), ("ImageMagick", self.magick)) if not path]
        for depth in (5, 6):
            ramp = np.full(256, 255, np.uint8)
            ramp[: 1 << depth] = shades(depth)
            Image.fromarray(ramp.reshape(16, 16)).convert("RGB").save(folder / f"ramp{depth}.png")

    def versions(self) -> list[str]:
        """What each program calls itself."""
        asked = [[self.ffmpeg, "-version"]] if self.ffmpeg else []
        asked += [[self.magick, "-version"]] if self.magick else []
        told = [_run(command).decode().splitlines()[0] for command in asked]
        return [re.sub(r" (Copyright|https?:).*|Version: ", "", line) for line in told]

    def ways(self) -> dict[str, Show]:
        """Each way by name."""
        ways: dict[str, Show] = {}
        if self.ffmpeg:
            ways |= {f"ffmpeg, sws_dither={dither}": partial(self._swscale, dither) for dither in _SWS_DITHERS}
            ways |= {
                f"ffmpeg, paletteuse={dither}, a channel at a time": partial(self._palette, dither)
                for dither in _PALETTE_DITHERS
            }
        if self.magick:
            ways["ImageMagick, -ordered-dither o8x8,32,64,32"] = partial(self._magick, _ORDERED)
            ways["ImageMagick, FloydSteinberg -posterize 32"] = partial(self._magick, _POSTERIZED)
            for dither in ("FloydSteinberg", "Riemersma"):
                ways[f"ImageMagick, {dither} -remap, a channel at a time"] = partial(self._remapped, dither)
        return ways

    def _swscale(self, dither: str, image: Image.Image) -> NDArray[np.uint8]:
        image.save(self._source, compress_level=0)
        flags = f"scale=flags=lanczos+accurate_rnd+full_chroma_int+full_chroma_inp:sws_dither={dither}"
        command = [self.ffmpeg, "-v", "error", "-i", str(self._source), "-vf", flags]
        data = _run([*command, "-pix_fmt", "rgb565be", "-f", "rawvideo", "-"])
        return FORMATS["rgb565-be"].show(data, *image.size)

    def _palette(self, dither: str, image: Image.Image) -> NDArray[np.uint8]:
        image.save(self._source, compress_level=0)
        command = [self.ffmpeg, "-v", "error", "-i", str(self._source)]
        for name in ("ramp5.png", "ramp6.png"):
            command += ["-i", str(self._ramps / name)]
        graph = _PALETTE_GRAPH.format(dither)
        return _pixels(_run([*command, "-filter_complex", graph, "-frames:v", "1", "-f", "rawvideo", "-"]), image)

    def _magick(self, arguments: list[str], image: Image.Image) -> NDArray[np.uint8]:
        image.save(self._source, compress_level=0)
        return _pixels(_run([self.magick, str(self._source), *arguments, "-depth", "8", "rgb:-"]), image)

    def _remapped(self, dither: str, image: Image.Image) -> NDArray[np.uint8]:
        arguments: list[str] = []
        for channel, ramp in _RAMP.items():
            one = ["(", "-clone", "0", "-channel", channel, "-separate", "+channel", "-dither", dither]
            arguments += [*one, "-remap", str(self._ramps / ramp), ")"]
        return self._magick([*arguments, "-delete", "0", "-set", "colorspace", "sRGB", "-combine"], image)


_ORDERED = ["-ordered-dither", "o8x8,32,64,32"]
_POSTERIZED = ["-dither", "FloydSteinberg", "-posterize", "32"]


def _run(command: list[str | None]) -> bytes:
    words = [word for word in command if word]
    return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=60).stdout


def _pixels(data: bytes, image: Image.Image) -> NDArray[np.uint8]:
    """As the panel shows them: the levels nearest to the values that the program chose, which are a level's own."""
    values = np.frombuffer(data, np.uint8).reshape(image.height, image.width, 3)
    shown = np.empty_like(values)
    for channel, depth in enumerate((5, 6, 5)):
        steps = shades(depth).astype(int)
        shown[..., channel] = steps[np.abs(values[..., channel, np.newaxis] - steps).argmin(axis=-1)]
    return shown
