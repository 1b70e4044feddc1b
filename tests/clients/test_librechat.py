"""LibreChat's Stable Diffusion tool, replayed (axios). Checks 19, 38 and 56."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from clients.replay import AXIOS, Answer, Client
from fakes.a1111 import Reply, ScriptedA1111, said

PAYLOAD = {
    "prompt": "a lighthouse on a cliff, storm, oil painting, dramatic light, waves, détaillé, 8k",
    "negative_prompt": "blurry, lowres, text",
    "cfg_scale": 4.5,
    "steps": 22,
    "width": 1024,
    "height": 1024,
}


async def generate(base: str) -> Answer:
    return await Client(base, AXIOS).post("/sdapi/v1/txt2img", PAYLOAD)


def read(answer: Answer) -> dict[str, Any]:
    """What the tool makes of it: a file for the user, and what is known about it."""
    assert answer.ok, "axios throws"
    assert (answer.header("content-type") or "").startswith("application/json"), "axios leaves it a string"
    data = answer.json()
    info = json.loads(data["info"])
    return {
        "file": base64.b64decode(data["images"][0].split(",", 1)[0], validate=True),
        "parameters": info["infotexts"][0],
        "summary": info["infotexts"][0].split("\n").pop(),
        "size": (info["width"], info["height"]),
        "seed": info["seed"],
    }


async def test_check_56_a_picture(base: str, web_ui: ScriptedA1111) -> None:
    got = read(await generate(base))
    picture = Image.open(io.BytesIO(got["file"]))
    assert (picture.format, picture.size, got["size"]) == ("PNG", (1024, 1024), (1024, 1024))
    assert got["parameters"].startswith(PAYLOAD["prompt"])
    assert got["summary"].startswith("Steps: 22, ")
    assert f"Seed: {got['seed']}" in got["summary"]
    assert web_ui.seen[-1].body == Client(base, AXIOS).write(PAYLOAD)


async def test_check_56_it_ends_up_with_what_the_web_ui_gave(web_ui: ScriptedA1111, plain_api: str) -> None:
    answers = [await generate(base) for base in (web_ui.url, plain_api)]
    assert answers[1].body == answers[0].body
    assert read(answers[1]) == read(answers[0])


@pytest.mark.parametrize(
    "refusal",
    [
        said({"error": "RuntimeError", "detail": "", "body": "", "errors": "out of memory"}, 500),
        said({"detail": "Sampler not found"}, 404),
        said({"detail": {"msg": "Server is busy", "type": "service_unavailable"}}, 503, ("retry-after", "5")),
    ],
    ids=lambda reply: str(reply.status),
)
async def test_check_38_axios_throws_the_upstreams_own_error(base: str, web_ui: ScriptedA1111, refusal: Reply) -> None:
    web_ui.script = [refusal]
    answer = await generate(base)
    assert (answer.status, answer.body) == (refusal.status, refusal.body)


async def test_check_43_it_sends_no_credentials_and_needs_none(base: str, web_ui: ScriptedA1111) -> None:
    await generate(base)
    assert web_ui.seen[-1].header("authorization") is None
