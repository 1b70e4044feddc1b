"""Operating the service: its health, and the front door."""

from __future__ import annotations

from html import escape
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from pico_a1111_proxy.web.bodies import write_json
from pico_a1111_proxy.web.methods import refuse_other_methods
from pico_a1111_proxy.wiring import Service

VERSION = version("pico-a1111-proxy")

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
    """GET / and GET /health."""
    router = APIRouter(tags=["operating"])

    @router.head("/health", include_in_schema=False)
    @router.get("/health")
    async def health(request: Request) -> Response:
        """How the service is; answered from memory, however busy everything else is."""
        return Response(write_json(describe_health(request.state.service)), media_type="application/json")

    refuse_other_methods(router, "/health", "GET, HEAD")

    @router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def front_door(request: Request) -> Response:
        """Greet whoever opens the address in a browser."""
        return HTMLResponse(_FRONT_DOOR.replace("ADDRESS", escape(str(request.base_url).rstrip("/"))))

    return router


def describe_health(service: Service) -> dict[str, Any]:
    """The document of GET /health."""
    condition = service.watch.condition
    upstream: dict[str, Any] = {"state": "not looked at yet"}
    if condition:
        upstream = {"kind": condition.kind, "state": "usable" if condition.usable else "unusable"}
        if condition.words:
            upstream["words"] = condition.words
    gate = service.proxy.gate
    return {
        "status": "ok" if condition and condition.usable else "degraded",
        "upstream": upstream,
        "queue": {"in_flight": gate.inside, "waiting": gate.waiting, "places": gate.places, "line": gate.line},
        "cache": {"enabled": False},
        "version": VERSION,
    }
