"""An encoded picture becomes an RGB image, safely and fast."""

from __future__ import annotations

from PIL import Image


def kind_of(data: bytes) -> str | None:
    """stub"""
    return "png" if data[:4] == b"\x89PNG" else None


def decode(data: bytes, background: tuple[int, int, int] | None = None) -> Image.Image:
    """stub"""
    import io
    return Image.open(io.BytesIO(data)).convert("RGB")
