"""The picture being drawn right now: A1111's progress route, and its live preview as a frame."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pico_a1111_proxy.jobs import Progress
from pico_a1111_proxy.web.bodies import write_json
from pico_a1111_proxy.web.options import RenderOptions
from pico_a1111_proxy.web.sdapi import frame_headers, frame_response


def progress_routes() -> APIRouter:
    """GET /sdapi/v1/progress."""
    router = APIRouter(tags=["pictures"])

    @router.get("/sdapi/v1/progress", response_class=Response)
    async def progress(
        request: Request, options: Annotated[RenderOptions, Query()], skip_current_image: bool = False
    ) -> Response:
        """How far the running generation is; as a frame or a PNG, what there is of its picture, or 204."""
        service = request.state.service
        answer = options.choose_answer(request.headers, "json")
        display = options.apply_to(service.displays)
        now: Progress = await service.proxy.upstream.progress()
        if answer not in ("frame", "preview"):
            return Response(write_json(_as_a1111_says_it(now, skip_current_image)), media_type="application/json")
        if now.picture is None:
            return Response(status_code=204)
        frame = await service.proxy.convert(now.picture, display)
        if answer == "frame":
            return frame_response(frame, frame_headers(frame))
        return Response(await service.proxy.preview(frame, display), media_type="image/png")

    return router


def _as_a1111_says_it(now: Progress, skip_image: bool) -> dict[str, Any]:
    picture = None if skip_image else now.picture
    return {
        "progress": now.fraction,
        "eta_relative": now.eta_seconds,
        "state": {
            "skipped": False,
            "interrupted": False,
            "stopping_generation": False,
            "job": "scripts_txt2img" if now.busy else "",
            "job_count": 1 if now.busy else 0,
            "job_timestamp": "0",
            "job_no": 0,
            "sampling_step": now.step,
            "sampling_steps": now.steps,
        },
        "current_image": picture and base64.b64encode(picture).decode("ascii"),
        "textinfo": None,
    }
