"""The displays as JSON: what the service makes for each, and what its driver has to know."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pico_a1111_proxy.frames import describe_display
from pico_a1111_proxy.web.bases import OF_A_DISPLAY, check_display
from pico_a1111_proxy.web.bodies import write_json

_PANEL: dict[str, Any] = {
    "controller": "ST7789VW",
    "bus": "SPI",
    "invon": True,
    "madctl": 0x70,
    "x_offset": 0,
    "y_offset": 0,
    "sure": "high",
    "source": "where this was read",
    "note": "",
}
_EXAMPLE: dict[str, Any] = {
    "name": "waveshare-pico-lcd-1.3",
    "label": "Waveshare Pico-LCD-1.3",
    "width": 240,
    "height": 240,
    "format": "rgb565-be",
    "bytes": 115200,
    "fit": "cover",
    "rotate": 0,
    "invert": False,
    "dither": "floyd-steinberg",
    "background": "#000000",
    "linear_light": False,
    "sharpen": 0,
    "round": False,
    "panel": _PANEL,
}


def displays_routes() -> APIRouter:
    """GET /displays, and GET /displays/NAME, which is small enough for a Pico to read."""
    router = APIRouter(tags=["displays"])

    @router.head("/displays", include_in_schema=False)
    @router.get("/displays", response_class=Response, responses=_shown([_EXAMPLE]))
    async def all_displays(request: Request) -> Response:
        """All displays: first the one of the settings, then the panels known by name, then your own."""
        return _json([describe_display(display) for display in request.state.service.displays.values()])

    @router.head(OF_A_DISPLAY, include_in_schema=False)
    @router.get(OF_A_DISPLAY, response_class=Response, responses=_shown(_EXAMPLE))
    async def one_display(request: Request, name: str) -> Response:
        """One display; `default` is the one of the settings."""
        displays = request.state.service.displays
        check_display(name, displays)
        return _json(describe_display(displays[name]))

    return router


def _shown(example: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": example}}}}


def _json(document: Any) -> Response:
    return Response(write_json(document), media_type="application/json")
