"""CORS: which pages may call the service from a browser."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pico_a1111_proxy.web.errors import error_response

# What a page may read of an answer beside its body.
_SHOWN = (
    *("X-Image-Width", "X-Image-Height", "X-Image-Format", "X-Image-Count", "X-Image-Seed"),
    *("X-Cache", "X-Request-Id", "ETag", "Retry-After", "Location", "Preference-Applied"),
)
_PREFLIGHT = "access-control-request-method"


class Cors(CORSMiddleware):
    """Starlette's own, for `origins` such as http://localhost:3000, or `*`; with none, no page may call.

    It takes credentials from the named ones: a key as the password of Basic. Never from `*`, where any page that a
    person opens could use the key that the person's browser remembers.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("*",),
            allow_headers=("*",),
            allow_credentials="*" not in origins,
            # A page on the internet that calls a service at home: the browser asks first, and only for these origins.
            allow_private_network=True,
            expose_headers=_SHOWN,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and (self.allow_origins or _PREFLIGHT in Headers(scope=scope)):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)  # without a word on origins, which a device would only have to skip

    def preflight_response(self, request_headers: Headers) -> Response:
        """A refusal in our shape. Starlette's own method."""
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        refusal = error_response(400, "Pages of this origin may not call: it is not in CORS_ORIGINS")
        refusal.raw_headers += [header for header in response.raw_headers if header[0] == b"vary"]
        return refusal
