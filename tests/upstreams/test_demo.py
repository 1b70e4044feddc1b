"""The demo painter as an upstream: A1111's request and answer, without its model."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakes.pictures import b64, encode
from pico_a1111_proxy.errors import UpstreamError, UpstreamRejected, UpstreamUnavailable
from pico_a1111_proxy.jobs import Generation, Job, Route
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.upstreams.demo import DemoPainter
from pico_a1111_proxy.upstreams.demo.fields import read_fields
from pico_a1111_proxy.upstreams.demo.painting.label import add_label
from pico_a1111_proxy.upstreams.demo.painting.painter import paint

INFO_KEYS = {
    "prompt", "all_prompts", "negative_prompt", "all_negative_prompts", "seed", "all_seeds", "subseed",
    "all_subseeds", "subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size",
    "restore_faces", "face_restoration_model", "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash",
    "seed_resize_from_w", "seed_resize_from_h", "denoising_strength", "extra_generation_params",
    "index_of_first_image", "infotexts", "styles", "job_timestamp", "clip_skip",
    "is_using_inpainting_conditioning", "version",
}  # fmt: skip
SMALL = {"width": 64, "height": 48, "steps": 2, "seed": 5}


def job(route: Route = "txt2img", /, **fields: Any) -> Job:
    return Job(route, json.dumps({**SMALL, **fields}).encode(), DISPLAYS["waveshare-pico-lcd-1.3"])


def job_of(body: bytes) -> Job:
    return Job("txt2img", body, DISPLAYS["waveshare-pico-lcd-1.3"])


async def draw(route: Route = "txt2img", /, **fields: Any) -> Generation:
    return await DemoPainter(0, Random(1)).generate(job(route, **fields))


async def refusal(route: Route = "txt2img", /, **fields: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await draw(route, **fields)
    return caught.value


def image(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(image(data))


def encoded(picture: Image.Image) -> str:
    return b64(encode(picture))


def said(error: UpstreamError) -> Any:
    assert error.answer is not None
    return json.loads(error.answer.body)


async def test_the_answer_is_a1111s() -> None:
    generation = await draw(prompt="a cat", negative_prompt="dog")
    document = json.loads(generation.answer.body)
    assert generation.answer.status == 200
    assert dict(generation.answer.headers) == {"Content-Type": "application/json"}
    assert list(document) == ["images", "parameters", "info"]
    assert isinstance(document["info"], str)
    assert set(json.loads(document["info"])) == INFO_KEYS
    assert document["images"] == list(generation.images)
    assert image(generation.picture(0)).format == "PNG"
    assert pixels(generation.picture(0)).tolist() == paint("a cat", "dog", 5, 64, 48).tolist()


async def test_the_echo_holds_every_field_as_it_was_read() -> None:
    body = {"prompt": 5, "steps": "2", "unheard_of": 1}
    generation = await DemoPainter(0).generate(job_of(json.dumps(body).encode()))
    assert generation.parameters == read_fields("txt2img", json.dumps(body).encode())
    assert image(generation.picture(0)).size == (512, 512)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"width": 2056}, "width"),
        ({"height": 7}, "height"),
        ({"width": -512}, "width"),
        ({"steps": 0}, "steps"),
        ({"steps": 151}, "steps"),
        ({"n_iter": 17}, "batch_size"),
        ({"n_iter": 4, "batch_size": 5}, "batch_size"),
        ({"n_iter": -4, "batch_size": -2}, "batch_size"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
async def test_too_much_and_too_little_are_refused(fields: dict[str, int], named: str) -> None:
    error = await refusal(**fields)
    assert isinstance(error, UpstreamRejected)
    assert said(error)["detail"][0]["loc"] == ["body", named]
    assert "the demo painter" in str(error)


@pytest.mark.parametrize("depth", [499, 1000])
async def test_what_is_nested_too_deeply_to_be_echoed_is_refused(depth: int) -> None:
    body = b'{"width": 8, "height": 8, "steps": 1, "script_args": %s}' % (b"[" * depth + b"]" * depth)
    if depth < 500:
        assert len((await DemoPainter(0).generate(job_of(body))).pictures) == 1
        return
    with pytest.raises(UpstreamRejected, match="nested deeper"):
        await DemoPainter(0).generate(job_of(body))


@pytest.mark.parametrize("kind", [None, "application/json; charset=utf-8", "application/vnd.x+json"])
async def test_json_is_read_under_any_of_its_names(kind: str | None) -> None:
    assert len((await DemoPainter(0).generate(replace(job(), content_type=kind))).pictures) == 1


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
async def test_what_is_sent_as_something_else_is_refused_as_with_a1111(kind: str) -> None:
    with pytest.raises(UpstreamRejected, match="value is not a valid dict"):
        await DemoPainter(0).generate(replace(job(), content_type=kind))


@pytest.mark.parametrize(("asked", "drawn"), [(64, 64), (71, 64), (8, 8), (13.9, 8)])
async def test_sides_are_multiples_of_eight(asked: float, drawn: int) -> None:
    generation = await draw(width=asked)
    assert image(generation.picture(0)).size == (drawn, 48)
    assert generation.info["width"] == int(asked)


async def test_a_batch_counts_its_seeds_up() -> None:
    generation = await draw(n_iter=2, batch_size=2, seed=40, subseed=7, prompt="stars")
    assert generation.info["all_seeds"] == [40, 41, 42, 43]
    assert generation.info["all_subseeds"] == [7, 8, 9, 10]
    assert generation.first == 0
    assert len(generation.pictures) == 4
    for index in range(4):
        alone = await draw(seed=40 + index, prompt="stars")
        assert pixels(generation.picture(index)).tolist() == pixels(alone.picture(0)).tolist()
    assert len({generation.images[index] for index in range(4)}) == 4


async def test_a_seed_that_nobody_named_is_random_and_told() -> None:
    painter = DemoPainter(0, Random(3))
    first, second = [await painter.generate(job(seed=seed)) for seed in (-1, None)]
    assert first.info["seed"] != second.info["seed"]
    assert first.info["seed"] >= 0
    again = await draw(seed=first.info["seed"])
    assert pixels(again.picture(0)).tolist() == pixels(first.picture(0)).tolist()
    assert first.parameters["seed"] == -1
    repeated = await DemoPainter(0, Random(3)).generate(job(seed=-1))
    assert repeated.info["seed"] == first.info["seed"]


@pytest.mark.parametrize("seed", [0, -5, 2**63, 10**30])
async def test_any_seed(seed: int) -> None:
    assert len((await draw(seed=seed)).pictures) == 1


async def test_saving_several_puts_a_grid_first() -> None:
    generation = await draw(n_iter=3, save_images=True)
    assert generation.info["index_of_first_image"] == 1
    assert len(generation.images) == 4
    assert len(generation.info["infotexts"]) == 4
    assert len(generation.info["all_seeds"]) == 3
    assert generation.seed(1) == 5
    grid = pixels(generation.picture(0))
    assert grid.shape == (96, 128, 3)
    for index, (top, left) in enumerate([(0, 0), (0, 64), (48, 0)]):
        assert grid[top : top + 48, left : left + 64].tolist() == pixels(generation.picture(index + 1)).tolist()


@pytest.mark.parametrize("fields", [{"n_iter": 3}, {"save_images": True}, {"n_iter": 3, "do_not_save_grid": False}])
async def test_otherwise_there_is_no_grid(fields: dict[str, Any]) -> None:
    generation = await draw(**fields)
    assert generation.info["index_of_first_image"] == 0
    assert len(generation.images) == len(generation.info["all_seeds"])


async def test_images_that_are_not_wanted_are_not_sent() -> None:
    generation = await draw(send_images=False, n_iter=2)
    assert generation.images == ()
    assert generation.info["all_seeds"] == [5, 6]


@pytest.mark.parametrize("prompt", ["a lake, <lora:x:1>", "ein Bär", "山と月", "two\nlines", "", "half \ud83d a pair"])
async def test_the_png_tells_how_it_was_drawn(prompt: str) -> None:
    generation = await draw(prompt=prompt, negative_prompt="fog", sampler_name="DPM++ 2M", scheduler="a: b", n_iter=2)
    text = image(generation.picture(1)).info["parameters"]
    assert text == generation.info["infotexts"][1].encode("utf-8", "replace").decode()
    lines = text.split("\n")
    assert "\n".join(lines[:-2]) == prompt.encode("utf-8", "replace").decode()
    assert lines[-2] == "Negative prompt: fog"
    wanted = 'Steps: 2, Sampler: DPM++ 2M, Schedule type: "a: b", CFG scale: 7.0, Seed: 6, Size: 64x48, Model: demo'
    assert lines[-1].startswith(wanted + ", Version: ")


async def test_img2img_begins_with_its_picture() -> None:
    sky = Image.linear_gradient("L").resize((100, 90)).convert("RGB")
    kept = await draw("img2img", init_images=[encoded(sky)], denoising_strength=0, prompt="cat")
    expected = sky.resize((64, 48), Image.Resampling.LANCZOS)
    add_label(expected)
    assert pixels(kept.picture(0)).tolist() == np.asarray(expected).tolist()
    default = await draw("img2img", init_images=["data:image/png;base64," + encoded(sky)], prompt="cat")
    assert default.parameters["denoising_strength"] == default.info["denoising_strength"] == 0.75
    assert "Denoising strength: 0.75" in default.info["infotexts"][0]
    painted = paint("cat", "", 5, 64, 48)
    assert pixels(default.picture(0)).tolist() not in (painted.tolist(), np.asarray(expected).tolist())
    wild = await draw("img2img", init_images=[encoded(sky)], denoising_strength=1, prompt="cat")
    assert pixels(wild.picture(0)).tolist() == painted.tolist()


@pytest.mark.parametrize(("mode", "corner"), [(0, 255), (1, 128), (2, 0)])
async def test_the_init_image_is_fitted_as_asked(mode: int, corner: int) -> None:
    # Stretched, the upper stripe is in the corner; cut, the middle one; with room added, the room.
    stripes = Image.fromarray(np.repeat(np.array([255, 128, 60], np.uint8), 40 * 40).reshape(120, 40))
    generation = await draw("img2img", init_images=[encoded(stripes)], resize_mode=mode, denoising_strength=0)
    assert pixels(generation.picture(0))[0, 0].tolist() == pytest.approx([corner] * 3, abs=10)


@pytest.mark.parametrize("kept", [False, True])
async def test_the_echo_leaves_pictures_out_unless_they_are_wanted(kept: bool) -> None:
    start = encoded(Image.new("RGB", (8, 8)))
    generation = await draw("img2img", init_images=[start], mask="abc", include_init_images=kept)
    assert generation.parameters["init_images"] == ([start] if kept else None)
    assert generation.parameters["mask"] == ("abc" if kept else None)
    assert "hr_scale" not in generation.parameters


@pytest.mark.parametrize("images", [None, []])
async def test_img2img_without_a_picture_is_a_404(images: Any) -> None:
    error = await refusal("img2img", init_images=images)
    assert isinstance(error, UpstreamRejected)
    assert error.answer is not None
    assert error.answer.status == 404
    assert said(error) == {"error": "HTTPException", "detail": "Init image not found", "body": "", "errors": ""}


@pytest.mark.parametrize("start", ["", "no base64!", "aGVsbG8=", 5, None, encoded(Image.new("L", (9, 9)))[:60]])
async def test_a_picture_that_cant_be_read_is_a_500_as_with_a1111(start: Any) -> None:
    error = await refusal("img2img", init_images=[start])
    assert isinstance(error, UpstreamUnavailable)
    assert error.answer is not None
    assert error.answer.status == 500
    assert said(error)["detail"] == str(error) == "Invalid encoded image"
    assert error.detail.startswith("init_images: Failed to process image")
