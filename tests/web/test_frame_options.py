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

IN_FILES = "no query sets it; a profile in DISPLAYS_FILE and the command line do"
USELESS = [
    ("rotat=90", "'rotat': no such parameter; rotate may be meant"),
    ("rotation=90", "'rotation': no such parameter; rotate may be meant"),
    ("Dither=none", "'Dither': no such parameter; dither may be meant"),
    ("display=m5stickc", "display: the path names the display"),
    ("index=1", "index: there is one picture only"),
    ("WIDTH=7", "'WIDTH': no such parameter; width may be meant"),
    ("&".join(f"t{i}=1" for i in range(19)) + "&rotat=90", "'rotat': no such parameter; rotate may be meant"),
    ("&".join(f"t{i}=1" for i in range(99)) + "&round=1", f"round: {IN_FILES}"),
    ("sharpen=20", f"sharpen: {IN_FILES}"),
    ("linear_light=true", f"linear_light: {IN_FILES}"),
    ("round=true", f"round: {IN_FILES}"),
]


@pytest.mark.parametrize(("query", "told"), USELESS)
@pytest.mark.parametrize(("method", "path"), [("GET", CARD), ("GET", FRAME), ("POST", FRAME)])
async def test_what_would_do_nothing_is_refused(
    service: Service, upstream: ScriptedA1111, method: str, path: str, query: str, told: str
) -> None:
    got = await service.ask(method, f"{path}?{query}", png() if method == "POST" else None)
    assert (got.status, got.json()) == (422, {"error": told, "code": 422, "detail": told})


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", CARD, "wait=3"),
        ("POST", FRAME, "wait=3"),
        ("GET", FRAME, "publish=false"),
        ("GET", CARD, "publish=false"),
    ],
)
async def test_what_another_route_does_is_refused(
    service: Service, upstream: ScriptedA1111, method: str, path: str, query: str
) -> None:
    got = await service.ask(method, f"{path}?{query}", png() if method == "POST" else None)
    assert (got.status, got.json()["error"].partition(":")[0]) == (422, query.partition("=")[0])


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
