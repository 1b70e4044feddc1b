"""The query of the routes whose path names the display: what would do nothing is refused, the rest is let pass."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from fakes.a1111 import ScriptedA1111
from fakes.pictures import png
from service import Service

FRAME = "/displays/waveshare-pico-lcd-1.3/frame"
CARD = "/displays/waveshare-pico-lcd-1.3/testcard"

USELESS = [
    ("rotat=90", "'rotat': no such parameter; rotate may be meant"),
    ("rotation=90", "'rotation': no such parameter; rotate may be meant"),
    ("Dither=none", "'Dither': no such parameter; dither may be meant"),
    ("display=m5stickc", "display: the path names the display"),
    ("index=1", "index: there is one picture only"),
    ("sharpen=20", "sharpen: no query sets it; a profile in DISPLAYS_FILE and the command line do"),
    ("linear_light=true", "linear_light: no query sets it; a profile in DISPLAYS_FILE and the command line do"),
    ("round=true", "round: no query sets it; a profile in DISPLAYS_FILE and the command line do"),
]


@pytest.mark.parametrize(("query", "told"), USELESS)
@pytest.mark.parametrize(("method", "path"), [("GET", CARD), ("GET", FRAME), ("POST", FRAME)])
async def test_what_would_do_nothing_is_refused(
    service: Service, upstream: ScriptedA1111, method: str, path: str, query: str, told: str
) -> None:
    got = await service.ask(method, f"{path}?{query}", png() if method == "POST" else None)
    assert (got.status, got.json()) == (422, {"error": told, "code": 422, "detail": told})


@pytest.mark.parametrize("query", ["t=1763860000", "_=1&cachebuster=abc", "=", "x"])
async def test_what_is_no_concern_of_ours_passes(service: Service, upstream: ScriptedA1111, query: str) -> None:
    assert (await service.ask("GET", f"{CARD}?{query}")).status == 200


async def test_every_name_in_a_path_is_in_the_document_of_the_api(service: Service, upstream: ScriptedA1111) -> None:
    document: dict[str, Any] = json.loads((await service.ask("GET", "/openapi.json")).body)
    named = [path for path in document["paths"] if "{" in path]
    assert len(named) >= 3
    for path in named:
        for operation in document["paths"][path].values():
            told = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
            assert told == set(re.findall(r"\{(\w+)\}", path))


@pytest.mark.parametrize("path", ["/displays", "/displays/default", CARD, "/health"])
async def test_another_method_is_told_which_there_are(service: Service, upstream: ScriptedA1111, path: str) -> None:
    for method in ("POST", "DELETE", "OPTIONS"):
        got = await service.ask(method, path)
        assert (got.status, got.headers["Allow"], got.json()["code"]) == (405, "GET, HEAD", 405)
    assert (await service.ask("HEAD", path)).status == 200
