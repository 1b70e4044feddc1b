"""StableStudio's webui plugin, replayed (a browser). Checks 24, 47 and 56."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from clients.replay import CHROME, CHROME_PREFLIGHT, Answer, Client
from fakes.a1111 import Reply, ScriptedA1111, Seen, said
from fakes.pictures import b64
from service import Service, open_service

PAGE = "http://localhost:3000"
HISTORY = "/StableStudio/get-generated-images"
ALLOW = "Access-Control-Allow-Origin"


@pytest.fixture(scope="module")
async def open_to_page(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(
        a1111_base_url=_upstream.url, cors_origins=PAGE, relay_prefixes="/StableStudio/"
    ) as service:
        yield service


@pytest.fixture
def plain_api(open_to_page: Service) -> str:
    """The base URL of the plain A1111 API of a service that lets the page in."""
    return f"{open_to_page.url}/original"


class Plugin:
    """The calls of src/index.ts and src/Utilities.ts in a browser, and what they read.

    A `strict` browser hides an answer from the page that does not name its origin; A1111 without flags names none.
    """

    def __init__(self, base: str, *, strict: bool, origin: str = PAGE) -> None:
        self.strict = strict
        self.page = Client(base, CHROME, origin=origin)
        self.browser = Client(base, CHROME_PREFLIGHT, origin=origin)

    async def fetch(self, path: str, method: str = "GET", body: Any = None, *, typed: bool = True) -> Answer:
        """A JSON Content-Type makes the browser ask before, for a GET as well."""
        values = {"type": "application/json"} if typed else {}
        if typed and self.strict:
            preflight = await self.browser.ask("OPTIONS", path, asked_method=method)
            self.check(preflight)
            assert preflight.ok
            assert "content-type" in (preflight.header("Access-Control-Allow-Headers") or "").lower()
        answer = await self.page.ask(method, path, body, **values)
        self.check(answer)
        return answer

    def check(self, answer: Answer) -> None:
        if self.strict and answer.header(ALLOW) not in ("*", self.page.origin):
            raise TypeError("Failed to fetch")

    async def get_status(self) -> tuple[bool, bool]:
        """Is it there, and is its history plugin?"""
        options = await self.fetch("/sdapi/v1/options", typed=False)
        return options.ok, (await self.fetch(HISTORY, "POST", {"limit": 1})).ok

    async def get_models(self) -> list[tuple[str, str]]:
        models = (await self.fetch("/sdapi/v1/sd-models", typed=False)).json()
        return [(model["title"], model["model_name"]) for model in models]

    async def get_samplers(self) -> list[str]:
        return [sampler["name"] for sampler in (await self.fetch("/sdapi/v1/samplers", typed=False)).json()]

    async def get_styles(self) -> tuple[list[str], list[str], list[str]]:
        embeddings = (await self.fetch("/sdapi/v1/embeddings")).json()
        loras = (await self.fetch("/sdapi/v1/loras")).json()
        hypernetworks = (await self.fetch("/sdapi/v1/hypernetworks")).json()
        return list(embeddings["loaded"]), [lora["name"] for lora in loras], [net["name"] for net in hypernetworks]

    async def create(self, model: str, count: int, initial: bytes | None = None) -> list[bytes]:
        options = (await self.fetch("/sdapi/v1/options")).json()
        if model != options["sd_model_checkpoint"]:
            said_to_options = await self.fetch("/sdapi/v1/options", "POST", {"sd_model_checkpoint": model})
            said_to_options.json()
        data: dict[str, Any] = {
            "seed": 7,
            "cfgScale": 7,
            "width": 64,
            "height": 48,
            "sampler_name": "Euler",
            "sampler_index": "Euler",
            "prompt": "ein Bär 熊",
            "negative_prompt": "fog",
            "steps": 2,
            "batch_size": count,
            "save_images": True,
        }
        if initial is not None:
            data |= {"denoising_strength": 0.5, "init_images": [b64(initial)]}
        route = "txt2img" if initial is None else "img2img"
        images = (await self.fetch(f"/sdapi/v1/{route}", "POST", data)).json()["images"]
        start = 1 if len(images) > data["batch_size"] else 0
        return [base64.b64decode(image) for image in images[start:]]

    async def upscale(self, initial: bytes) -> bytes:
        data = {"seed": 7, "cfgScale": 7, "upscaling_resize_w": 128, "upscaling_resize_h": 96, "upscaler_1": "Lanczos"}
        answer = await self.fetch("/sdapi/v1/extra-single-image", "POST", {**data, "image": b64(initial)})
        return base64.b64decode(answer.json()["image"])

    async def get_existing(self) -> list[dict[str, str]]:
        """What is written in each picture of the history."""
        entries = (await self.fetch(HISTORY, "POST", {"limit": 20})).json()
        return [await self.get_image_info(entry["content"]) for entry in entries]

    async def get_image_info(self, image: str) -> dict[str, str]:
        info = (await self.fetch("/sdapi/v1/png-info", "POST", {"image": image})).json()["info"].split("\n")
        details = info[2 if len(info) == 3 else 1].split(",")
        found = {name.strip(): value.strip() for name, value in (detail.split(":")[:2] for detail in details)}
        return {"prompt": info[0], **found}


def with_history(web_ui: ScriptedA1111, *pictures: bytes) -> None:
    """Let the web UI have the extension that keeps these pictures."""
    plain = web_ui.standing
    assert callable(plain)
    entries = [
        {"image_name": f"{i}.png", "content": b64(picture), "create_date": 1.7e9 + i, "width": 64, "height": 48}
        for i, picture in enumerate(pictures)
    ]

    def standing(seen: Seen) -> Reply:
        if seen.target != HISTORY or seen.method != "POST":
            return plain(seen)
        return said(entries[: json.loads(seen.body)["limit"]])

    web_ui.standing = standing


async def session(base: str, web_ui: ScriptedA1111, *, strict: bool) -> dict[str, Any]:
    plugin = Plugin(base, strict=strict)
    models = await plugin.get_models()
    drawn = await plugin.create(models[-1][0], 2)
    with_history(web_ui, *drawn)
    return {
        "models": models,
        "samplers": await plugin.get_samplers(),
        "styles": await plugin.get_styles(),
        "drawn": drawn,
        "redrawn": await plugin.create(models[-1][0], 1, drawn[0]),
        "upscaled": await plugin.upscale(drawn[0]),
        "status": await plugin.get_status(),
        "existing": await plugin.get_existing(),
    }


async def test_check_56_a_session(base: str, web_ui: ScriptedA1111) -> None:
    got = await session(base, web_ui, strict=base != web_ui.url)
    assert got["status"] == (True, True)
    assert [Image.open(io.BytesIO(picture)).size for picture in got["drawn"]] == [(64, 48)] * 2
    assert [info["Seed"] for info in got["existing"]] == ["7", "8"]
    assert {info["prompt"] for info in got["existing"]} == {"ein Bär 熊"}
    assert len(got["redrawn"]) == 1


async def test_check_56_it_ends_up_with_what_the_web_ui_gave(
    web_ui: ScriptedA1111, plain_api: str, fresh_web_ui: Any
) -> None:
    direct = await session(web_ui.url, web_ui, strict=False)
    asked = [(seen.method, seen.target, seen.body) for seen in web_ui.seen]
    fresh_web_ui()
    assert await session(plain_api, web_ui, strict=True) == direct
    assert [(seen.method, seen.target, seen.body) for seen in web_ui.seen] == asked


async def test_check_24_the_grid_before_the_pictures_is_dropped(base: str, web_ui: ScriptedA1111) -> None:
    plugin = Plugin(base, strict=base != web_ui.url)
    drawn = await plugin.create("m", 4)
    assert [Image.open(io.BytesIO(picture)).size for picture in drawn] == [(64, 48)] * 4


async def test_check_47_other_pages_are_kept_out(web_ui: ScriptedA1111, plain_api: str) -> None:
    for origin in ("http://localhost:3001", "https://localhost:3000", "http://evil.example", "null"):
        stranger = Plugin(plain_api, strict=True, origin=origin)
        with pytest.raises(TypeError, match="Failed to fetch"):
            await stranger.get_models()
        preflight = await stranger.browser.ask("OPTIONS", "/sdapi/v1/txt2img", asked_method="POST")
        assert preflight.header(ALLOW) is None
    assert [seen for seen in web_ui.seen if seen.method == "OPTIONS"] == []


async def test_check_47_the_page_reads_errors_too(web_ui: ScriptedA1111, plain_api: str) -> None:
    plugin = Plugin(plain_api, strict=True)
    missing = await plugin.fetch("/sdapi/v1/nothing-here", typed=False)
    assert (missing.status, missing.json()) == (404, {"detail": "Not Found"})
    wrong = await plugin.fetch("/sdapi/v1/txt2img", "POST", {"steps": "many"})
    assert wrong.status == 422
    web_ui.script = [Reply(mute=True)]
    assert (await plugin.fetch("/sdapi/v1/txt2img", "POST", {})).status == 502


async def test_check_47_a_browser_asks_before_without_a_key_and_the_page_reads_the_refusal(
    web_ui: ScriptedA1111,
) -> None:
    async with open_service(a1111_base_url=web_ui.url, cors_origins=PAGE, service_api_key="geheim") as locked:
        refused = await Plugin(f"{locked.url}/original", strict=True).fetch("/sdapi/v1/txt2img", "POST", {})
    assert (refused.status, refused.json()["error"]) == (401, "Invalid or missing API key")
    assert web_ui.seen == []


async def test_check_47_without_the_setting_no_page_is_let_in(web_ui: ScriptedA1111, service: Service) -> None:
    with pytest.raises(TypeError, match="Failed to fetch"):
        await Plugin(f"{service.url}/original", strict=True).get_models()


async def test_without_the_setting_the_history_is_not_relayed(web_ui: ScriptedA1111, service: Service) -> None:
    with_history(web_ui)
    answer = await Plugin(f"{service.url}/original", strict=False).fetch(HISTORY, "POST", {"limit": 1})
    assert answer.status == 404
    assert [seen for seen in web_ui.seen if seen.target == HISTORY] == []
