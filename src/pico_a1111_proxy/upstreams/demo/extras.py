"""Extras: a picture made larger or smaller, as far as that goes without a model."""

from __future__ import annotations

from html import escape
from typing import Any

import pybase64
from PIL import Image

from pico_a1111_proxy.errors import UpstreamUnavailable
from pico_a1111_proxy.pictures import decode
from pico_a1111_proxy.upstreams.demo.catalogue import UPSCALERS
from pico_a1111_proxy.upstreams.demo.fields import Table, error_answer, read_tables, refuse
from pico_a1111_proxy.upstreams.demo.infotext import encode_png
from pico_a1111_proxy.upstreams.demo.pnginfo import read_picture, read_texts
from pico_a1111_proxy.upstreams.demo.request import MOST_PICTURES, SIDES

LONGEST_SOURCE = 4096  # pixels
LARGEST_ANSWER = 32_000_000  # characters of base64

_FIELDS: Table = {
    "int": {"resize_mode": 0, "upscaling_resize_w": 512, "upscaling_resize_h": 512},
    "float": {"upscaling_resize": 2.0},
    "bool": {"upscaling_crop": True},
    "str": {"upscaler_1": "None"},
}


def enhance_one(body: bytes) -> dict[str, Any]:
    """A1111's answer to extra-single-image. Runs in a thread; raises UpstreamError with A1111's words, PictureError."""
    fields = _read(body, {"str": {"image": ""}})
    return {"html_info": _tell(fields), "image": _enhance(fields, fields["image"])}


def enhance_many(body: bytes) -> dict[str, Any]:
    """A1111's answer to extra-batch-images. Runs in a thread; raises UpstreamError with A1111's words, PictureError."""
    fields = _read(body, {"list": {"imageList": ...}})
    files = fields["imageList"]
    if len(files) > MOST_PICTURES:
        words = f"the demo painter takes at most {MOST_PICTURES} pictures, not {len(files)}"
        refuse({"loc": ["body", "imageList"], "msg": words, "type": "value_error"})
    images: list[str] = []
    for nth, file in enumerate(files):
        data = file.get("data") if isinstance(file, dict) else None
        if not isinstance(data, str):
            refuse({"loc": ["body", "imageList", nth, "data"], "msg": "field required", "type": "value_error.missing"})
        images.append(_enhance(fields, data))
        if sum(map(len, images)) > LARGEST_ANSWER:
            words = f"the demo painter answers with at most {LARGEST_ANSWER // 1_000_000} MB of pictures"
            refuse({"loc": ["body", "imageList"], "msg": words, "type": "value_error"})
    return {"html_info": _tell(fields), "images": images}


def _tell(fields: dict[str, Any]) -> str:
    """A1111's HTML about what was done. Refuses what can't be."""
    upscaler = fields["upscaler_1"]
    if upscaler not in UPSCALERS:
        words = f"could not find upscaler named {upscaler[:100]}"
        raise UpstreamUnavailable(words, answer=error_answer(500, "AssertionError", errors=words))
    if upscaler == "None":
        return "<p></p>"
    if fields["resize_mode"] == 1:
        size = f"Postprocess upscale to: {fields['upscaling_resize_w']}x{fields['upscaling_resize_h']}"
    else:
        size = f"Postprocess upscale by: {fields['upscaling_resize']:g}"
    return f"<p>{escape(size)}, Postprocess upscaler: {escape(upscaler)}</p>"


def _enhance(fields: dict[str, Any], image: str) -> str:
    """One base64 picture as a base64 PNG, with the text that it came with."""
    data, header = read_picture(image)
    if max(header.width, header.height) > LONGEST_SOURCE:
        words = f"the demo painter takes at most {LONGEST_SOURCE} pixels a side, not {header.width}x{header.height}"
        refuse({"loc": ["body", "image"], "msg": words, "type": "value_error"})
    size = _measure(fields, header.width, header.height)
    picture = decode(data)
    if size is not None:
        way = Image.Resampling.NEAREST if fields["upscaler_1"] == "Nearest" else Image.Resampling.LANCZOS
        picture = picture.resize(size, way)
        if fields["resize_mode"] == 1 and fields["upscaling_crop"]:
            picture = _crop(picture, (fields["upscaling_resize_w"], fields["upscaling_resize_h"]))
    text = read_texts(data).get("parameters", "") if header.kind == "png" else ""
    return pybase64.b64encode(encode_png(picture, text)).decode("ascii")


def _measure(fields: dict[str, Any], width: int, height: int) -> tuple[int, int] | None:
    """The size to be made, multiples of eight as with A1111, or None to leave the picture as it is."""
    if fields["upscaler_1"] == "None":
        return None
    factor, named = fields["upscaling_resize"], "upscaling_resize"
    if fields["resize_mode"] == 1:
        wanted = fields["upscaling_resize_w"], fields["upscaling_resize_h"]
        factor, named = max(wanted[0] / width, wanted[1] / height), "upscaling_resize_w"
    if max(width, height) * factor > SIDES[1]:
        words = f"the demo painter makes at most {SIDES[1]} pixels a side, not {factor:g} times {width}x{height}"
        refuse({"loc": ["body", named], "msg": words, "type": "value_error"})
    return max(int(width * factor) // 8 * 8, SIDES[0]), max(int(height * factor) // 8 * 8, SIDES[0])


def _read(body: bytes, table: Table) -> dict[str, Any]:
    """The fields of `_FIELDS` and `table`, within bounds. Raises UpstreamRejected."""
    fields = read_tables(body, _FIELDS, table)
    for name in ("upscaling_resize_w", "upscaling_resize_h"):
        if not 1 <= fields[name] <= SIDES[1]:
            words = f"the demo painter takes 1 to {SIDES[1]}, not {fields[name]}"
            refuse({"loc": ["body", name], "msg": words, "type": "value_error"})
    if fields["upscaling_resize"] <= 0:
        words = "ensure this value is greater than 0"
        refuse({"loc": ["body", "upscaling_resize"], "msg": words, "type": "value_error.number.not_gt"})
    return fields


def _crop(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    canvas = Image.new("RGB", size)
    canvas.paste(picture, (size[0] // 2 - picture.width // 2, size[1] // 2 - picture.height // 2))
    return canvas
