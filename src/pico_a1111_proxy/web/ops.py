"""Operating the service: its health, whether it is ready, and the front door."""

from __future__ import annotations

import asyncio
import time
from html import escape
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from pico_a1111_proxy.crews import describe_crew
from pico_a1111_proxy.web.bodies import write_json
from pico_a1111_proxy.web.contract import Responses, refusals
from pico_a1111_proxy.web.errors import error_response
from pico_a1111_proxy.web.methods import refuse_other_methods
from pico_a1111_proxy.web.reading import PlainRoute
from pico_a1111_proxy.wiring import WATCH_SECONDS, Service

VERSION = version("pico-a1111-proxy")

_STARTING_SECONDS = 1  # the first look at the upstream is on its way
_DRAINING_SECONDS = 5  # about what a restart takes
_NOT_READY: Responses = {
    503: {**refusals(503)[503], "description": "Starting, shutting down, or without an upstream that can be used"}
}

_FRONT_DOOR = """<!doctype html><html lang="en"><meta charset="utf-8"><title>pico-a1111-proxy</title>
<meta name="viewport" content="width=device-width"><style>body{font:16px/1.5 sans-serif;max-width:40em;margin:3em auto;
padding:0 1em}pre{background:#eee;padding:1em;overflow:auto}</style><h1>pico-a1111-proxy</h1>
<p>Stable Diffusion pictures for the small displays of microcontrollers. It speaks the API of AUTOMATIC1111.</p>
<pre>curl -o frame.rgb565 -H 'Accept: application/octet-stream' -H 'Content-Type: application/json' \\
  -d '{"prompt": "a mountain lake at sunset"}' ADDRESS/sdapi/v1/txt2img</pre>
<p>That is one frame of 240 by 240 pixels. With <code>?answer=preview</code> the same is a PNG.
<a href="displays">The displays</a>, each with a test card
at <code>displays/NAME/testcard</code>. <a href="docs">All routes</a>, <a href="health">health</a>.</p></html>"""


def ops_routes() -> APIRouter:
    """GET /, GET /health and GET /ready, all answered from memory, however busy everything else is."""
    router = APIRouter(tags=["operating"], route_class=PlainRoute)
    started = time.monotonic()

    @router.head("/health", include_in_schema=False)
    @router.get("/health")
    async def health(request: Request) -> Response:
        """How the service is."""
        described = describe_health(request.state.service, draining=_is_draining(request))
        ours = {"version": VERSION, "uptime_seconds": round(time.monotonic() - started)}
        return Response(write_json({**described, **ours}), media_type="application/json")

    @router.head("/ready", include_in_schema=False)
    @router.get("/ready", responses=_NOT_READY)
    async def ready(request: Request) -> Response:
        """Whether to send it work."""
        service = request.state.service
        refusal = _why_not_ready(service, draining=_is_draining(request))
        return refusal or Response(write_json({"ready": True, "queue": _queue(service)}), media_type="application/json")

    for path in ("/health", "/ready"):
        refuse_other_methods(router, path, "GET, HEAD")

    @router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def front_door(request: Request) -> Response:
        """Greet whoever opens the address in a browser."""
        return HTMLResponse(_FRONT_DOOR.replace("ADDRESS", escape(str(request.base_url).rstrip("/"))))

    return router


def describe_health(service: Service, *, draining: bool) -> dict[str, Any]:
    """The document of GET /health. Who shuts down takes no work, so that is "degraded" as well."""
    condition = service.watch.condition
    archive = service.proxy.archive
    is_well = condition and condition.usable and not draining and _is_fleet_well(service)
    return {
        "status": "ok" if is_well else "degraded",
        "draining": draining,
        "upstream": _upstream(service),
        "queue": _queue(service),
        "cache": {"enabled": archive.is_on, **vars(archive.figures())},
        **_fleet(service),
        "tasks": len(asyncio.all_tasks()),
    }


def _upstream(service: Service) -> dict[str, Any]:
    condition = service.watch.condition
    if condition is None:
        return {"state": "not looked at yet"}
    upstream: dict[str, Any] = {"kind": condition.kind, "state": "usable" if condition.usable else "unusable"}
    if condition.words:
        upstream["words"] = condition.words
    # A pool's own; no other upstream has any.
    members = getattr(service.proxy.upstream, "members", None)
    if members:
        upstream["members"] = [vars(member) for member in members()]
    return upstream


def _is_fleet_well(service: Service) -> bool:
    """Whether Redis can be reached and workers take jobs, where they are to."""
    if service.redis_is_up and not service.redis_is_up():
        return False
    return service.crew is None or service.crew().is_well


def _fleet(service: Service) -> dict[str, Any]:
    """Nothing without Redis. While that is down, the workers are told as they were seen last."""
    if service.redis_is_up is None:
        return {}
    crew = describe_crew(service.crew()) if service.crew else {}
    return {"fleet": {"redis": "up" if service.redis_is_up() else "down", **crew}}


def _queue(service: Service) -> dict[str, Any]:
    """Of a fleet the line is the one that all proxies share, and in flight are our own jobs in it and at workers."""
    gate = service.proxy.gate
    return {
        "in_flight": gate.inside,
        "waiting": gate.waiting + (service.crew().waiting if service.crew else 0),
        "places": gate.places,
        "line": gate.line,
        "job_seconds": round(gate.usual_seconds, 2),
        "retry_after": gate.retry_after(),
    }


def _is_draining(request: Request) -> bool:
    """Only our own server says so: another one has closed its door by then."""
    return getattr(request.state, "draining", False)


def _why_not_ready(service: Service, *, draining: bool) -> Response | None:
    condition = service.watch.condition
    if draining:
        words, detail, seconds = "The service is shutting down", "", _DRAINING_SECONDS
    elif condition is None:
        words, detail, seconds = "The upstream has not been looked at yet", "", _STARTING_SECONDS
    elif not condition.usable:
        words, detail, seconds = "No upstream can be used", condition.words, round(WATCH_SECONDS)
    else:
        return None
    return error_response(503, words, detail, {"Retry-After": str(seconds)})
