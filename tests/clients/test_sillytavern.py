"""SillyTavern's server, replayed (node-fetch): it can have no prefix. Checks 12, 43, 50 and 56."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image

from clients.replay import NODE_FETCH, Answer, Client, hold
from fakes.a1111 import ScriptedA1111, said
from fakes.pictures import b64
from service import open_service

# What a person wrote into the field for credentials: nothing, or it was never there.
AUTHORIZATIONS = {"empty": "Basic ", "undefined": "Basic dW5kZWZpbmVk"}


@pytest.fixture(scope="module")
async def root_url(_upstream: ScriptedA1111) -> AsyncIterator[str]:
    """Where at most one job runs at a time, so that a slot that is lost is missed."""
    async with open_service(a1111_base_url=_upstream.url, json_images="original", max_workers=1) as service:
        yield service.url


@pytest.fixture(params=["direct", "through"])
def base(request: pytest.FixtureRequest, web_ui: ScriptedA1111, root_url: str) -> str:
    return web_ui.url if request.param == "direct" else root_url


@dataclass
class SillyTavern:
    """The handlers of src/endpoints/stable-diffusion.js, and what each of them reads."""

    base: str
    authorization: str = "Basic "

    def __post_init__(self) -> None:
        self.client = Client(self.base, NODE_FETCH, self.authorization)

    async def fetch(self, name: str, document: Any = None) -> Any:
        """A GET, or a POST of the document; the handlers throw when the answer is not ok."""
        method = "GET" if document is None else "POST"
        result = await self.client.ask(method, f"/sdapi/v1/{name}", document)
        assert result.ok, f"{name}: {result.status}"
        return result.json()

    async def names(self, name: str) -> list[str]:
        return [entry["name"] for entry in await self.fetch(name)]

    async def upscalers(self) -> list[str]:
        upscalers, latent = await asyncio.gather(self.names("upscalers"), self.names("latent-upscale-modes"))
        return [*upscalers[:1], *latent, *upscalers[1:]]

    async def vaes(self) -> list[str]:
        """Of A1111 or of Forge: both are asked at once, and one of them may fail."""
        results = await asyncio.gather(*(self.client.get(f"/sdapi/v1/{name}") for name in ("sd-vae", "sd-modules")))
        return [entry["model_name"] for entry in next(result for result in results if result.ok).json()]

    async def models(self) -> list[str]:
        return [entry["title"] for entry in await self.fetch("sd-models")]

    async def get_model(self) -> str:
        return (await self.fetch("options"))["sd_model_checkpoint"]

    async def set_model(self, model: str) -> int:
        """How often it had to ask until the model was loaded; without the two seconds between."""
        await self.fetch("options", {"sd_model_checkpoint": model})
        for attempt in range(1, 11):
            state = await self.fetch("progress")
            if state["progress"] == 0 and state["state"]["job_count"] == 0:
                return attempt
        raise AssertionError("the model was not loaded after ten attempts")

    async def prepare(self, **body: Any) -> dict[str, Any]:
        """The body of its own request, as the browser sent it, and as it goes on."""
        whole = {"url": self.base, "auth": "", **body, "override_settings": dict(body.get("override_settings", {}))}
        options = await self.client.get("/sdapi/v1/options")
        if options.ok and "forge_preset" not in options.json():
            whole["override_settings"].pop("forge_additional_modules", None)
        return whole

    async def generate(self, **body: Any) -> Answer:
        return await self.client.post("/sdapi/v1/txt2img", await self.prepare(**body))


WISH = {
    "prompt": "ein Bär 熊",
    "negative_prompt": "fog",
    "sampler_name": "Euler",
    "scheduler": "Automatic",
    "steps": 2,
    "cfg_scale": 7,
    "width": 64,
    "height": 48,
    "restore_faces": False,
    "enable_hr": False,
    "hr_upscaler": "Latent",
    "hr_scale": 2,
    "hr_additional_modules": [],
    "denoising_strength": 0.7,
    "hr_second_pass_steps": 0,
    "seed": 7,
    "override_settings": {"CLIP_stop_at_last_layers": 1, "forge_additional_modules": []},
    "override_settings_restore_afterwards": True,
    "clip_skip": 1,
    "save_images": True,
    "send_images": True,
    "do_not_save_grid": False,
    "do_not_save_samples": False,
}


async def session(base: str, authorization: str = "Basic ") -> dict[str, Any]:
    """A person connects it, looks through the lists, chooses a model and draws."""
    app = SillyTavern(base, authorization)
    await app.fetch("options")  # the ping
    models = await app.models()
    drawn = await app.generate(**WISH)
    assert drawn.ok
    return {
        "upscalers": await app.upscalers(),
        "vaes": await app.vaes(),
        "samplers": await app.names("samplers"),
        "schedulers": await app.names("schedulers"),
        "models": models,
        "loaded after": await app.set_model(models[-1]),
        "model": await app.get_model(),
        "format": "png",
        "image": drawn.json()["images"][0],
    }


@pytest.mark.parametrize("authorization", AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
async def test_check_56_a_session(base: str, authorization: str) -> None:
    got = await session(base, authorization)
    assert got["model"] == got["models"][-1]
    assert got["upscalers"][:2] == ["None", "Latent"]
    assert got["vaes"]
    picture = Image.open(io.BytesIO(base64.b64decode(got["image"], validate=True)))
    assert (picture.format, picture.size) == ("PNG", (64, 48))
    assert picture.info["parameters"].startswith("ein Bär 熊")


async def test_check_56_it_ends_up_with_what_the_web_ui_gave(
    web_ui: ScriptedA1111, root_url: str, fresh_web_ui: Any
) -> None:
    direct = await session(web_ui.url)
    fresh_web_ui()
    assert await session(root_url) == direct


async def test_check_12_its_own_keys_do_no_harm_and_the_body_is_not_touched(base: str, web_ui: ScriptedA1111) -> None:
    app = SillyTavern(base)
    assert (await app.generate(**WISH)).ok
    assert web_ui.seen[-1].body == app.client.write(
        {"url": base, "auth": "", **WISH, "override_settings": {"CLIP_stop_at_last_layers": 1}}
    )


async def test_check_56_it_knows_forge_by_its_options(base: str, web_ui: ScriptedA1111) -> None:
    web_ui.script = [said({"forge_preset": "sd", "sd_model_checkpoint": "m"})]
    body = await SillyTavern(base).prepare(**WISH)
    assert "forge_additional_modules" in body["override_settings"]


@pytest.mark.parametrize("authorization", AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
async def test_check_43_its_authorization_stays_here(web_ui: ScriptedA1111, root_url: str, authorization: str) -> None:
    await session(root_url, authorization)
    assert {seen.header("authorization") for seen in web_ui.seen} == {None}


async def test_check_44_a_key_is_the_password(web_ui: ScriptedA1111) -> None:
    settings = {"json_images": "original", "service_api_key": "geheim"}
    async with open_service(a1111_base_url=web_ui.url, **settings) as locked:
        assert (await session(locked.url, "Basic " + b64(b"anybody:geheim")))["format"] == "png"
        asked = len(web_ui.seen)
        for authorization in AUTHORIZATIONS.values():
            with pytest.raises(AssertionError, match="options: 401"):
                await session(locked.url, authorization)
    assert len(web_ui.seen) == asked


async def test_check_50_when_the_browser_leaves_it_aborts_and_interrupts(base: str, web_ui: ScriptedA1111) -> None:
    app, gate, plain = SillyTavern(base), asyncio.Event(), web_ui.standing
    assert callable(plain)
    web_ui.standing = hold(plain, "/txt2img", gate)
    async with app.client.begin("POST", "/sdapi/v1/txt2img", await app.prepare(**WISH)) as job:
        await web_ui.wait_for(2)  # the options, and the job
        job.abort()
        interrupted = await app.client.post("/sdapi/v1/interrupt")
    assert (interrupted.status, interrupted.json()) == (200, {})
    asked = [seen.target.rpartition("/")[2] for seen in web_ui.seen if "progress" not in seen.target]
    assert asked == ["options", "txt2img", "interrupt"]  # how far it is, the service asks for itself
    gate.set()
    assert (await app.generate(**WISH)).ok
