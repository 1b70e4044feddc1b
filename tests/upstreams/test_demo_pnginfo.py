"""The demo painter with a client's pictures: what their text tells."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import PngImagePlugin

from fakes.pictures import b64, corners, encode
from fakes.pngs import chunk, ihdr, png
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.proxy import RelayRequest
from pico_a1111_proxy.upstreams.demo import DemoPainter
from pico_a1111_proxy.upstreams.demo.pnginfo import MOST_TEXT, MOST_TEXTS, read_infotext, read_texts

CORNERS = b64(encode(corners()))
INVALID = {"error": "HTTPException", "detail": "Invalid encoded image", "body": "", "errors": ""}
NOT_READABLE = ["", "no base64!", "aGVsbG8=", CORNERS[:24], b64(encode(corners(), "TIFF"))]


async def at_once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def ask(**body: Any) -> tuple[int, Any]:
    request = RelayRequest("POST", "/sdapi/v1/png-info", (), at_once(json.dumps(body).encode()))
    async with DemoPainter(0).relay(request) as answer:
        return answer.status, json.loads(b"".join([chunk async for chunk in answer.body]))


@pytest.mark.parametrize("prompt", ["a lake, deep", "ein Bär", "山と月", "two\nlines", "", "end: 5"])
async def test_png_info_reads_what_generate_wrote(prompt: str) -> None:
    painter = DemoPainter(0)
    fields = {"prompt": prompt, "negative_prompt": "fog,\nrain", "width": 64, "height": 48, "steps": 2, "seed": 5}
    generation = await painter.generate(Job("txt2img", json.dumps(fields).encode(), DISPLAYS["waveshare-pico-lcd-1.3"]))
    status, told = await ask(image="data:image/png;base64," + generation.images[0])
    assert (status, set(told)) == (200, {"info", "items", "parameters"})
    assert told["info"] == generation.info["infotexts"][0]
    read = told["parameters"]
    assert (read["Prompt"], read["Negative prompt"]) == (prompt, "fog,\nrain")
    assert (read["Steps"], read["Seed"], read["Size-1"], read["Size-2"]) == ("2", "5", "64", "48")


async def test_png_info_of_other_texts() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "no settings", zip=True)
    texts.add_itxt("Title", "Bär 山", zip=True)
    texts.add_itxt("Author", "nobody")
    texts.add_text("Comment", "straße")
    told = (await ask(image=b64(encode(corners(), pnginfo=texts))))[1]
    assert told["info"] == "no settings"
    assert told["items"] == {"Title": "Bär 山", "Author": "nobody", "Comment": "straße"}
    assert told["parameters"] == {"Prompt": "no settings", "Negative prompt": ""}


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
async def test_png_info_of_a_picture_without_text(form: str) -> None:
    assert await ask(image=b64(encode(corners(), form))) == (200, {"info": "", "items": {}, "parameters": {}})


async def test_a_texts_place_in_the_file_does_not_matter() -> None:
    data = encode(corners())
    late = data[:-12] + chunk(b"tEXt", b"parameters\0late") + data[-12:]
    assert read_texts(late) == {"parameters": "late"}


async def test_damaged_and_endless_texts_are_left_out() -> None:
    endless = zlib.compress(bytes(MOST_TEXT + 1))
    parts = [
        chunk(b"zTXt", b"a\0\0" + endless),
        chunk(b"zTXt", b"b\0\0no deflate"),
        chunk(b"zTXt", b"c\0\0" + zlib.compress(b"cut off")[:-6]),
        chunk(b"iTXt", b"d\0\1\0en\0d\0" + endless),
        chunk(b"iTXt", b"e\0\0\0en"),
        chunk(b"tEXt", b"good\0text"),
    ]
    assert read_texts(png(ihdr(4, 4), b"".join(parts))) == {"good": "text"}
    plain = b"".join(chunk(b"tEXt", b"%d\0" % i + bytes(300_000)) for i in range(5))
    assert list(read_texts(png(ihdr(4, 4), plain))) == ["0", "1", "2"]
    many = b"".join(chunk(b"zTXt", b"%d\0\0" % i + zlib.compress(bytes(400_000))) for i in range(20))
    assert sum(map(len, read_texts(png(ihdr(4, 4), many)).values())) <= MOST_TEXT
    assert read_texts(png(ihdr(4, 4))[:33] + struct.pack(">I", 2**32 - 1) + b"tEXt") == {}


def test_only_so_many_texts_are_looked_at() -> None:
    endless = [chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(MOST_TEXT + 1)))] * (MOST_TEXTS - 1)
    good = [chunk(b"tEXt", b"first\0text"), chunk(b"tEXt", b"late\0text")]
    assert read_texts(png(ihdr(4, 4), b"".join([*endless, *good]))) == {"first": "text"}


@pytest.mark.parametrize(
    "line", ["a" * 9999, "a:" * 4999, 'ab:"' * 2400, " " * 9999, 'ab:"\\",' * 1400, "ab:" + '\\"' * 4900, "x" * 900_000]
)
def test_an_odd_infotext_takes_no_time(line: str) -> None:
    read = read_infotext(f"a prompt\n{line}x")
    assert read["Prompt"].startswith("a prompt")


def test_quoted_settings_are_unquoted() -> None:
    read = read_infotext('cat\nSteps: 2, Sampler: "a, \\"b\\": c", Seed: 1, Size: 64x48')
    assert read == {
        "Prompt": "cat", "Negative prompt": "", "Steps": "2", "Sampler": 'a, "b": c', "Seed": "1",
        "Size-1": "64", "Size-2": "48",
    }  # fmt: skip


@pytest.mark.parametrize("start", NOT_READABLE)
async def test_what_is_no_picture_is_a_500_as_with_a1111(start: str) -> None:
    assert await ask(image=start) == (500, INVALID)


async def test_png_info_without_a_picture_is_a_422() -> None:
    fault = {"loc": ["body", "image"], "msg": "field required", "type": "value_error.missing"}
    assert await ask() == (422, {"detail": [fault]})
