"""aiyabot, replayed (requests). Checks 3, 18, 49 and 56."""

from __future__ import annotations

import asyncio
import base64
import io
from typing import Any

from PIL import Image

from clients.replay import REQUESTS, Client, hold
from fakes.a1111 import ScriptedA1111, said
from fakes.personalities import PERSONALITIES
from fakes.pictures import BLUE, b64, png
from service import open_service

PAYLOAD = {
    "prompt": "ein Bär 熊",
    "negative_prompt": "fog",
    "steps": 2,
    "width": 64,
    "height": 48,
    "cfg_scale": 7.0,
    "sampler_name": "Euler",
    "seed": 7,
    "seed_resize_from_h": 0,
    "seed_resize_from_w": 0,
    "denoising_strength": None,
    "n_iter": 2,
    "styles": ["None"],
    "override_settings": {"CLIP_stop_at_last_layers": 1},
}
LISTS = ["samplers", "prompt-styles", "face-restorers", "embeddings", "hypernetworks", "upscalers", "sd-models"]


class Aiyabot:
    """What it asks at its start and for each job, and what it reads."""

    def __init__(self, base: str, authorization: str | None = None) -> None:
        self.client = Client(base, REQUESTS, authorization)

    async def start_check(self) -> tuple[bool, bool]:
        """Does the API want credentials, and is it there at all? It asks without any."""
        plain = Client(self.client.base, REQUESTS)
        flags = await plain.get("/sdapi/v1/cmd-flags")
        await plain.ask("HEAD", "")
        return flags.status == 401, flags.status != 404

    async def populate(self) -> dict[str, Any]:
        await self.client.post("/login")  # Gradio's; without users of the page its answer does not matter
        lists = {name: (await self.client.get(f"/sdapi/v1/{name}")).json() for name in LISTS}
        config = (await self.client.get("/config")).json()
        named = {c["props"].get("elem_id"): c["props"] for c in config["components"]}
        return {
            "samplers": [entry["name"] for entry in lists["samplers"]],
            "styles": {entry["name"]: (entry["prompt"], entry["negative_prompt"]) for entry in lists["prompt-styles"]},
            "face restorers": [entry["name"] for entry in lists["face-restorers"]],
            "embeddings": [*lists["embeddings"]["loaded"], *lists["embeddings"]["skipped"]],
            "hypernetworks": [entry["name"] for entry in lists["hypernetworks"]],
            "upscalers": [entry["name"] for entry in lists["upscalers"]],
            "models": [(m["title"], m["model_name"], m["hash"], m["filename"]) for m in lists["sd-models"]],
            "hires upscalers": named.get("txt2img_hr_upscaler", {}).get("choices"),
            "page": config,
        }

    async def dream(self, model: str, **more: Any) -> list[tuple[bytes, str]]:
        """The picture's bytes and the text it writes into each file."""
        await self.client.post("/sdapi/v1/options", {"sd_model_checkpoint": model})
        route = "img2img" if "init_images" in more else "txt2img"
        data = (await self.client.post(f"/sdapi/v1/{route}", {**PAYLOAD, **more})).json()
        files = []
        for image in data["images"]:
            read = await self.client.post("/sdapi/v1/png-info", {"image": "data:image/png;base64," + image})
            files.append((base64.b64decode(image.split(",", 1)[0]), read.json().get("info")))
        return files


async def session(base: str) -> dict[str, Any]:
    bot = Aiyabot(base)
    known = await bot.populate()
    model = known["models"][-1][0]
    drawn = await bot.dream(model)
    redrawn = await bot.dream(model, init_images=["data:image/png;base64," + b64(png(BLUE))], denoising_strength=0.75)
    return {"started": await bot.start_check(), "known": known, "drawn": drawn, "redrawn": redrawn}


async def test_check_56_a_session(base: str) -> None:
    got = await session(base)
    assert got["started"] == (False, True)
    assert all(got["known"][name] for name in ("samplers", "models", "upscalers", "styles"))
    assert got["known"]["page"]["components"]
    assert (len(got["drawn"]), len(got["redrawn"])) == (2, 2)
    for data, info in got["drawn"] + got["redrawn"]:
        picture = Image.open(io.BytesIO(data))
        assert picture.format == "PNG"
        assert picture.info["parameters"] == info
        assert info.startswith("ein Bär 熊\nNegative prompt: fog\nSteps: 2, ")


async def test_check_56_it_ends_up_with_what_the_web_ui_gave(
    web_ui: ScriptedA1111, plain_api: str, fresh_web_ui: Any
) -> None:
    direct = await session(web_ui.url)
    asked = [(seen.method, seen.target, seen.body) for seen in web_ui.seen]
    fresh_web_ui()
    assert await session(plain_api) == direct
    assert [(seen.method, seen.target, seen.body) for seen in web_ui.seen if seen.target != "/login"] == [
        entry for entry in asked if entry[1] != "/login"
    ]


async def test_check_03_head_of_the_base_url(base: str) -> None:
    """requests asks for /original, without a slash at the end, and follows no redirect of a HEAD."""
    got = await Client(base, REQUESTS).ask("HEAD", "")
    assert got.status == 200


async def test_check_44_it_learns_that_a_key_is_wanted(upstream: ScriptedA1111) -> None:
    PERSONALITIES["a1111"](credentials=("ours", "theirs")).play(upstream)
    assert await Aiyabot(upstream.url).start_check() == (True, True)
    settings = {"service_api_key": "geheim", "a1111_username": "ours", "a1111_password": "theirs"}
    async with open_service(a1111_base_url=upstream.url, **settings) as locked:
        bot = Aiyabot(f"{locked.url}/original", "Basic " + b64(b"anybody:geheim"))
        assert await bot.start_check() == (True, True)
        assert len(await bot.dream("m")) == 2


async def test_check_02_it_learns_that_there_is_no_api(base: str, web_ui: ScriptedA1111) -> None:
    web_ui.standing = said({"detail": "Not Found"}, 404)
    assert await Aiyabot(base).start_check() == (False, False)


async def test_check_49_progress_is_there_while_the_job_runs(base: str, web_ui: ScriptedA1111) -> None:
    gate, plain = asyncio.Event(), web_ui.standing
    assert callable(plain)
    web_ui.standing = hold(plain, "/txt2img", gate)
    bot = Aiyabot(base)
    job = asyncio.create_task(bot.dream("m"))
    try:
        await web_ui.wait_for(2)  # the options, and the job
        for _ in range(3):
            polled = (await bot.client.get("/sdapi/v1/progress")).json()
            assert {"job"} <= polled["state"].keys()
            assert "current_image" in polled
        assert not job.done()
    finally:
        gate.set()
    assert len(await job) == 2
