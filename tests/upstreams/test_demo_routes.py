"""The demo painter's other routes: what a web UI tells of itself, what clients may set, and what takes a model."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pico_a1111_proxy.errors import BodyTooLarge
from pico_a1111_proxy.proxy import RelayRequest, Upstream
from pico_a1111_proxy.upstreams.demo import DemoPainter
from service import Said

JSON = "application/json"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def ask(painter: Upstream, method: str, target: str, body: Any = None) -> Said:
    sent = None
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = chunks(data[:7], data[7:])
    async with painter.relay(RelayRequest(method, target, (("Content-Type", JSON),), sent)) as answer:
        return Said(answer.status, dict(answer.headers), b"".join([chunk async for chunk in answer.body]))


@pytest.fixture
def painter() -> DemoPainter:
    return DemoPainter(0)


# The keys that A1111's response models require of each item, by path.
ITEMS = {
    "samplers": {"name", "aliases", "options"},
    "schedulers": {"name", "label", "aliases", "default_rho", "need_inner_model"},
    "upscalers": {"name", "model_name", "model_path", "model_url", "scale"},
    "latent-upscale-modes": {"name"},
    "sd-models": {"title", "model_name", "hash", "sha256", "filename", "config"},
}
EMPTY = ("sd-vae", "hypernetworks", "face-restorers", "realesrgan-models", "prompt-styles", "script-info", "loras")
OBJECTS = {
    "/sdapi/v1/embeddings": {"loaded": {}, "skipped": {}},
    "/sdapi/v1/scripts": {"txt2img": [], "img2img": []},
    "/internal/ping": {},
    "/internal/pending-tasks": {"size": 0, "tasks": []},
    "/config": {"version": "demo", "components": []},
}


@pytest.mark.parametrize("name", ITEMS)
async def test_a_list_has_a1111s_items(painter: DemoPainter, name: str) -> None:
    said = await ask(painter, "GET", f"/sdapi/v1/{name}")
    assert (said.status, said.headers["Content-Type"]) == (200, JSON)
    assert int(said.headers["Content-Length"]) == len(said.body)
    assert said.json()
    assert [set(item) for item in said.json()] == [ITEMS[name]] * len(said.json())


@pytest.mark.parametrize("name", [*EMPTY, "extensions"])
async def test_what_it_has_none_of_is_an_empty_list(painter: DemoPainter, name: str) -> None:
    said = await ask(painter, "GET", f"/sdapi/v1/{name}")
    assert (said.status, said.json()) == (200, [])


@pytest.mark.parametrize("path", OBJECTS)
async def test_the_other_lists(painter: DemoPainter, path: str) -> None:
    assert (await ask(painter, "GET", path)).json() == OBJECTS[path]


async def test_the_model_is_the_one_of_the_options_and_the_pictures(painter: DemoPainter) -> None:
    titles = [model["title"] for model in (await ask(painter, "GET", "/sdapi/v1/sd-models")).json()]
    assert (await ask(painter, "GET", "/sdapi/v1/options")).json()["sd_model_checkpoint"] in titles


async def test_flags_and_memory_give_nothing_away(painter: DemoPainter) -> None:
    flags = (await ask(painter, "GET", "/sdapi/v1/cmd-flags")).json()
    assert flags["api"] is True
    assert flags["gradio_auth"] is None
    assert set((await ask(painter, "GET", "/sdapi/v1/memory")).json()) == {"ram", "cuda"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        *[(f"refresh-{what}", None) for what in ("checkpoints", "vae", "loras", "embeddings")],
        ("reload-checkpoint", {}),
        ("unload-checkpoint", {}),
        ("interrupt", {}),
        ("skip", None),
    ],
)
async def test_what_there_is_nothing_to_do_for_is_a_200_with_json(
    painter: DemoPainter, path: str, expected: Any
) -> None:
    said = await ask(painter, "POST", f"/sdapi/v1/{path}")
    assert (said.status, said.json()) == (200, expected)


@pytest.mark.parametrize(
    ("path", "missing"),
    [("extra-single-image", "upscaler"), ("extra-batch-images", "upscaler"), ("interrogate", "model")],
)
async def test_what_takes_a_model_is_refused_in_a1111s_shape(painter: DemoPainter, path: str, missing: str) -> None:
    said = await ask(painter, "POST", f"/sdapi/v1/{path}", {"image": "x", "model": "clip"})
    told = said.json()
    assert (said.status, set(told)) == (500, {"error", "detail", "body", "errors"})
    assert f"demo painter has no {missing}" in told["detail"]


async def test_there_is_no_upscaler_to_choose(painter: DemoPainter) -> None:
    assert [item["name"] for item in (await ask(painter, "GET", "/sdapi/v1/upscalers")).json()] == ["None"]


@pytest.mark.parametrize("target", ["/sdapi/v1/samplers/", "/sdapi/v1/samplers?x=1", "/sdapi/v1/sam%70lers"])
async def test_a_path_may_be_written_otherwise(painter: DemoPainter, target: str) -> None:
    assert (await ask(painter, "GET", target)).status == 200


@pytest.mark.parametrize("target", ["/sdapi/v1/nope", "/sdapi/v1", "/controlnet/version", "/sdapi/v1/server-kill"])
async def test_an_unknown_path(painter: DemoPainter, target: str) -> None:
    for method in ("GET", "POST"):
        said = await ask(painter, method, target)
        assert (said.status, said.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("GET", "/sdapi/v1/txt2img", "POST"),
        ("GET", "/sdapi/v1/interrupt", "POST"),
        ("DELETE", "/sdapi/v1/options", "GET, POST, HEAD"),
        ("POST", "/sdapi/v1/samplers", "GET, HEAD"),
        ("HEAD", "/sdapi/v1/skip", "POST"),
    ],
)
async def test_a_wrong_method(painter: DemoPainter, method: str, target: str, allowed: str) -> None:
    said = await ask(painter, method, target)
    assert (said.status, said.headers["Allow"]) == (405, allowed)
    assert method == "HEAD" or said.json() == {"detail": "Method Not Allowed"}


async def test_pictures_are_not_drawn_around_the_gate(painter: DemoPainter) -> None:
    assert (await ask(painter, "POST", "/sdapi/v1/txt2img", {})).status == 404


@pytest.mark.parametrize("target", ["/", "/config", "/sdapi/v1/options"])
async def test_head_is_get_without_the_body(painter: DemoPainter, target: str) -> None:
    got, head = [await ask(painter, method, target) for method in ("GET", "HEAD")]
    assert (head.status, head.headers, head.body) == (200, got.headers, b"")
    assert int(head.headers["Content-Length"]) == len(got.body) > 0


async def options(painter: DemoPainter) -> dict[str, Any]:
    said: dict[str, Any] = (await ask(painter, "GET", "/sdapi/v1/options")).json()
    return said


async def test_options_are_kept(painter: DemoPainter) -> None:
    before = await options(painter)
    said = await ask(painter, "POST", "/sdapi/v1/options", {"CLIP_stop_at_last_layers": 2, "sd_vae": "None"})
    assert (said.status, said.json()) == (200, None)
    assert await options(painter) == {**before, "CLIP_stop_at_last_layers": 2, "sd_vae": "None"}
    assert await options(DemoPainter()) == before


async def test_all_of_them_can_be_sent_back(painter: DemoPainter) -> None:
    before = await options(painter)
    assert (await ask(painter, "POST", "/sdapi/v1/options", before)).status == 200
    assert await options(painter) == before


async def test_what_the_pictures_are_is_not_for_clients_to_say(painter: DemoPainter) -> None:
    before = await options(painter)
    said = await ask(painter, "POST", "/sdapi/v1/options", {"samples_format": "jpg", "sd_model_checkpoint": None})
    assert said.status == 200
    assert await options(painter) == before


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ({"nope": 1, "sd_vae": "x"}, "KeyError", "'nope'"),
        ({"sd_model_checkpoint": "v1-5", "sd_vae": "x"}, "RuntimeError", "model 'v1-5' not found"),
    ],
)
async def test_unknown_options_are_a_500_as_with_a1111(
    painter: DemoPainter, body: dict[str, Any], kind: str, words: str
) -> None:
    before = await options(painter)
    said = await ask(painter, "POST", "/sdapi/v1/options", body)
    assert (said.status, said.json()) == (500, {"error": kind, "detail": "", "body": "", "errors": words})
    assert await options(painter) == before


@pytest.mark.parametrize("body", [None, b"", b"{bad", b"[1]"])
async def test_options_that_are_no_object_are_a_422(painter: DemoPainter, body: Any) -> None:
    said = await ask(painter, "POST", "/sdapi/v1/options", body)
    assert said.status == 422
    assert said.json()["detail"][0]["loc"][0] == "body"


@pytest.mark.parametrize("value", [b'"%s"' % (b"x" * 1000), b"NaN", b"[" * 501 + b"]" * 501])
async def test_what_can_not_be_kept_is_refused(painter: DemoPainter, value: bytes) -> None:
    before = await options(painter)
    said = await ask(painter, "POST", "/sdapi/v1/options", b'{"sd_vae": %s}' % value)
    assert said.status == 422
    assert await options(painter) == before


async def test_a_form_is_short(painter: DemoPainter) -> None:
    for path in ("/sdapi/v1/options", "/internal/progress"):
        with pytest.raises(BodyTooLarge):
            await ask(painter, "POST", path, {"sd_vae": "x" * 100_000})
