"""The test card of a display, and for a browser the page that says what a wrong colour means."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pico_a1111_proxy.web.bases import NamedDisplay
from pico_a1111_proxy.web.conditional import conditional
from pico_a1111_proxy.web.contract import WITH_A_NAME, WITH_A_QUERY, Responses
from pico_a1111_proxy.web.methods import refuse_other_methods
from pico_a1111_proxy.web.options import FrameOptions, media_types, opens_a_page
from pico_a1111_proxy.web.reading import PlainRoute
from pico_a1111_proxy.web.representations import facts, represent
from pico_a1111_proxy.web.testcard_page import testcard_page

_CARD: Responses = {
    200: {
        "description": "The card as a frame, as a PNG of the panel, as JSON, as it is drawn, or on a page",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "object"}},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
            "text/html": {"schema": {"type": "string"}},
        },
    },
    304: {"description": "If-None-Match names what would have come"},
    **WITH_A_NAME,
    **WITH_A_QUERY,
}


def testcard_routes() -> APIRouter:
    """GET /testcard, which belongs below OF_A_DISPLAY."""
    router = APIRouter(tags=["displays"], route_class=PlainRoute)

    @router.head("/testcard", include_in_schema=False)
    @router.get("/testcard", response_class=Response, responses=_CARD)
    async def testcard(request: Request, named: NamedDisplay, options: Annotated[FrameOptions, Query()]) -> Response:
        """Draw a picture by which a person judges the panel; a browser gets a page that explains it."""
        display = options.changed(named)
        if options.answer is None and _is_browser(request):
            needs_key = "authorization" in request.headers  # or it would not have come so far
            page = testcard_page(display, options, str(request.base_url), needs_key=needs_key)
            return conditional(request, page)
        proxy = request.state.service.proxy
        card = await proxy.testcard(display)
        representation = await represent(proxy, card, display, options.choose_answer(request.headers))
        return conditional(request, representation, facts("miss"))

    refuse_other_methods(router, "/testcard", "GET, HEAD")
    return router


def _is_browser(request: Request) -> bool:
    """Whether Accept names a page, and no frame."""
    names_a_frame = any(media_type == "application/octet-stream" for media_type, _ in media_types(request.headers))
    return opens_a_page(request.headers) and not names_a_frame
