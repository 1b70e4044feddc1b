"""The picture being drawn right now: A1111's progress route, and its live preview as a frame."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pico_a1111_proxy.web.bases import display_of
from pico_a1111_proxy.web.contract import BY_THE_UPSTREAM, BY_THE_UPSTREAM_ITSELF, WITH_A_QUERY, Responses
from pico_a1111_proxy.web.options import RenderOptions, without_ours
from pico_a1111_proxy.web.reading import PlainRoute
from pico_a1111_proxy.web.relay import Relay, Relayed
from pico_a1111_proxy.web.representations import facts, represent

_PROGRESS: Responses = {
    200: {
        "description": "A1111's own JSON, or what there is of the picture as a frame or as a PNG of the panel",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "object"}},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    204: {"description": "Nothing is being drawn, or nothing can be seen of it yet"},
    **WITH_A_QUERY,
    **BY_THE_UPSTREAM,
    **BY_THE_UPSTREAM_ITSELF,
}


def progress_routes(relay: Relay) -> APIRouter:
    """GET /sdapi/v1/progress; what is no frame is the upstream's own answer, through `relay`."""
    router = APIRouter(tags=["pictures"], route_class=PlainRoute)

    @router.get("/sdapi/v1/progress", response_class=Response, responses=_PROGRESS)
    async def progress(request: Request, options: Annotated[RenderOptions, Query()]) -> Response:
        """How far the running generation is; as a frame or a PNG, what there is of its picture, or 204."""
        service = request.state.service
        answer = options.choose_answer(request.headers, "json")
        display = options.apply_to(service.displays, display_of(request))
        if answer not in ("frame", "preview"):
            return Relayed(relay, without_ours(request.scope["query_string"].decode("latin-1")))
        now = await service.proxy.upstream.progress()
        if now.picture is None:
            return Response(status_code=204, headers={"Vary": "Accept"})
        response = (await represent(service.proxy, now.picture, display, answer)).response(facts("miss"))
        response.headers.add_vary_header("Accept")
        return response

    return router
