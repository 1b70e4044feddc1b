"""The displays as JSON: what the service makes for each, and what its driver has to know."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pico_a1111_proxy.displays import describe_display
from pico_a1111_proxy.panels import DISPLAYS
from pico_a1111_proxy.web.bases import OF_A_DISPLAY, NamedDisplay
from pico_a1111_proxy.web.bodies import write_json
from pico_a1111_proxy.web.contract import WITH_A_NAME, WITH_A_QUERY, Responses
from pico_a1111_proxy.web.methods import refuse_other_methods
from pico_a1111_proxy.web.reading import PlainRoute

_EXAMPLE = describe_display(DISPLAYS["waveshare-pico-lcd-1.3"])


def displays_routes() -> APIRouter:
    """GET /displays, and GET /displays/NAME, which is small enough for a Pico to read."""
    router = APIRouter(tags=["displays"], route_class=PlainRoute)

    @router.head("/displays", include_in_schema=False)
    @router.get("/displays", response_class=Response, responses=_shown([_EXAMPLE]))
    async def all_displays(request: Request) -> Response:
        """All displays: first the one of the settings, then the panels known by name, then your own."""
        return _json([describe_display(display) for display in request.state.service.displays.values()])

    @router.head(OF_A_DISPLAY, include_in_schema=False)
    @router.get(OF_A_DISPLAY, response_class=Response, responses=_shown(_EXAMPLE) | WITH_A_NAME | WITH_A_QUERY)
    async def one_display(display: NamedDisplay) -> Response:
        """One display; `default` is the one of the settings."""
        return _json(describe_display(display))

    refuse_other_methods(router, "/displays", "GET, HEAD")
    refuse_other_methods(router, OF_A_DISPLAY, "GET, HEAD")
    return router


def _shown(example: Any) -> Responses:
    return {200: {"content": {"application/json": {"example": example}}}}


def _json(document: Any) -> Response:
    return Response(write_json(document), media_type="application/json")
