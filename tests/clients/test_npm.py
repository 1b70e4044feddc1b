"""npm's stable-diffusion-api, in node. Check 56."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from clients.node import FOLDER, PINS
from fakes.a1111 import ScriptedA1111
from service import open_service

LISTS = ["samplers", "upscalers", "models", "hypernetworks", "faceRestorers", "realesrgan", "styles"]


async def session(node: str, *arguments: str) -> Any:
    """What session.mjs got from the API at this base URL."""
    process = await asyncio.create_subprocess_exec(
        node,
        str(FOLDER / "session.mjs"),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()  # a newer node warns of what the library uses
    return json.loads(out)


def asked_for(web_ui: ScriptedA1111) -> list[tuple[str, str, bytes]]:
    """Without the progress, which it asks for as often as there is time until the first answer."""
    asked = [(seen.method, seen.target, seen.body) for seen in web_ui.seen]
    return [entry for entry in asked if not entry[1].endswith("/progress?skipCurrentImage=false")]


def test_every_version_is_exact_and_there_is_no_lock() -> None:
    assert [version for version in PINS.values() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
    assert not list(FOLDER.glob("*lock*"))


async def test_check_56_a_session(node: str, base: str) -> None:
    got = await session(node, base)
    first, second = got["txt2img"]["pictures"]
    assert [first["size"], second["size"], first["format"]] == [[64, 48], [64, 48], "png"]
    info = json.loads(got["txt2img"]["info"])
    assert (info["prompt"], info["all_seeds"]) == ("ein Bär 熊", [7, 8])
    assert got["txt2img"]["parameters"]["negative_prompt"] == "fog"
    assert got["pngInfo"] == json.loads(got["img2img"]["info"])["infotexts"][0]
    assert len(got["img2img"]["pictures"]) == 1
    assert (got["progress"]["progress"], got["progress"]["state"]["job_count"]) == (0.0, 0)
    assert (got["interrupt"], got["skip"], got["setOptions"]) == ({}, None, None)
    assert all(isinstance(got[name], list) for name in LISTS)
    assert got["refused"]["status"] == 422
    assert got["refused"]["data"]["detail"][0]["loc"] == ["body", "steps"]
    assert got["nowhere"] == {"status": 404, "data": {"detail": "Not Found"}}


async def test_check_56_it_ends_up_with_what_the_web_ui_gave(node: str, web_ui: ScriptedA1111, plain_api: str) -> None:
    direct = await session(node, web_ui.url)
    asked = asked_for(web_ui)
    web_ui.seen.clear()
    assert await session(node, plain_api) == direct
    assert asked_for(web_ui) == asked


async def test_check_44_a_key_is_the_password(node: str, web_ui: ScriptedA1111) -> None:
    async with open_service(a1111_base_url=web_ui.url, service_api_key="geheim") as locked:
        opened = await session(node, f"{locked.url}/original", "anybody", "geheim")
        asked = len(web_ui.seen)
        refused = await session(node, f"{locked.url}/original", "anybody", "falsch")
    assert opened["txt2img"]["pictures"]
    assert [seen.header("authorization") for seen in web_ui.seen] == [None] * asked
    sentence = "Invalid or missing API key"
    assert refused == {"refused": {"status": 401, "data": {"error": sentence, "code": 401, "detail": sentence}}}
