"""The demo painter with a client's pictures: what their text tells, and their size changed."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from fakes.pictures import b64, corners, encode
from fakes.pngs import bomb, chunk, ihdr, png
from pico_a1111_proxy.displays import DISPLAYS
from pico_a1111_proxy.errors import QueueFull
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.proxy import RelayRequest, Upstream
from pico_a1111_proxy.upstreams.demo import DemoPainter
from pico_a1111_proxy.upstreams.demo.pnginfo import MOST_TEXT, read_infotext, read_texts

PNG_INFO = "/sdapi/v1/png-info"
SINGLE = "/sdapi/v1/extra-single-image"
BATCH = "/sdapi/v1/extra-batch-images"
CORNERS = b64(encode(corners()))
INVALID = {"error": "HTTPException", "detail": "Invalid encoded image", "body": "", "errors": ""}
NOT_READABLE = ["", "no base64!", "aGVsbG8=", CORNERS[:24], b64(encode(corners(), "TIFF"))]


async def at_once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def ask(target: str, painter: Upstream | None = None, /, **body: Any) -> tuple[int, Any]:
    request = RelayRequest("POST", target, (), at_once(json.dumps(body).encode()))
    async with (painter or DemoPainter(0)).relay(request) as answer:
        return answer.status, json.loads(b"".join([chunk async for chunk in answer.body]))


def image(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


@pytest.mark.parametrize("prompt", ["a lake, deep", "ein Bär", "山と月", "two\nlines", "", "end: 5"])
async def test_png_info_reads_what_generate_wrote(prompt: str) -> None:
    painter = DemoPainter(0)
    fields = {"prompt": prompt, "negative_prompt": "fog,\nrain", "width": 64, "height": 48, "steps": 2, "seed": 5}
    generation = await painter.generate(Job("txt2img", json.dumps(fields).encode(), DISPLAYS["waveshare-pico-lcd-1.3"]))
    status, told = await ask(PNG_INFO, painter, image="data:image/png;base64," + generation.images[0])
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
    told = (await ask(PNG_INFO, image=b64(encode(corners(), pnginfo=texts))))[1]
    assert told["info"] == "no settings"
    assert told["items"] == {"Title": "Bär 山", "Author": "nobody", "Comment": "straße"}
    assert told["parameters"] == {"Prompt": "no settings", "Negative prompt": ""}


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
async def test_png_info_of_a_picture_without_text(form: str) -> None:
    assert await ask(PNG_INFO, image=b64(encode(corners(), form))) == (200, {"info": "", "items": {}, "parameters": {}})


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


@pytest.mark.parametrize("path", [PNG_INFO, SINGLE, "/sdapi/v1/interrogate"])
@pytest.mark.parametrize("start", NOT_READABLE)
async def test_what_is_no_picture_is_a_500_as_with_a1111(path: str, start: str) -> None:
    assert await ask(path, image=start) == (500, INVALID)


async def test_a_picture_damaged_further_on_is_one_too() -> None:
    assert await ask(SINGLE, image=b64(encode(corners())[:60])) == (500, INVALID)


async def test_png_info_without_a_picture_is_a_422() -> None:
    fault = {"loc": ["body", "image"], "msg": "field required", "type": "value_error.missing"}
    assert await ask(PNG_INFO) == (422, {"detail": [fault]})
    assert (await ask(BATCH))[1]["detail"][0]["loc"] == ["body", "imageList"]
    assert (await ask(BATCH, imageList=[{"name": "x"}]))[1]["detail"][0]["loc"] == ["body", "imageList", 0, "data"]


async def test_interrogate_tells_what_it_can_know() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a cat\nSteps: 2, Seed: 1, Model: demo")
    assert await ask("/sdapi/v1/interrogate", image=b64(encode(corners(), pnginfo=texts))) == (
        200,
        {"caption": "a cat"},
    )
    caption = (await ask("/sdapi/v1/interrogate", image=CORNERS, model="clip"))[1]["caption"]
    assert "64x64" in caption
    assert "demo painter" in caption


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (64, 64)),
        ({"upscaler_1": "None", "upscaling_resize": 4}, (64, 64)),
        ({"upscaler_1": "Lanczos"}, (128, 128)),
        ({"upscaler_1": "Nearest", "upscaling_resize": 2.2}, (136, 136)),
        ({"upscaler_1": "Lanczos", "upscaling_resize": 0.01}, (8, 8)),
        ({"upscaler_1": "Lanczos", "upscaling_resize": 32}, (2048, 2048)),
        ({"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 96, "upscaling_resize_h": 40}, (96, 40)),
        (
            {
                "upscaler_1": "Lanczos",
                "resize_mode": 1,
                "upscaling_resize_w": 96,
                "upscaling_resize_h": 40,
                "upscaling_crop": False,
            },
            (96, 96),
        ),
    ],
)
async def test_a_picture_is_made_larger(fields: dict[str, Any], size: tuple[int, int]) -> None:
    status, told = await ask(SINGLE, image=CORNERS, **fields)
    assert (status, set(told)) == (200, {"html_info", "image"})
    made = image(told["image"])
    assert (made.format, made.size) == ("PNG", size)
    assert [made.getpixel(at) for at in ((0, 0), (size[0] - 1, 0))] == [(255, 0, 0), (0, 255, 0)]


async def test_its_text_stays_with_it() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a cat")
    told = (await ask(SINGLE, image=b64(encode(corners(), pnginfo=texts)), upscaler_1="Lanczos"))[1]
    assert image(told["image"]).info["parameters"] == "a cat"
    assert told["html_info"] == "<p>Postprocess upscale by: 2, Postprocess upscaler: Lanczos</p>"


async def test_several_at_once() -> None:
    files = [{"data": "data:image/png;base64," + CORNERS, "name": "a"}, {"data": CORNERS, "name": "b"}]
    status, told = await ask(BATCH, imageList=files, upscaler_1="Nearest")
    assert (status, [image(made).size for made in told["images"]]) == (200, [(128, 128)] * 2)


async def test_an_unknown_upscaler_is_a_500_as_with_a1111() -> None:
    status, told = await ask(SINGLE, image=CORNERS, upscaler_1="R-ESRGAN 4x+")
    assert (status, told["error"]) == (500, "AssertionError")
    assert told["errors"] == "could not find upscaler named R-ESRGAN 4x+"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"upscaling_resize": 33}, "upscaling_resize"),
        ({"upscaling_resize": 1e308}, "upscaling_resize"),
        ({"upscaling_resize": 0}, "upscaling_resize"),
        ({"upscaling_resize": "x"}, "upscaling_resize"),
        ({"resize_mode": 1, "upscaling_resize_w": 2049}, "upscaling_resize_w"),
        ({"resize_mode": 1, "upscaling_resize_h": 0}, "upscaling_resize_h"),
        ({"resize_mode": 1, "upscaling_resize_h": 10**400}, "upscaling_resize_h"),
        ({"image": b64(encode(Image.new("L", (4100, 1))))}, "image"),
        ({"image": b64(encode(Image.new("L", (1, 4000)))), "resize_mode": 1}, "upscaling_resize_w"),
        ({"image": b64(bomb(7000, 9000))}, "image"),
    ],
)
async def test_what_would_be_too_large_is_refused(fields: dict[str, Any], named: str) -> None:
    status, told = await ask(SINGLE, **{"image": CORNERS, "upscaler_1": "Lanczos", **fields})
    assert (status, told["detail"][0]["loc"]) == (422, ["body", named])


async def test_too_many_are_refused() -> None:
    status, told = await ask(BATCH, imageList=[{"data": CORNERS, "name": ""}] * 17)
    assert (status, told["detail"][0]["loc"]) == (422, ["body", "imageList"])


async def test_what_is_in_hand_is_bounded_until_it_is_sent() -> None:
    painter = DemoPainter(0)
    request = RelayRequest("POST", SINGLE, ())
    answers = [painter.relay(request) for _ in range(4)]
    await asyncio.gather(*[answer.__aenter__() for answer in answers])
    with pytest.raises(QueueFull):
        await ask(SINGLE, painter, image=CORNERS)
    assert (await ask(PNG_INFO, painter, image=CORNERS))[0] == 200
    await asyncio.gather(*[answer.__aexit__(None, None, None) for answer in answers])
    assert (await ask(SINGLE, painter, image=CORNERS))[0] == 200


async def test_a_picture_waits_for_the_drawing_and_may_leave_the_line() -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def pause(_: float) -> None:
        reached.set()
        await go.wait()

    painter = DemoPainter(0, pause=pause)
    body = b'{"width": 64, "height": 48, "steps": 2}'
    drawing = asyncio.create_task(painter.generate(Job("txt2img", body, DISPLAYS["waveshare-pico-lcd-1.3"])))
    await reached.wait()
    waiting = [asyncio.create_task(ask(SINGLE, painter, image=CORNERS)) for _ in range(4)]
    for _ in range(100):  # plenty for them to be in line
        await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await ask(SINGLE, painter, image=CORNERS)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    last = asyncio.create_task(ask(SINGLE, painter, image=CORNERS))
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting[1:])
    go.set()
    assert [status for status, _ in await asyncio.gather(*waiting[1:], last)] == [200] * 4
    assert (await drawing).pictures


async def test_an_answer_has_its_bounds_too() -> None:
    noise = Image.effect_noise((512, 512), 200).convert("RGB")
    files = [{"data": b64(encode(noise)), "name": ""}] * 16
    status, told = await ask(BATCH, imageList=files, upscaler_1="Lanczos", upscaling_resize=4)
    assert (status, told["detail"][0]["loc"]) == (422, ["body", "imageList"])
