"""Open WebUI's image router, replayed (aiohttp). Checks 43 and 56."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from clients.replay import AIOHTTP, Answer, Client
from fakes.a1111 import ScriptedA1111, answer, said
from fakes.pictures import b64, png
from service import open_service

# AUTOMATIC1111_API_AUTH not set, set to nothing, and set.
AUTHORIZATIONS = {"none": "", "empty": "Basic ", "set": "Basic " + b64(b"user:pass")}
OPTIONS = "/sdapi/v1/options"


def read_json(got: Answer) -> Any:
    """aiohttp's json(), which wants this content type."""
    assert (got.header("content-type") or "").startswith("application/json")
    return got.json()


class OpenWebUI:
    """The calls of its router, and what each of them reads."""

    def __init__(self, base: str, authorization: str = "") -> None:
        self.client = Client(base, AIOHTTP, authorization)

    async def verify_url(self) -> bool:
        return (await self.client.get(OPTIONS)).ok

    async def get_image_model(self) -> str:
        return read_json(await self.client.get(OPTIONS))["sd_model_checkpoint"]

    async def get_models(self) -> list[dict[str, str]]:
        models = read_json(await self.client.get("/sdapi/v1/sd-models"))
        return [{"id": model["title"], "name": model["model_name"]} for model in models]

    async def set_image_model(self, model: str) -> None:
        options = read_json(await self.client.get(OPTIONS))
        if model != options["sd_model_checkpoint"]:
            options["sd_model_checkpoint"] = model
            assert (await self.client.post(OPTIONS, options)).ok

    async def generate(self, **data: Any) -> list[tuple[bytes, str, Any]]:
        """The bytes, the media type and the info of each picture. The status is not looked at."""
        await self.get_image_model()
        res = (await self.client.post("/sdapi/v1/txt2img", data)).json()
        return [(*self.load(image), res["info"]) for image in res["images"]]

    @staticmethod
    def load(data: str) -> tuple[bytes, str]:
        if "," not in data:
            return base64.b64decode(data), "image/png"
        header, encoded = data.split(",", 1)
        return base64.b64decode(encoded), header.split(";")[0].removeprefix("data:")


async def session(base: str, authorization: str) -> dict[str, Any]:
    """An administrator sets it up and chooses a model, a user draws."""
    app = OpenWebUI(base, authorization)
    models = await app.get_models()
    await app.set_image_model(models[-1]["id"])
    drawn = await app.generate(
        prompt="ein Bär 熊", batch_size=2, width=64, height=48, steps=2, negative_prompt="fog", seed=7
    )
    return {"verified": await app.verify_url(), "models": models, "drawn": drawn}


@pytest.mark.parametrize("authorization", AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
async def test_check_56_a_session(base: str, web_ui: ScriptedA1111, authorization: str) -> None:
    got = await session(base, authorization)
    assert got["verified"]
    assert len(got["drawn"]) == 2
    for data, media_type, info in got["drawn"]:
        picture = Image.open(io.BytesIO(data))
        assert (picture.format, picture.size, media_type) == ("PNG", (64, 48), "image/png")
        assert picture.info["parameters"] in json.loads(info)["infotexts"]


async def test_check_56_it_ends_up_with_what_the_web_ui_gave(
    web_ui: ScriptedA1111, plain_api: str, fresh_web_ui: Any
) -> None:
    direct = await session(web_ui.url, "")
    asked = [(seen.method, seen.target, seen.body) for seen in web_ui.seen]
    fresh_web_ui()
    assert await session(plain_api, "") == direct
    assert [(seen.method, seen.target, seen.body) for seen in web_ui.seen] == asked


async def test_check_56_the_options_go_back_complete(base: str, web_ui: ScriptedA1111) -> None:
    app = OpenWebUI(base)
    (before, models) = read_json(await app.client.get(OPTIONS)), await app.get_models()
    other = next(model["id"] for model in models if model["id"] != before["sd_model_checkpoint"])
    await app.set_image_model(other)
    (posted,) = [seen for seen in web_ui.seen if (seen.method, seen.target) == ("POST", OPTIONS)]
    assert posted.body == app.client.write({**before, "sd_model_checkpoint": other})
    assert await app.get_image_model() == other


async def test_check_23_a_data_uri_keeps_its_media_type(base: str, web_ui: ScriptedA1111) -> None:
    picture = png()
    web_ui.script = [
        said({"sd_model_checkpoint": "m"}),
        answer(f"data:image/webp;base64,{b64(picture)}", picture, info="not JSON"),
    ]
    assert await OpenWebUI(base).generate(prompt="a") == [
        (picture, "image/webp", "not JSON"),
        (picture, "image/png", "not JSON"),
    ]


@pytest.mark.parametrize("authorization", AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
async def test_check_43_its_authorization_stays_here(web_ui: ScriptedA1111, plain_api: str, authorization: str) -> None:
    await session(plain_api, authorization)
    assert {seen.header("authorization") for seen in web_ui.seen} == {None}


async def test_check_44_a_key_is_the_password(web_ui: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=web_ui.url, service_api_key="pass") as locked:
        base = f"{locked.url}/original"
        assert len((await session(base, AUTHORIZATIONS["set"]))["drawn"]) == 2
        assert not await OpenWebUI(base, AUTHORIZATIONS["none"]).verify_url()
        assert not await OpenWebUI(base, AUTHORIZATIONS["empty"]).verify_url()
