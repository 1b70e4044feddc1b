"""The contract: what /openapi.json tells beside the routes' own good answers: refusals, displays and keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field

from pico_a1111_proxy.web.guards import OPEN_PATHS

Responses = dict["int | str", dict[str, Any]]  # as a route takes them


class Refusal(BaseModel):
    """What every refusal holds, whatever its status."""

    error: str = Field(description="one sentence")
    code: int = Field(description="the status")
    detail: str = Field(description="more, or the same")


_RETRY_AFTER = {"Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 0}}}
_WORDS = {
    401: "No key of this service, or the upstream refuses ours",
    404: "There is nothing of this name, or not yet",
    405: "The path has other methods",
    413: "The body is over MAX_BODY_MB",
    422: "A bad parameter or body; the sentence names the field and the good values",
    429: "More than RATE_LIMIT",
    502: "The upstream can't be reached, hung up, or its answer makes no sense",
    503: "The line is full, or the service stops",
    504: "The upstream was too slow",
}
_HEADERS: dict[int, dict[str, Any]] = {
    405: {"Allow": {"description": "the methods that it has", "schema": {"type": "string"}}},
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}


def refusals(*statuses: int) -> Responses:
    """What `responses=` of a route says of these statuses."""
    return {
        status: {"model": Refusal, "description": _WORDS[status], "headers": _HEADERS.get(status, {})}
        for status in statuses
    }


# What a route may say no with, by what it has.
ANYWHERE = refusals(401, 405, 429)
WITH_A_QUERY = refusals(422)
WITH_A_NAME = refusals(404)
WITH_A_BODY = refusals(413, 422)
BY_THE_UPSTREAM = refusals(502, 503, 504)
# A server's own words come as it wrote them, unless a frame was asked for.
_IN_ITS_WORDS = {
    "description": "The upstream says no, in its words or in ours; or we do",
    "content": {"application/json": {"schema": {"type": "object"}}},
}
BY_THE_UPSTREAM_ITSELF: Responses = dict.fromkeys((401, 422, "4XX"), _IN_ITS_WORDS)
LATER: Responses = {
    202: {
        "description": "With Prefer: respond-async: a job, to be asked after at its Location",
        "headers": {"Location": {"description": "/jobs/ID", "required": True, "schema": {"type": "string"}}},
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}

_KEYS = {
    "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer"},
    "Basic": {"type": "http", "scheme": "basic", "description": "the key as the password, with any name"},
}
_NAMES = {("path", "name"), ("query", "display")}


def tell_contract(app: FastAPI, *, keys: bool) -> None:
    """Let the document of `app` list the displays that there are, and where `keys` are asked for, how to send one."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            service = getattr(app.state, "service", None)
            if service is not None:  # else the displays are not known yet
                _list_displays(document, list(service.displays))
            if keys:
                _ask_for_a_key(document)
        return plain()

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI wants it


def _list_displays(document: dict[str, Any], names: list[str]) -> None:
    for _, operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            if (parameter["in"], parameter["name"]) in _NAMES:
                schema = parameter["schema"]
                schema.get("anyOf", [schema])[0]["enum"] = names


def _ask_for_a_key(document: dict[str, Any]) -> None:
    document.setdefault("components", {})["securitySchemes"] = _KEYS
    document["security"] = [{name: []} for name in _KEYS]
    for path, operation in _operations(document):
        if path in OPEN_PATHS:
            operation["security"] = []


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation
