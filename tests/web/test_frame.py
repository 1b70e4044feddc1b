"""The answer `frame`: the raw pixels of one picture. Checks 25, 27 and 29 to 37."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakes.a1111 import Reply, ScriptedA1111, answer
from fakes.pictures import BLACK, BLUE, GREEN, RED, WHITE, b64, corners, encode, gradient, png
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.frames import convert
from service import RAW, Service

PLAIN = "?invert=false"


def definition(picture: bytes, width: int = 240, height: int = 240, invert: bool = True) -> bytes:
    """The default display's bytes, as the interface defines them, one step a line."""
    image = Image.open(io.BytesIO(picture)).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    rgb = np.asarray(image).astype(np.uint16)
    if invert:
        rgb = 255 - rgb
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    return (((red >> 3) << 11) | ((green >> 2) << 5) | (blue >> 3)).astype(">u2").tobytes()


def words(frame: bytes) -> set[str]:
    return {frame[i : i + 2].hex() for i in range(0, len(frame), 2)}


async def test_check_25_a_frame_and_its_headers(service: Service, upstream: ScriptedA1111) -> None:
    picture = encode(gradient())
    upstream.standing = answer(picture)
    got = await service.frame({"prompt": "a"})
    assert got.status == 200
    assert got.body == definition(picture)
    headers = {name: value for name, value in got.headers.items() if name not in ("Date", "ETag", "X-Request-Id")}
    assert headers == {
        "Content-Type": "application/octet-stream",
        "Content-Length": "115200",
        "X-Image-Width": "240",
        "X-Image-Height": "240",
        "X-Image-Format": "rgb565-be",
        "X-Image-Count": "1",
        "X-Image-Seed": "1234",
        "X-Cache": "miss",
        "Vary": "Accept",
    }
    assert got.headers["X-Request-Id"]


async def test_the_etag_is_strong_and_follows_the_bytes(service: Service, upstream: ScriptedA1111) -> None:
    upstream.script = [answer(png(RED)), answer(png(RED, (20, 30))), answer(png(GREEN))]
    first, same, other = [(await service.frame()).headers["ETag"] for _ in range(3)]
    assert first.startswith('"')
    assert first.endswith('"')
    assert first == same != other


async def test_the_request_id_is_the_clients_own_where_it_is_decent(service: Service) -> None:
    assert (await service.frame(x_request_id="Pico-7.a_b")).headers["X-Request-Id"] == "Pico-7.a_b"
    for bad in ("a b", "x" * 65, "a;b", "é"):
        assert (await service.frame(x_request_id=bad)).headers["X-Request-Id"] not in (bad, "")
    ids = {(await service.frame()).headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("colour", "plain", "inverted"),
    [
        (RED, "f800", "07ff"),
        (GREEN, "07e0", "f81f"),
        (BLUE, "001f", "ffe0"),
        (WHITE, "ffff", "0000"),
        (BLACK, "0000", "ffff"),
    ],
)
async def test_check_27_golden_words(
    service: Service, upstream: ScriptedA1111, colour: Any, plain: str, inverted: str
) -> None:
    upstream.standing = answer(png(colour))
    assert words((await service.frame()).body) == {inverted}
    assert words((await service.frame(query=PLAIN)).body) == {plain}
    assert words((await service.frame(query=f"{PLAIN}&format=rgb565-le")).body) == {plain[2:] + plain[:2]}
    swapped = {"f800": "001f", "001f": "f800"}.get(plain, plain)
    assert words((await service.frame(query=f"{PLAIN}&format=bgr565-be")).body) == {swapped}
    assert words((await service.frame(query=f"{PLAIN}&format=bgr565-le")).body) == {swapped[2:] + swapped[:2]}


@pytest.mark.parametrize(
    ("rotate", "corner_words"),
    [
        (0, ["f800", "07e0", "001f", "ffff"]),
        (90, ["001f", "f800", "ffff", "07e0"]),
        (180, ["ffff", "001f", "07e0", "f800"]),
        (270, ["07e0", "ffff", "f800", "001f"]),
    ],
)
async def test_check_27_rows_go_from_the_top_and_turns_are_clockwise(
    service: Service, upstream: ScriptedA1111, rotate: int, corner_words: list[str]
) -> None:
    upstream.standing = answer(encode(corners()))
    got = await service.frame(query=f"{PLAIN}&rotate={rotate}&width=32&height=16")
    pixels = np.frombuffer(got.body, ">u2").reshape(16, 32)
    assert [f"{pixels[y, x]:04x}" for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1))] == corner_words


async def test_check_29_the_grid_is_skipped(service: Service, upstream: ScriptedA1111) -> None:
    info = json.dumps({"index_of_first_image": 1, "seed": 5, "all_seeds": [5, 6]})
    upstream.standing = answer(png(RED), png(GREEN), png(BLUE), info=info)
    got = await service.frame(query=PLAIN)
    assert words(got.body) == {"07e0"}
    assert (got.headers["X-Image-Count"], got.headers["X-Image-Seed"]) == ("3", "5")
    got = await service.frame(query=f"{PLAIN}&index=0")
    assert words(got.body) == {"f800"}
    got = await service.frame(query=f"{PLAIN}&index=2")
    assert words(got.body) == {"001f"}
    assert got.headers["X-Image-Seed"] == "6"


@pytest.mark.parametrize("index", [3, 99])
async def test_an_index_without_a_picture_is_a_422_that_tells_the_good_ones(
    service: Service, upstream: ScriptedA1111, index: int
) -> None:
    upstream.standing = answer(png(), "/a/path.mp4", png())
    got = await service.frame(query=f"?index={index}")
    assert got.status == 422
    assert got.json()["error"] == f"index: {index} is no picture of this answer; good ones are 0, 2"
    assert (await service.frame(query="?index=1")).status == 422
    assert (await service.frame(query="?index=2")).status == 200


@pytest.mark.parametrize(
    "info",
    [
        *("", {}, "no json", "[1]", 5, {"index_of_first_image": 0}, '{"index_of_first_image": 9}'),
        *('{"index_of_first_image": -1}', '{"index_of_first_image": null}', '{"index_of_first_image": "1"}'),
        '{"index_of_first_image": true}',
    ],
    ids=str,
)
async def test_check_29_without_a_word_on_it_the_first_picture_is_taken(
    service: Service, upstream: ScriptedA1111, info: Any
) -> None:
    upstream.standing = answer(png(RED), png(GREEN), info=info)
    got = await service.frame(query=PLAIN)
    assert words(got.body) == {"f800"}
    assert "X-Image-Seed" not in got.headers


