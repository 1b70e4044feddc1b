"""The contract: /openapi.json tells every refusal in its one shape, the displays that there are, and the keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes.a1111 import ScriptedA1111, said
from pico_a1111_proxy.panels import DISPLAYS
from service import Service, open_service

REFUSAL = "#/components/schemas/Refusal"
METHODS = {"get", "post", "put", "patch", "delete"}


async def document_of(service: Service) -> Any:
    return (await service.ask("GET", "/openapi.json")).json()


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, method, operation) for path, all_of in document["paths"].items() for method, operation in all_of.items()
    ]


async def test_every_route_tells_its_refusals_in_one_shape(service: Service) -> None:
    document = await document_of(service)
    assert document["components"]["schemas"]["Refusal"]["required"] == ["error", "code", "detail"]
    for path, method, operation in operations(document):
        told = operation["responses"]
        assert {"200", "401", "405", "429"} <= told.keys() or "202" in told, path
        refusals = {status: words for status, words in told.items() if status.isdigit() and int(status) >= 400}
        for status, words in refusals.items():
            schema = words["content"]["application/json"]["schema"]
            # An upstream that says no may do so in its own words.
            assert schema == {"$ref": REFUSAL} or ("4XX" in told and schema == {"type": "object"}), (path, status)
        assert ("422" in told) or not (operation.get("parameters") or operation.get("requestBody")), path
        assert ("413" in told) == ("requestBody" in operation), path
        assert ("404" in told) == ("{" in path), path
        assert method in METHODS
    assert "HTTPValidationError" not in document["components"]["schemas"]


@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("GET", "/displays/nobody", 404, "/displays/{name}"),
        ("POST", "/displays/default", 405, None),
        ("GET", "/displays/default/testcard?width=0", 422, "/displays/{name}/testcard"),
        ("GET", "/displays/nobody/frame", 404, "/displays/{name}/frame"),
        ("POST", "/displays/default/frame", 422, "/displays/{name}/frame"),
        ("POST", "/sdapi/v1/txt2img?rotate=1", 422, "/sdapi/v1/txt2img"),
    ],
)
async def test_what_is_refused_is_what_is_told(
    service: Service, method: str, path: str, status: int, route: str | None
) -> None:
    got = await service.ask(method, path)
    assert got.status == status
    assert got.json().keys() == {"error", "code", "detail"}
    if route:
        told = (await document_of(service))["paths"][route][method.lower()]["responses"]
        assert str(status) in told


async def test_an_upstreams_refusal_is_told(service: Service, upstream: ScriptedA1111) -> None:
    upstream.standing = said({"detail": "no"}, 400)
    assert (await service.txt2img()).status == 400
    told = (await document_of(service))["paths"]["/sdapi/v1/txt2img"]["post"]["responses"]
    assert {"4XX", "502", "503", "504"} <= told.keys()
    assert "Retry-After" in told["503"]["headers"]


async def test_the_displays_are_listed(tmp_path: Path) -> None:
    mine = tmp_path / "displays.toml"
    mine.write_text("[mine]\nwidth = 8\nheight = 8\n")
    async with open_service(a1111_base_url="demo:", displays_file=str(mine)) as service:
        document = await document_of(service)
        lists = [
            parameter["schema"].get("anyOf", [parameter["schema"]])[0]["enum"]
            for _, _, operation in operations(document)
            for parameter in operation.get("parameters", ())
            if parameter["name"] in ("name", "display")
        ]
    assert len(lists) >= 5
    for names in lists:
        assert names[0] == "default"
        assert set(names) == {"default", *DISPLAYS, "mine"}


async def test_keys_are_told_where_they_are_asked_for(service: Service) -> None:
    assert "security" not in await document_of(service)
    async with open_service(a1111_base_url="demo:", service_api_key="secret") as locked:
        assert (await locked.ask("GET", "/openapi.json")).status == 401
        document = (await locked.ask("GET", "/openapi.json", x_api_key="secret")).json()
    schemes = document["components"]["securitySchemes"]
    assert document["security"] == [{name: []} for name in schemes]
    assert schemes["X-API-Key"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert document["paths"]["/health"]["get"]["security"] == []
    assert "secret" not in str(document)
