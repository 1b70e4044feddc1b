"""PNG info: the texts that a PNG carries, and A1111's infotext read back."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.jobs import decode_base64
from pico_a1111_proxy.pictures import read_header
from pico_a1111_proxy.upstreams.demo.fields import invalid_image, read_tables

MOST_TEXT = 1_000_000  # bytes of all texts in one picture; compressed ones can inflate to a thousandfold
MOST_TEXTS = 64  # that are looked at: each may cost the time of inflating MOST_TEXT bytes, for nothing
MOST_CHUNKS = 10_000
LONGEST_SETTINGS = 10_000  # characters

_SETTING = re.compile(r'(\w[\w /-]{0,63}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"(\d{1,9})x(\d{1,9})")
_NEGATIVE = "Negative prompt:"


def tell_png_info(body: bytes) -> dict[str, Any]:
    """A1111's answer to png-info. Runs in a thread; raises UpstreamError with A1111's words."""
    data = decode_base64(read_tables(body, {"str": {"image": ...}})["image"].strip()) or b""
    try:
        kind = read_header(data).kind
    except PictureError as error:
        raise invalid_image("image", error) from error
    texts = read_texts(data) if kind == "png" else {}
    infotext = texts.pop("parameters", "")
    return {"info": infotext, "items": texts, "parameters": read_infotext(infotext)}


def read_texts(png: bytes) -> dict[str, str]:
    """The texts of a PNG by their keywords, at most MOST_TEXT bytes of them; damaged ones are left out."""
    texts: dict[str, str] = {}
    left = MOST_TEXT
    for name, data in islice(_chunks(png), MOST_TEXTS):
        keyword, _, rest = data.partition(b"\0")
        text = _READERS[name](rest, left)
        if text is not None and len(text) + len(keyword) <= left:
            left -= len(text) + len(keyword)
            texts[keyword.decode("latin-1")] = text.decode("utf-8" if name == b"iTXt" else "latin-1", "replace")
    return texts


def read_infotext(infotext: str) -> dict[str, Any]:
    """Prompt, negative prompt and settings of an infotext; a size becomes two, as with A1111."""
    if not infotext.strip():
        return {}
    *lines, last = infotext.strip().split("\n")
    settings = _SETTING.findall(last) if len(last) <= LONGEST_SETTINGS else []
    if len(settings) < 3:
        lines, settings = [*lines, last], []
    prompt, _, negative = "\n".join(["", *map(str.strip, lines)]).partition(f"\n{_NEGATIVE}")
    read = {"Prompt": prompt[1:], "Negative prompt": negative.strip()}
    for name, value in settings:
        size = _SIZE.fullmatch(value)
        if size:
            read |= {f"{name}-1": size[1], f"{name}-2": size[2]}
        else:
            read[name] = _unquote(value)
    return read


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks that hold texts, by name."""
    start = 8
    for _ in range(MOST_CHUNKS):
        end = start + 8 + int.from_bytes(png[start : start + 4], "big")
        if end > len(png) or len(png) < start + 8:
            return
        name = png[start + 4 : start + 8]
        if name in _READERS:
            yield name, png[start + 8 : end]
        start = end + 4


def _inflate(data: bytes, most: int) -> bytes | None:
    """What is compressed in `data`; None where it is damaged or longer than `most`."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(data, max(most, 1))
    except zlib.error:
        return None
    return text if stream.eof else None


def _international(rest: bytes, most: int) -> bytes | None:
    parts = rest[2:].split(b"\0", 2)  # the language, the keyword in it, the text
    if len(parts) < 3:
        return None
    return _inflate(parts[2], most) if rest[:1] == b"\1" else parts[2]


_READERS = {
    b"tEXt": lambda rest, _: rest,
    b"zTXt": lambda rest, most: _inflate(rest[1:], most),
    b"iTXt": _international,
}


def _unquote(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value
