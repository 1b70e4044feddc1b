"""The metrics as Prometheus scrapes them, and what kind of request each one is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Scope

from pico_a1111_proxy.web.asked import PREFIXES
from pico_a1111_proxy.web.bases import ORIGINAL, split_base
from pico_a1111_proxy.web.methods import refuse_other_methods

KINDS = (
    *("txt2img", "img2img", "progress", "newest", "push", "testcard", "displays", "jobs"),
    *("relay", "health", "ready", "metrics", "page", "other"),
)

_EVERYWHERE = {
    "/sdapi/v1/txt2img": "txt2img",
    "/sdapi/v1/img2img": "img2img",
    "/sdapi/v1/progress": "progress",
}
_HERE = {
    **_EVERYWHERE,
    "/health": "health",
    "/ready": "ready",
    "/metrics": "metrics",
    "/displays": "displays",
    **dict.fromkeys(("/", "/docs", "/docs/oauth2-redirect", "/openapi.json"), "page"),
}
_OF_A_DISPLAY = {**_EVERYWHERE, "/testcard": "testcard"}

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Prometheus' text format, or OpenMetrics where Accept names it",
        "content": {name: {"schema": {"type": "string"}} for name in ("text/plain", "application/openmetrics-text")},
    }
}


def metrics_routes() -> APIRouter:
    """GET /metrics, answered from memory."""
    router = APIRouter(tags=["operating"])

    @router.head("/metrics", include_in_schema=False)
    @router.get("/metrics", response_class=Response, responses=_TEXT)
    async def metrics(request: Request) -> Response:
        """Tell Prometheus what was counted since the start."""
        body, content_type = request.state.service.metrics.write(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store", "Vary": "Accept"})

    refuse_other_methods(router, "/metrics", "GET, HEAD")
    return router


class RequestCounter:
    """Counts requests by their kind, where there is a service; `prefixes` are the relay's further paths."""

    def __init__(self, prefixes: tuple[str, ...] = ()) -> None:
        self._relayed = (*PREFIXES, *prefixes)

    def __call__(self, scope: Scope, status: int, seconds: float, size: int) -> None:
        """Count one whose answer is out; as AccessLog wants it."""
        service = scope["state"].get("service")
        if service:
            service.metrics.answered(self.kind_of(scope["method"], scope["path"]), status, seconds, size)

    def kind_of(self, method: str, path: str) -> str:
        """One of KINDS: what a client writes must not become a label."""
        kind = _HERE.get(path)
        if kind:
            return kind
        base, rest = split_base(path)
        if base == ORIGINAL:
            return _EVERYWHERE.get(rest, "relay")
        if base:
            return self._of_a_display(method, rest)
        if path.startswith("/displays/"):
            return "displays"
        if path.startswith("/jobs/"):
            return "jobs"
        return "relay" if path.startswith(self._relayed) else "other"

    def _of_a_display(self, method: str, rest: str) -> str:
        if rest == "/frame":
            return "push" if method == "POST" else "newest"
        return _OF_A_DISPLAY.get(rest) or ("relay" if rest.startswith(self._relayed) else "other")
