"""The personalities of the scripted upstream behave as the servers do whose names they bear."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from PIL import Image

from fakes.a1111 import ScriptedA1111
from fakes.personalities import A1111_TEST_PAYLOADS, PERSONALITIES, Personality
from fakes.pictures import b64, corners, encode
from service import TXT2IMG, Said, Service

SDAPI = "/sdapi/v1/"
FAMILY = ["a1111", "forge", "reforge", "sdnext"]
LISTS = [
    *("samplers", "schedulers", "upscalers", "latent-upscale-modes", "sd-models", "sd-vae", "hypernetworks"),
    *("face-restorers", "realesrgan-models", "prompt-styles", "embeddings", "loras", "scripts", "script-info"),
    *("extensions", "memory", "cmd-flags", "options", "progress"),
]


@pytest.fixture(scope="module")
async def direct(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with aiohttp.ClientSession(headers={"Accept-Encoding": "identity"}, auto_decompress=False) as session:
        yield Service(_upstream.port, session)


@pytest.fixture(params=list(PERSONALITIES))
def server(request: pytest.FixtureRequest, upstream: ScriptedA1111) -> Personality:
    """Each of them in turn; `direct` talks to it."""
    return PERSONALITIES[request.param]().play(upstream)


@pytest.fixture
def a1111(upstream: ScriptedA1111) -> Personality:
    return PERSONALITIES["a1111"]().play(upstream)


def pictures(got: Said) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in got.json()["images"]]


async def test_pictures_have_the_format_size_and_number_of_this_server(direct: Service, server: Personality) -> None:
    body = {**server.smallest, "width": 250, "height": 330, "batch_size": 2, "seed": 7}
    if server.name == "xinference":
        body.pop("batch_size")
    got = await direct.txt2img(body)
    assert got.status == 200
    assert [image.format for image in pictures(got)] == [server.picture_format] * server.count_of(2)
    assert {image.size for image in pictures(got)} == {server.size_of(250, 330)}
    assert (await direct.txt2img(body)).body == got.body
    assert (await direct.txt2img({**body, "seed": 80})).json()["images"][0] not in got.json()["images"]


async def test_info_and_parameters_have_the_form_of_this_server(direct: Service, server: Personality) -> None:
    said = (await direct.txt2img(server.smallest)).json()
    forms = {"text": str, "empty": str, "object": dict, "absent": type(None)}
    assert isinstance(said.get("info"), forms[server.info_form])
    assert ("info" in said, "parameters" in said) == (server.has_info, server.has_parameters)
    if server.info_form == "text":
        assert json.loads(said["info"])["infotexts"]
    else:
        assert not isinstance(said.get("info"), str) or said["info"] == ""


REFUSALS: dict[str, Any] = {
    "a1111": {
        "detail": [{"loc": ["body", "steps"], "msg": "value is not a valid integer", "type": "type_error.integer"}]
    },
    "forge": {
        "detail": [
            {
                "type": "int_parsing",
                "loc": ["body", "steps"],
                "msg": "Input should be a valid integer, unable to parse string as an integer",
                "input": "many",
                "url": "https://errors.pydantic.dev/2.8/v/int_parsing",
            }
        ]
    },
    "sdnext": {
        "error": "HTTPException",
        "code": 404,
        "detail": "Sampler not found",
        "body": "",
        "errors": "404: Sampler not found",
    },
    "sdcpp": {"error": "prompt required"},
    "drawthings": {"error": "HTTPException", "detail": 'Unrecognized keys: ["display"]', "body": "", "errors": ""},
    "xinference": {"detail": "Unknown model"},
}


async def test_what_is_wrong_is_refused_in_the_words_of_this_server(direct: Service, server: Personality) -> None:
    if server.wrong is None:
        assert server.name == "koboldcpp"
        assert (await direct.txt2img({"width": "wide", "steps": None})).status == 200
        return
    got = await direct.txt2img(server.wrong, content_type="application/json")
    assert got.status == server.wrong_status
    assert got.json() == REFUSALS["a1111" if server.name == "reforge" else server.name]


async def test_unknown_paths_wrong_methods_and_slashes(direct: Service, server: Personality) -> None:
    missing = await direct.ask("GET", "/sdapi/v1/nothing")
    assert (missing.status, missing.body) == (404, server.not_found)
    wrong = await direct.ask("GET", TXT2IMG)
    assert wrong.status == server.wrong_method_status
    assert wrong.headers.get("allow") == ("POST" if wrong.status == 405 else None)
    slash = await direct.ask("POST", f"{TXT2IMG}/?a=%20", {**server.smallest})
    assert slash.status == server.slash_status
    if slash.status == 307:
        assert slash.headers["location"] == f"{direct.url}{TXT2IMG}?a=%20"


async def test_the_background_look_sees_what_this_server_lists(direct: Service, server: Personality) -> None:
    got = await direct.ask("GET", "/sdapi/v1/samplers")
    assert got.status == (200 if server.has_samplers else 404)
    assert server.has_samplers == (server.name != "drawthings")


async def test_interrupt_and_options_answer_as_this_server_does(direct: Service, server: Personality) -> None:
    got = await direct.ask("POST", "/sdapi/v1/interrupt")
    assert got.status == (server.interrupt_status or server.wrong_method_status if server.has_interrupt else 404)
    assert got.body == (b"{}" if got.status == 200 else b"" if got.status == 204 else server.not_found)
    assert server.has_interrupt == server.has_progress == server.has_skip == (server.name in FAMILY)
    if server.name in FAMILY:
        said = await direct.ask("POST", "/sdapi/v1/options", {"jpeg_quality": 90})
        assert said.json() == ({"updated": [{"jpeg_quality": True}]} if server.name == "sdnext" else None)
        assert (await direct.ask("GET", "/sdapi/v1/options")).json()["jpeg_quality"] == 90


@pytest.mark.parametrize("name", A1111_TEST_PAYLOADS)
async def test_a1111_accepts_the_payloads_of_its_own_tests(direct: Service, a1111: Personality, name: str) -> None:
    route, body = A1111_TEST_PAYLOADS[name]
    got = await direct.ask("POST", SDAPI + route, body)
    assert got.status == 200
    if name == "txt2img hires fix":
        assert [image.size for image in pictures(got)] == [(128, 128)]


@pytest.mark.parametrize("name", LISTS)
async def test_a1111_lists_everything(direct: Service, a1111: Personality, name: str) -> None:
    got = await direct.ask("GET", SDAPI + name)
    assert (got.status, got.headers["x-process-time"]) == (200, "0.25")
    assert got.json() or name == "hypernetworks"


@pytest.mark.parametrize("kind", FAMILY)
async def test_words_are_in_the_picture_and_the_grid_comes_first(
    direct: Service, upstream: ScriptedA1111, kind: str
) -> None:
    PERSONALITIES[kind]().play(upstream)
    body = {"prompt": "熊, é", "negative_prompt": "fog", "width": 64, "height": 64, "n_iter": 3, "save_images": True}
    got = await direct.txt2img(body)
    info = json.loads(got.json()["info"])
    assert [image.size for image in pictures(got)] == [(128, 128)] + [(64, 64)] * 3
    assert (info["index_of_first_image"], len(info["all_seeds"]), len(info["infotexts"])) == (1, 3, 4)
    for image, text in zip(got.json()["images"], info["infotexts"], strict=True):
        read = (await direct.ask("POST", "/sdapi/v1/png-info", {"image": f"data:image/png;base64,{image}"})).json()
        assert read["info"] == text
        assert (read["parameters"]["Prompt"], read["parameters"]["Negative prompt"]) == ("熊, é", "fog")
    assert got.json()["parameters"]["seed"] == -1
    assert (await direct.txt2img({**body, "send_images": False})).json()["images"] == []


async def test_img2img_wants_a_picture_and_does_not_echo_it(direct: Service, a1111: Personality) -> None:
    async def ask(**fields: Any) -> Said:
        return await direct.ask("POST", "/sdapi/v1/img2img", {"width": 64, "height": 64, **fields})

    assert (await ask()).json()["detail"] == "Init image not found"
    assert (await ask(init_images=["????"])).json()["detail"] == "Invalid encoded image"
    assert (await ask(init_images=["http://localhost/a.png"])).status == 500
    image = b64(encode(corners()))
    assert (await ask(init_images=[image])).json()["parameters"]["init_images"] is None
    assert (await ask(init_images=[image], include_init_images=True)).json()["parameters"]["init_images"] == [image]


LENIENT = [
    (b"{}", "", 200),
    (b'{"steps": "20", "width": 64.9, "prompt": 5, "tiling": "yes"}', "application/vnd.x+json", 200),
    (b'{"url": "x", "auth": "y", "clip_skip": 2, "seed": 9223372036854775808}', "application/json", 200),
    (b"", "application/json", 422),
    (b"{bad", "application/json", 422),
    (b"[1]", "application/json", 422),
    (b"{}", "text/plain", 422),
    (b'{"prompt": ["a"]}', "application/json", 422),
    (b'{"script_name": "nobody"}', "application/json", 422),
    (b'{"alwayson_scripts": {"x/y/z plot": {}}}', "application/json", 422),
    (b'{"steps": null}', "application/json", 500),
    (b'{"width": 0}', "application/json", 500),
    (b'{"override_settings": {"nope": 1}}', "application/json", 500),
]


@pytest.mark.parametrize(("body", "kind", "status"), LENIENT)
async def test_a1111_takes_and_refuses(
    direct: Service, a1111: Personality, body: bytes, kind: str, status: int
) -> None:
    got = await direct.txt2img(body, **({"content_type": kind} if kind else {}))
    assert got.status == status
    assert ("x-process-time" in got.headers) == (status != 500)


STRICT = [b'{"steps": 20.5}', b'{"prompt": 5}', b'{"script_args": null}', b"[1]", b"{bad", b""]


@pytest.mark.parametrize("body", STRICT)
async def test_forge_is_stricter(direct: Service, upstream: ScriptedA1111, body: bytes) -> None:
    PERSONALITIES["forge"]().play(upstream)
    got = await direct.txt2img(body, content_type="application/json")
    assert got.status == 422
    assert {"type", "loc", "msg", "input"} <= got.json()["detail"][0].keys()


async def test_progress_shows_a_busy_server(direct: Service, a1111: Personality) -> None:
    idle = (await direct.ask("GET", "/sdapi/v1/progress")).json()
    assert (idle["progress"], idle["state"]["job_count"], idle["current_image"]) == (0.0, 0, None)
    a1111.busy = True
    busy = (await direct.ask("GET", "/sdapi/v1/progress")).json()
    assert Image.open(io.BytesIO(base64.b64decode(busy["current_image"]))).format == "PNG"
    await direct.ask("POST", "/sdapi/v1/options", {"samples_format": "webp"})
    busy = (await direct.ask("GET", "/sdapi/v1/progress?skip_current_image=false")).json()
    assert Image.open(io.BytesIO(base64.b64decode(busy["current_image"]))).format == "WEBP"
    without = (await direct.ask("GET", "/sdapi/v1/progress?skip_current_image=true")).json()
    assert (without["progress"], without["current_image"]) == (busy["progress"], None)
    assert (await direct.ask("GET", "/sdapi/v1/progress?skip_current_image=maybe")).status == 422


async def test_a_task_is_known_by_its_id(direct: Service, a1111: Personality) -> None:
    async def completed() -> Any:
        return (await direct.ask("POST", "/internal/progress", {"id_task": "mine"})).json()["completed"]

    assert await completed() is False
    await direct.txt2img({"force_task_id": "mine"})
    assert await completed() is True


async def test_gzip_only_for_those_who_ask_and_for_long_answers(direct: Service, a1111: Personality) -> None:
    plain = await direct.txt2img()
    packed = await direct.txt2img(accept_encoding="gzip, deflate")
    assert gzip.decompress(packed.body) == plain.body
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in (await direct.ask("GET", "/internal/ping", accept_encoding="gzip")).headers


async def test_head_has_the_length_but_no_body(direct: Service, a1111: Personality) -> None:
    got = await direct.ask("HEAD", "/")
    assert (got.status, got.body, got.headers["content-length"]) == (200, b"", "112")


@pytest.mark.parametrize("kind", [*FAMILY, "xinference"])
async def test_credentials_are_asked_for_before_the_body(direct: Service, upstream: ScriptedA1111, kind: str) -> None:
    server = PERSONALITIES[kind](credentials=("user", "pa:ss")).play(upstream)
    right = "Bearer pa:ss" if server.scheme == "Bearer" else "Basic " + b64(b"user:pa:ss")
    assert (await direct.txt2img(server.smallest, authorization=right)).status == 200
    for wrong in ("", "Basic ", "Basic " + b64(b"user:pa"), "Bearer x"):
        got = await direct.txt2img(b'{"steps": []', authorization=wrong)
        assert got.status == 401
        assert ("www-authenticate" in got.headers) == (kind in ("forge", "xinference"))
        assert ("error" in got.json()) == (kind in ("a1111", "reforge", "sdnext"))
    assert (await direct.ask("GET", "/")).status == 200


async def test_koboldcpp_busy_and_failing(direct: Service, upstream: ScriptedA1111) -> None:
    server = PERSONALITIES["koboldcpp"](busy=True).play(upstream)
    got = await direct.txt2img({"prompt": "a"})
    assert (got.status, got.json()["detail"]["type"]) == (503, "service_unavailable")
    server.busy, server.failing = False, True
    got = await direct.txt2img({"prompt": "a"})
    assert (got.status, got.json()["images"]) == (200, [""])
    assert server.size_of(240, 4000) == (192, 1024)
