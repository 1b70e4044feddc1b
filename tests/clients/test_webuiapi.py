"""webuiapi, from PyPI, as it is. Checks 18, 44, 50 and 56."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from PIL import Image
from webuiapi import WebUIApi, WebUIApiResult

from clients.replay import hold
from fakes.a1111 import ScriptedA1111, said
from fakes.personalities import PERSONALITIES
from fakes.pictures import BLUE
from service import Service, open_service

T = TypeVar("T")

SMALL: dict[str, Any] = {"steps": 2, "width": 64, "height": 48, "seed": 7}
BLUE_PICTURE = Image.new("RGB", (32, 24), BLUE)


async def visit(base: str, work: Callable[[WebUIApi], T], *credentials: str) -> T:
    """What a script gets that makes a client and works with it; in a thread, because it blocks."""

    def script() -> T:
        api = WebUIApi(baseurl=f"{base}/sdapi/v1", sampler="Euler", scheduler="Automatic")
        try:
            if credentials:
                api.set_auth(*credentials)
            return work(api)
        finally:
            api.session.close()

    return await asyncio.to_thread(script)


def seen_in(result: WebUIApiResult) -> dict[str, Any]:
    """All that a script can read from a result."""
    pictures = [(image.format, image.size, image.tobytes(), image.info) for image in result.images]
    return {"pictures": pictures, "info": result.info, "parameters": result.parameters, "json": result.json}


def asked_for(upstream: ScriptedA1111, path: str) -> list[Any]:
    return [json.loads(seen.body) for seen in upstream.seen if seen.target == f"/sdapi/v1/{path}"]


async def test_check_56_the_constructor_learns_which_extensions_there_are(base: str, web_ui: ScriptedA1111) -> None:
    plain = web_ui.standing
    assert callable(plain)
    scripts = said({"txt2img": ["prompt matrix", "adetailer", "controlnet m2m"], "img2img": []})
    web_ui.standing = lambda seen: scripts if seen.target.endswith("/scripts") else plain(seen)
    assert await visit(base, lambda api: (api.has_controlnet, api.has_adetailer, api.has_animatediff)) == (
        True,
        True,
        False,
    )


async def test_check_56_txt2img(base: str) -> None:
    got = await visit(base, lambda api: api.txt2img(prompt="a bear", negative_prompt="fog", **SMALL))
    assert (got.image.format, got.image.size) == ("PNG", (64, 48))
    assert (got.info["prompt"], got.info["seed"], got.info["all_seeds"]) == ("a bear", 7, [7])
    assert got.image.info["parameters"] == got.info["infotexts"][0]
    assert (got.parameters["negative_prompt"], got.parameters["seed"]) == ("fog", 7)
    got.image.load()


async def test_check_56_a_batch(base: str) -> None:
    got = await visit(base, lambda api: api.txt2img(prompt="a", batch_size=2, n_iter=2, **SMALL))
    assert got.info["all_seeds"] == [7, 8, 9, 10]
    assert [image.info["parameters"] for image in got.images] == got.info["infotexts"]
    assert len({image.tobytes() for image in got.images}) == 4


async def test_check_56_img2img_with_a_mask(base: str, web_ui: ScriptedA1111) -> None:
    got = await visit(
        base, lambda api: api.img2img([BLUE_PICTURE], mask_image=BLUE_PICTURE, prompt="b", cfg_scale=3.5, **SMALL)
    )
    assert [image.size for image in got.images] == [(64, 48)]
    (sent,) = asked_for(web_ui, "img2img")
    assert sent["init_images"] == [sent["mask"]]
    assert sent["mask"].startswith("data:image/png;base64,")


async def test_check_56_the_small_calls(base: str) -> None:
    def work(api: WebUIApi) -> None:
        assert api.interrupt() == {}
        assert api.skip() is None
        options = api.get_options()
        assert api.set_options(options) is None
        assert api.util_get_current_model() == options["sd_model_checkpoint"]
        progress = api.get_progress()
        assert (progress["progress"], progress["state"]["job_count"], progress["current_image"]) == (0.0, 0, None)
        assert api.util_get_sampler_names()
        assert options["sd_model_checkpoint"] in api.util_get_model_names()
        for ask in (api.get_upscalers, api.get_latent_upscale_modes, api.get_schedulers, api.get_face_restorers):
            assert all("name" in entry for entry in ask())
        assert api.get_embeddings().keys() == {"loaded", "skipped"}
        assert "txt2img" in api.get_scripts()

    await visit(base, work)


async def test_check_56_wait_for_ready(base: str, web_ui: ScriptedA1111, capsys: pytest.CaptureFixture[str]) -> None:
    busy = said({"progress": 0.25, "state": {"job_count": 1}})
    idle = said({"progress": 0.0, "state": {"job_count": 0}})

    def work(api: WebUIApi) -> None:
        web_ui.script = [busy, busy, idle]  # after the constructor's own question
        api.util_wait_for_ready(check_interval=0)

    await visit(base, work)
    assert web_ui.script == []
    assert capsys.readouterr().out.count("[WAIT]: progress = 0.2500, job_count = 1") == 2


async def test_check_18_png_info_gives_back_what_was_written(base: str) -> None:
    def work(api: WebUIApi) -> tuple[WebUIApiResult, WebUIApiResult]:
        drawn = api.txt2img(prompt="ein Bär 熊\nzweite Zeile", **SMALL)
        return drawn, api.png_info(drawn.image)

    drawn, read = await visit(base, work)
    assert read.info == drawn.image.info["parameters"]
    assert "熊" in read.info


async def test_check_56_extra_single_image(base: str, web_ui: ScriptedA1111) -> None:
    def work(api: WebUIApi) -> WebUIApiResult:
        return api.extra_single_image(BLUE_PICTURE, upscaler_1="Lanczos", upscaling_resize=2)

    got = await visit(base, work)
    assert got.image.size == (64, 48)
    assert isinstance(got.info, str)
    assert asked_for(web_ui, "extra-single-image")[0]["upscaler_1"] == "Lanczos"


async def test_check_38_an_error_is_raised_with_the_upstreams_words(base: str, web_ui: ScriptedA1111) -> None:
    def work(api: WebUIApi) -> Any:
        with pytest.raises(RuntimeError) as wrong:
            api.txt2img(prompt="a", **{**SMALL, "steps": "many"})
        broken = said({"error": "RuntimeError", "detail": "", "body": "", "errors": "boom happened"}, 500)
        web_ui.script = [broken]
        with pytest.raises(RuntimeError) as crashed:
            api.txt2img(prompt="a", **SMALL)
        return wrong.value.args, crashed.value.args, broken.body.decode()

    wrong, crashed, broken = await visit(base, work)
    assert wrong[0] == 422
    assert json.loads(wrong[1])["detail"][0]["loc"] == ["body", "steps"]
    assert crashed == (500, broken)


async def test_check_50_interrupt_and_progress_while_a_job_runs(base: str, web_ui: ScriptedA1111) -> None:
    plain, gate = web_ui.standing, asyncio.Event()
    assert callable(plain)
    web_ui.standing = hold(plain, "/txt2img", gate)
    drawing = asyncio.create_task(visit(base, lambda api: api.txt2img(prompt="a", **SMALL)))
    try:
        await web_ui.wait_for(2)  # the constructor's question, and the job
        assert await visit(base, lambda api: (api.interrupt(), "progress" in api.get_progress())) == ({}, True)
        assert not drawing.done()
    finally:
        gate.set()
    assert (await drawing).image.size == (64, 48)


async def test_check_56_async_mode(base: str) -> None:
    api = await visit(base, lambda api: api)
    got = await api.txt2img(prompt="a bear", use_async=True, **SMALL)
    assert (got.image.size, got.info["seed"]) == ((64, 48), 7)
    with pytest.raises(RuntimeError) as wrong:
        await api.txt2img(prompt="a", use_async=True, **{**SMALL, "steps": "many"})
    assert wrong.value.args[0] == 422


async def test_check_56_it_ends_up_with_what_the_web_ui_gave(web_ui: ScriptedA1111, plain_api: str) -> None:
    def work(api: WebUIApi) -> list[Any]:
        drawn = api.txt2img(prompt="ein Bär 熊", batch_size=2, save_images=True, **SMALL)
        redrawn = api.img2img([BLUE_PICTURE], prompt="b", **SMALL)
        return [seen_in(drawn), seen_in(redrawn), api.get_options(), api.get_progress(), api.get_loras()]

    direct = await visit(web_ui.url, work)
    asked = [(seen.method, seen.target, seen.body) for seen in web_ui.seen]
    web_ui.seen.clear()
    assert await visit(plain_api, work) == direct
    assert [(seen.method, seen.target, seen.body) for seen in web_ui.seen] == asked


async def test_check_46_flags_come_without_passwords(web_ui: ScriptedA1111, plain_api: str) -> None:
    direct, through = [await visit(base, lambda api: api.get_cmd_flags()) for base in (web_ui.url, plain_api)]
    assert "secret" in str(direct)
    assert "secret" not in str(through)
    secrets = [name for name, value in direct.items() if "secret" in str(value)]
    assert {name: through[name] for name in through if name not in secrets} == {
        name: direct[name] for name in direct if name not in secrets
    }


async def test_check_03_an_extension_is_asked_at_the_root(service: Service, web_ui: ScriptedA1111) -> None:
    """Such calls go to the host of the base URL, whatever path it has."""

    def work(api: WebUIApi) -> tuple[int, list[str]]:
        web_ui.script = [said({"version": 2}), said({"model_list": ["canny"]})]
        return api.controlnet_version(), api.controlnet_model_list()

    for base in (web_ui.url, f"{service.url}/original"):
        assert await visit(base, work) == (2, ["canny"])
        assert [seen.target for seen in web_ui.seen[-2:]] == ["/controlnet/version", "/controlnet/model_list"]


KEYED = {"service_api_key": "geheim", "a1111_username": "ours", "a1111_password": "theirs"}


async def test_check_44_a_key_is_the_password(upstream: ScriptedA1111) -> None:
    PERSONALITIES["a1111"](credentials=("ours", "theirs")).play(upstream)

    def refused(api: WebUIApi) -> Any:
        with pytest.raises(RuntimeError) as wrong:
            api.txt2img(prompt="a", **SMALL)
        return wrong.value.args

    def drawn(api: WebUIApi) -> int:
        return api.txt2img(prompt="a", **SMALL).info["seed"]

    assert await visit(upstream.url, drawn, "ours", "theirs") == 7
    assert (await visit(upstream.url, refused, "ours", "falsch"))[0] == 401
    async with open_service(a1111_base_url=upstream.url, **KEYED) as locked:
        base = f"{locked.url}/original"
        assert await visit(base, drawn, "anybody", "geheim") == 7
        asked = len(upstream.seen)
        for credentials in ((), ("anybody", "falsch"), ("ours", "theirs")):
            status, text = await visit(base, refused, *credentials)
            assert status == 401
            assert json.loads(text)["error"] == "Invalid or missing API key"
    assert len(upstream.seen) == asked


# webuiapi 0.9.17 hands its credentials to aiohttp in a way that aiohttp is going to drop.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning")
async def test_check_44_and_in_async_mode(web_ui: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=web_ui.url, service_api_key="geheim") as locked:
        for password, seed in (("geheim", 7), ("falsch", None)):
            api = await visit(f"{locked.url}/original", lambda api: api, "anybody", password)
            drawing = api.txt2img(prompt="a", use_async=True, **SMALL)
            if seed is None:
                with pytest.raises(RuntimeError, match="Invalid or missing API key"):
                    await drawing
            else:
                assert (await drawing).info["seed"] == seed
