"""Clients of A1111 before a service that has no web UI and draws with the demo painter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest
from webuiapi import WebUIApi

from fakes.pictures import corners
from service import RAW, TXT2IMG, Service, open_service

T = TypeVar("T")
SMALL: dict[str, Any] = {"steps": 2, "width": 64, "height": 48, "seed": 7}
PROGRESS = "/sdapi/v1/progress"


@pytest.fixture(scope="module")
async def demo() -> AsyncIterator[Service]:
    async with open_service(a1111_base_url="demo:") as service:
        yield service


async def visit(demo: Service, work: Callable[[WebUIApi], T], base: str = "/original") -> T:
    """What a script gets that makes a client and works with it; in a thread, because it blocks."""

    def script() -> T:
        api = WebUIApi(baseurl=f"{demo.url}{base}/sdapi/v1")
        try:
            return work(api)
        finally:
            api.session.close()

    return await asyncio.to_thread(script)


@pytest.mark.parametrize("base", ["", "/original"])
async def test_webuiapi_reads_every_list(demo: Service, base: str) -> None:
    def read(api: WebUIApi) -> dict[str, Any]:
        names = "samplers schedulers sd_vae upscalers latent_upscale_modes loras sd_models hypernetworks cmd_flags"
        names += " face_restorers realesrgan_models prompt_styles scripts embeddings memory options progress"
        return {name: getattr(api, f"get_{name}")() for name in names.split()}

    told = await visit(demo, read, base)
    assert told["options"]["sd_model_checkpoint"] == told["sd_models"][0]["title"]
    assert not [name for name, document in told.items() if isinstance(document, dict) and "detail" in document]


async def test_webuiapi_draws_and_reads_it_back(demo: Service) -> None:
    def work(api: WebUIApi) -> None:
        api.util_set_model("demo")
        assert api.util_get_current_model() == "demo"
        assert api.set_options({"CLIP_stop_at_last_layers": 2}) is None
        assert api.get_options()["CLIP_stop_at_last_layers"] == 2
        drawn = api.txt2img(prompt="a lake", **SMALL)
        assert (drawn.image.size, drawn.info["seed"], drawn.parameters["steps"]) == ((64, 48), 7, 2)
        info = api.png_info(drawn.image)
        assert info.info == drawn.info["infotexts"][0]
        assert info.parameters["Prompt"] == "a lake"
        again = api.img2img(images=[drawn.image], prompt="a lake", denoising_strength=0.3, **SMALL)
        assert again.image.size == (64, 48)
        api.util_wait_for_ready(check_interval=0)

    await visit(demo, work)


async def test_webuiapi_shows_what_takes_a_model(demo: Service) -> None:
    def work(api: WebUIApi) -> None:
        with pytest.raises(RuntimeError, match="The demo painter has no upscaler"):
            api.extra_single_image(corners(), upscaler_1="Lanczos")
        with pytest.raises(RuntimeError, match="The demo painter has no upscaler"):
            api.extra_batch_images([corners(), corners()])
        with pytest.raises(RuntimeError, match="The demo painter has no model"):
            api.interrogate(corners())

    await visit(demo, work)


async def test_webuiapi_interrupts_what_another_client_draws(demo: Service) -> None:
    def interrupt(api: WebUIApi) -> Any:
        while api.get_progress()["state"]["sampling_step"] < 2:
            pass
        api.skip()
        said = api.interrupt()
        api.util_wait_for_ready(check_interval=0)
        return said

    body = {**SMALL, "steps": 150, "n_iter": 16}
    running = asyncio.create_task(demo.ask("POST", f"/original{TXT2IMG}", body))
    assert await visit(demo, interrupt) == {}
    got = await running
    assert got.status == 200
    assert 1 <= len(got.json()["images"]) < 16


@pytest.mark.parametrize("skipped", [True, False])
async def test_progress_while_it_draws(demo: Service, skipped: bool) -> None:
    running = asyncio.create_task(demo.txt2img({**SMALL, "steps": 150, "n_iter": 16}, "?answer=original"))
    said = {"current_image": None, "state": {"sampling_step": 0}}
    query = "?skip_current_image=true" if skipped else ""
    while said["state"]["sampling_step"] < 2 and not running.done():
        said = (await demo.ask("GET", f"{PROGRESS}{query}")).json()
    assert (said["current_image"] is None) is skipped
    frame = await demo.ask("GET", PROGRESS, accept=RAW)
    assert (frame.status, len(frame.body)) == (200, 115200)
    assert (await demo.ask("POST", "/sdapi/v1/interrupt")).json() == {}
    await running


async def test_what_aiyabot_asks_at_its_start(demo: Service) -> None:
    assert (await demo.ask("HEAD", "/original")).status == 200
    config = await demo.ask("GET", "/original/config")
    assert (config.status, config.json()["components"]) == (200, [])
    assert (await demo.ask("GET", "/original/sdapi/v1/version")).status == 404


async def test_a_picture_from_the_service_goes_through_png_info(demo: Service) -> None:
    drawn = (await demo.txt2img({**SMALL, "prompt": "a cat"}, "?answer=original")).json()
    told = (await demo.ask("POST", "/sdapi/v1/png-info", {"image": drawn["images"][0]})).json()
    assert told["parameters"]["Prompt"] == "a cat"


async def test_faults_keep_a1111s_words(demo: Service) -> None:
    missing = await demo.ask("POST", "/sdapi/v1/png-info", {})
    assert (missing.status, missing.json()["detail"][0]["type"]) == (422, "value_error.missing")
    wrong = await demo.ask("DELETE", "/sdapi/v1/options")
    assert (wrong.status, wrong.json()) == (405, {"detail": "Method Not Allowed"})
    assert (await demo.ask("GET", "/sdapi/v1/nope")).json() == {"detail": "Not Found"}
    assert (await demo.ask("POST", "/sdapi/v1/options", b"x" * 200_000)).status == 413
    assert (await demo.health())["status"] == "ok"
