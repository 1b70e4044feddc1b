"""Ways to make a PNG the frame of the default display, each a function of bytes, found by what is installed."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from plan_loop import png_to_pico_rgb565

Way = Callable[[bytes], bytes]

SIDE = 240
LANCZOS = Image.Resampling.LANCZOS

LOOP = "the plan's getpixel loop"
OURS = "ours (kornia-rs, Pillow, NumPy)"


def pack(rgb: Any) -> bytes:
    """The usual NumPy way, for all that leave the packing to others."""
    wide = (255 - rgb).astype(np.uint16)
    return ((wide[..., 0] >> 3 << 11) | (wide[..., 1] >> 2 << 5) | (wide[..., 2] >> 3)).astype(">u2").tobytes()


def pillow_and_numpy() -> Way:
    return lambda png: pack(np.asarray(Image.open(io.BytesIO(png)).convert("RGB").resize((SIDE, SIDE), LANCZOS)))


def pillow_only() -> Way:
    """A high byte is rrrrrggg and a low one gggbbbbb; tables shift, and a sum of bits that never meet is an or."""
    from PIL import ImageChops  # noqa: PLC0415

    red = [(255 - c) & 0xF8 for c in range(256)]
    green_high = [(255 - c) >> 5 for c in range(256)]
    green_low = [(255 - c) << 3 & 0xE0 for c in range(256)]
    blue = [(255 - c) >> 3 for c in range(256)]

    def way(png: bytes) -> bytes:
        image = Image.open(io.BytesIO(png)).convert("RGB").resize((SIDE, SIDE), LANCZOS)
        r, g, b = image.split()
        high = ImageChops.add(r.point(red), g.point(green_high))
        low = ImageChops.add(g.point(green_low), b.point(blue))
        return Image.merge("LA", (high, low)).tobytes()

    return way


def pyspng() -> Way:
    load = importlib.import_module("pyspng").load

    def way(png: bytes) -> bytes:
        return pack(np.asarray(Image.fromarray(load(png)).resize((SIDE, SIDE), LANCZOS)))

    return way


def opencv() -> Way:
    cv2: Any = importlib.import_module("cv2")

    def way(png: bytes) -> bytes:
        image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        return pack(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)[..., ::-1])

    return way


def pyvips() -> Way:
    thumbnail = importlib.import_module("pyvips").Image.thumbnail_buffer
    return lambda png: pack(thumbnail(png, SIDE, height=SIDE, size="force").numpy())


def pyav() -> Way:
    av: Any = importlib.import_module("av")

    def way(png: bytes) -> bytes:
        (frame,) = av.CodecContext.create("png", "r").decode(av.Packet(png))
        plane = frame.reformat(SIDE, SIDE, "rgb565be", interpolation="LANCZOS").planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(SIDE, plane.line_size)
        return (~rows[:, : SIDE * 2]).tobytes()

    return way


def ours() -> Way:
    importlib.import_module("kornia_rs")
    return _ours()


def ours_without_kornia() -> Way:
    """A second copy of the converter, which looked for kornia-rs and did not find it."""
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("pico_a1111_proxy")}
    known = sys.modules.get("kornia_rs")
    sys.modules["kornia_rs"] = None  # type: ignore[assignment]
    try:
        way = _ours()
        out = io.BytesIO()
        Image.new("RGB", (8, 8)).save(out, "PNG")
        way(out.getvalue())  # looks for it now, and never again
    finally:
        sys.modules.pop("kornia_rs")
        if known:
            sys.modules["kornia_rs"] = known
        for name in [name for name in sys.modules if name.startswith("pico_a1111_proxy")]:
            del sys.modules[name]
        sys.modules.update(hidden)
    return way


def _ours() -> Way:
    frames = importlib.import_module("pico_a1111_proxy.frames")
    display = importlib.import_module("pico_a1111_proxy.displays").default_display(SIDE, SIDE, invert=True)
    return lambda png: frames.convert(png, display).data


_WAYS: dict[str, Callable[[], Way]] = {
    LOOP: lambda: png_to_pico_rgb565,
    "Pillow and NumPy": pillow_and_numpy,
    "Pillow only": pillow_only,
    "pyspng, Pillow, NumPy": pyspng,
    "ours without kornia-rs": ours_without_kornia,
    OURS: ours,
    "OpenCV, area": opencv,
    "pyvips thumbnail": pyvips,
    "PyAV (swscale)": pyav,
}


def installed() -> tuple[dict[str, Way], list[str]]:
    """The ways that work here, and the names of those that are not installed."""
    found, missing = {}, []
    for name, make in _WAYS.items():
        try:
            found[name] = make()
        except (ImportError, OSError):  # pyvips without libvips is an OSError
            missing.append(name)
    return found, missing
