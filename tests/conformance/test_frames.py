"""In front of every server the same frames come. Checks 25, 26, 29 to 32, 34, 35 and 37."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from conformance.both import FAMILY, SIDE, Both, assert_refused, definition, first_of, header, pictures, redrawn
from fakes.pictures import b64, corners, encode, gradient, png
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert
from pico_a1111_proxy.panels import DISPLAYS
from service import RAW, TXT2IMG

FRAME = "?answer=frame"
PANEL = "waveshare-pico-lcd-1.14"
DEFAULT = default_display(240, 240, invert=True)
SIZES = [(512, 512), (384, 768), (192, 192), (330, 250)]


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(corners(), "JPEG", exif=exif, quality=95)


MODES: dict[str, bytes] = {
    **{mode: encode(gradient(mode=mode)) for mode in ("RGBA", "L", "P", "LA")},
    "16 bits": encode(Image.new("I;16", (8, 8), 0x8421)),
    "CMYK": encode(gradient(mode="CMYK"), "JPEG"),
    "turned": turned(),
    "WebP": encode(gradient(), "WEBP"),
    "GIF": encode(gradient(), "GIF"),
}
NOTHING: list[Any] = [[], [""], None, ..., [None, 7]]
UNREADABLE: list[Any] = [["/outputs/a.mp4"], [b64(png(size=(64, 64))[:60])], [b64(b"\x89PNG\r\n\x1a\n" + bytes(90))]]


async def test_check_25_a_frame_and_its_headers(both: Both) -> None:
    direct = await both.ask_direct("POST", TXT2IMG, both.body())
    through = await both.ask_through("POST", TXT2IMG, both.body(), accept=RAW)
    assert (through.status, len(through.body)) == (200, 115200)
    told = {name: header(through, name) for name in ("content-type", "content-length", "x-image-width")}
    assert told == {"content-type": RAW, "content-length": "115200", "x-image-width": "240"}
    assert (header(through, "x-image-height"), header(through, "x-image-format")) == ("240", "rgb565-be")
    assert header(through, "x-image-count") == str(len(pictures(direct)))


async def test_check_25_the_seed_is_told_where_the_server_tells_it(both: Both) -> None:
    direct, through = await both.draw(FRAME, seed=7)
    info = direct.json().get("info")
    seed = json.loads(info)["seed"] if both.server.info_form == "text" else None
    assert header(through, "x-image-seed") == (str(seed) if seed is not None else None)


async def test_check_26_never_chunked_and_never_compressed(both: Both) -> None:
    body = both.body()
    plain = await both.ask_through("POST", TXT2IMG, body, accept=RAW)
    through = await both.ask_through("POST", TXT2IMG, body, accept=RAW, accept_encoding="gzip, deflate, br")
    assert through.body == plain.body
    assert header(through, "content-encoding") is None
    assert header(through, "transfer-encoding") is None
    assert header(through, "content-length") == "115200"


async def test_check_29_the_frame_is_of_the_first_picture_and_never_of_the_grid(both: Both) -> None:
    fields = {"batch_size": 2, **({"save_images": True} if both.kind in FAMILY else {})}
    direct, through = await both.draw(FRAME, **fields)
    drawn = pictures(direct)
    assert through.body == definition(drawn[first_of(direct)])
    assert first_of(direct) == int(both.server.puts_grid_first)
    assert len(set(map(definition, drawn))) == len(drawn)  # so that one can be told from another


async def test_check_30_and_31_pictures_of_every_mode_and_kind(both: Both) -> None:
    for name, picture in MODES.items():
        both.dress = redrawn([b64(picture)])
        direct, through = await both.draw(FRAME)
        assert through.status == 200, name
        # Pillow cuts off what is over 8 bits where we take the high ones; see tests/web/test_frame.py.
        expected = convert(pictures(direct)[0], DEFAULT).data if name == "16 bits" else definition(pictures(direct)[0])
        assert through.body == expected, name


async def test_check_31_the_servers_own_format(both: Both) -> None:
    direct, through = await both.draw(FRAME)
    (picture,) = pictures(direct)
    assert Image.open(io.BytesIO(picture)).format == ("JPEG" if both.kind == "sdnext" else "PNG")
    assert through.body == definition(picture)


async def test_check_32_whatever_size_comes_it_fits(both: Both) -> None:
    for width, height in SIZES:
        direct, through = await both.draw(f"{FRAME}&width=31&height=17&invert=false", width=width, height=height)
        (picture,) = pictures(direct)
        assert Image.open(io.BytesIO(picture)).size == both.server.size_of(width, height)
        assert through.body == definition(picture, 31, 17, invert=False)


@pytest.mark.parametrize("route", ["txt2img", "img2img"])
async def test_check_37_there_is_one_converter(both: Both, route: str) -> None:
    fields = {"init_images": [b64(png(size=(SIDE, SIDE)))]} if route == "img2img" else {}
    path, body = f"/sdapi/v1/{route}", both.body(**fields)
    original = await both.ask_through("POST", f"/original{path}", body)
    picture = base64.b64decode(original.json()["images"][0])
    offline = convert(picture, DEFAULT).data
    assert (await both.ask_through("POST", path, body, accept=RAW)).body == offline
    (inside,) = (await both.ask_through("POST", path, body)).json()["images"]
    assert base64.b64decode(inside) == offline
    named = await both.ask_through("POST", f"/displays/{PANEL}{path}", body, accept=RAW)
    assert named.body == convert(picture, DISPLAYS[PANEL]).data


async def test_check_34_no_picture_is_no_frame(both: Both) -> None:
    for images, status in [*((images, 502) for images in NOTHING), *((images, 422) for images in UNREADABLE)]:
        both.dress = redrawn(images)
        for accept in (RAW, "*/*"):
            assert_refused(await both.ask_through("POST", TXT2IMG, both.body(), accept=accept), status)


async def test_check_34_koboldcpp_fails_with_an_empty_text(both: Both) -> None:
    if both.kind != "koboldcpp":
        return
    both.made_with = {"failing": True}
    direct, through = await both.draw(FRAME)
    assert (direct.status, direct.json()["images"]) == (200, [""])
    assert_refused(through, 502)
    assert_refused((await both.draw())[1], 502)
    await both.same("POST", TXT2IMG, both.body())


async def test_check_35_a_batch_and_a_client_that_wants_no_images(both: Both) -> None:
    direct, through = await both.draw(FRAME, batch_size=4)
    assert through.body == definition(pictures(direct)[0])
    assert header(through, "x-image-count") == str(len(pictures(direct)))
    for which in range(both.server.count_of(4)):
        chosen = (await both.draw(f"{FRAME}&index={which}", batch_size=4))[1]
        assert chosen.body == definition(pictures(direct)[which])
    with_images, _ = await both.draw(FRAME, send_images=True)
    without, through = await both.draw(FRAME, send_images=False)
    if without.status == 200:
        assert through.body == definition(pictures(with_images)[0])
    else:
        assert (both.kind, through.status) == ("drawthings", without.status)


async def test_json_has_all_that_a1111s_clients_read(both: Both) -> None:
    direct, through = await both.draw()
    there, here = direct.json(), through.json()
    assert here.keys() == {"images", "parameters", "info"}
    assert here["parameters"] == there.get("parameters", {})
    assert isinstance(here["info"], str)
    info = json.loads(here["info"])
    assert (info["frame"]["width"], info["frame"]["height"], info["frame"]["bytes"]) == (240, 240, 115200)
    if both.server.info_form in ("text", "object"):
        said = there["info"] if isinstance(there["info"], dict) else json.loads(there["info"])
        assert {name: info[name] for name in said} == said