async def test_check_29_info_may_be_missing_or_an_object(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = Reply(body=json.dumps({"images": [b64(png(GREEN))]}).encode())
    assert words((await service.frame(query=PLAIN)).body) == {"07e0"}
    upstream.standing = answer(png(RED), png(GREEN), info={"index_of_first_image": 1, "seed": 7})
    got = await service.frame(query=PLAIN)
    assert (words(got.body), got.headers["X-Image-Seed"]) == ({"07e0"}, "7")


async def test_a_path_where_the_first_image_should_be_is_passed_over(service: Service, upstream: ScriptedA1111) -> None:
    video = b64(b"\0\0\0\x20ftypisom" + bytes(90))
    upstream.standing = answer("/out/a.mp4", video, "", None, png(GREEN), png(RED))
    got = await service.frame(query=PLAIN)
    assert (words(got.body), got.headers["X-Image-Count"]) == ({"07e0"}, "2")


def turned_jpeg() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(corners(), "JPEG", exif=exif, quality=95)


def translucent() -> bytes:
    image = gradient().convert("RGBA")
    image.putalpha(64)
    return encode(image)


ODD_PICTURES = {
    **{mode: encode(gradient(mode=mode)) for mode in ("L", "P", "LA", "RGBA", "1")},
    "translucent": translucent(),
    "cmyk": encode(gradient(mode="CMYK"), "JPEG"),
    "turned": turned_jpeg(),
    "jpeg": encode(gradient(), "JPEG"),
    "webp": encode(gradient(), "WEBP"),
    "gif": encode(gradient(), "GIF"),
    "bmp": encode(gradient(), "BMP"),
}


@pytest.mark.parametrize("name", ODD_PICTURES)
async def test_check_30_and_31_every_mode_and_kind_equals_the_definition(
    service: Service, upstream: ScriptedA1111, name: str
) -> None:
    upstream.standing = answer(ODD_PICTURES[name])
    assert (await service.frame()).body == definition(ODD_PICTURES[name])


async def test_check_30_named_displays_composite_alpha_and_turn(service: Service, upstream: ScriptedA1111) -> None:
    named = "?display=waveshare-pico-lcd-1.3"
    upstream.standing = answer(png((255, 255, 255, 0), mode="RGBA"))
    assert words((await service.frame(query=PLAIN)).body) == {"ffff"}
    assert words((await service.frame(query=named)).body) == {"0000"}
    assert words((await service.frame(query=f"{named}&background=%230000FF")).body) == {"001f"}
    upstream.standing = answer(turned_jpeg())
    stored, upright = [
        np.frombuffer((await service.frame(query=query)).body, ">u2").reshape(240, 240) for query in (PLAIN, named)
    ]
    assert (stored[20, 20] >> 11, stored[20, 20] & 31) == (31, 0)
    assert (upright[20, 20] >> 11, upright[20, 20] & 31) == (0, 31)


async def test_check_30_sixteen_bits_are_scaled(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = answer(encode(Image.new("I;16", (8, 8), 0x8421)))
    assert words((await service.frame(query=PLAIN)).body) == {"8430"}


@pytest.mark.parametrize("size", [(512, 512), (512, 768), (768, 512), (192, 192), (1, 1), (7, 900)])
async def test_check_32_every_size_is_stretched(
    service: Service, upstream: ScriptedA1111, size: tuple[int, int]
) -> None:
    picture = encode(gradient(size))
    upstream.standing = answer(picture)
    assert (await service.frame()).body == definition(picture)
    got = await service.frame(query=f"{PLAIN}&width=31&height=17")
    assert got.body == definition(picture, 31, 17, invert=False)
    assert (got.headers["X-Image-Width"], got.headers["X-Image-Height"]) == ("31", "17")


async def test_check_32_the_fit_is_the_one_chosen(service: Service, upstream: ScriptedA1111) -> None:
    tall = Image.new("RGB", (100, 300), GREEN)
    tall.paste(RED, (0, 0, 100, 100))
    tall.paste(BLUE, (0, 200, 100, 300))
    upstream.standing = answer(encode(tall))
    striped = ["f800", "07e0", "001f"]
    expected = {"stretch": (striped, "07e0"), "cover": (["07e0"] * 3, "07e0"), "contain": (striped, "ffe0")}
    for fit, (middle, edge) in expected.items():
        got = await service.frame(query=f"{PLAIN}&fit={fit}&width=60&height=60&background=%23ffff00")
        pixels = np.frombuffer(got.body, ">u2").reshape(60, 60)
        assert [f"{pixels[y, 30]:04x}" for y in (5, 30, 54)] == middle
        assert f"{pixels[30, 2]:04x}" == edge


def wrapped(text: str) -> str:
    return "\r\n".join(text[i : i + 76] for i in range(0, len(text), 76)) + "\n"


@pytest.mark.parametrize(
    "write",
    [
        lambda text: "data:image/png;base64," + text,
        wrapped,
        lambda text: text.rstrip("="),
        lambda text: f"data:image/png;base64,\n {wrapped(text).rstrip('=')} \t",
    ],
    ids=["prefix", "newlines", "no padding", "all"],
)
@pytest.mark.parametrize("size", [(8, 8), (9, 8), (11, 8)])
async def test_check_33_base64_as_servers_write_it(
    service: Service, upstream: ScriptedA1111, write: Any, size: tuple[int, int]
) -> None:
    picture = encode(gradient(size))
    upstream.standing = answer(write(b64(picture)))
    assert (await service.frame()).body == definition(picture)


async def test_check_35_a_batch_gives_its_first_picture(service: Service, upstream: ScriptedA1111) -> None:
    info = json.dumps({"all_seeds": [1, 2, 3, 4], "seed": 1, "index_of_first_image": 0})
    upstream.standing = answer(png(RED), png(GREEN), png(BLUE), png(WHITE), info=info)
    got = await service.frame({"batch_size": 4, "send_images": False}, PLAIN)
    assert (words(got.body), got.headers["X-Image-Count"], got.headers["X-Image-Seed"]) == ({"f800"}, "4", "1")


@pytest.mark.parametrize(("seed", "told"), [(0, "0"), (2**63, str(2**63)), (-1, None), (10**30, None), ("7", None)])
async def test_the_seed_is_told_where_it_is_one(
    service: Service, upstream: ScriptedA1111, seed: Any, told: str | None
) -> None:
    upstream.standing = answer(png(), info=json.dumps({"seed": seed}))
    assert (await service.frame()).headers.get("X-Image-Seed") == told


async def test_check_37_there_is_one_converter(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = answer(encode(gradient((200, 120))))
    original = await service.txt2img({}, "?answer=original")
    offline = convert(base64.b64decode(original.json()["images"][0]), default_display(240, 240, invert=True))
    assert (await service.frame()).body == offline.data
    assert base64.b64decode((await service.txt2img()).json()["images"][0]) == offline.data


async def test_img2img_answers_the_same(service: Service, upstream: ScriptedA1111) -> None:
    got = await service.ask("POST", "/sdapi/v1/img2img", {"init_images": [b64(png())]}, accept=RAW)
    assert (got.status, words(got.body)) == (200, {"07ff"})
    assert upstream.seen[0].target == "/sdapi/v1/img2img"
