"""Limits: who comes too often is told when to come again, before its body is read."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from pico_a1111_proxy import controls
from pico_a1111_proxy.rates import Rates
from pico_a1111_proxy.web.bases import split_base
from pico_a1111_proxy.web.errors import error_response

# What only looks, and what takes back.
_FREE_METHODS = controls.READS | {"DELETE"}
# What must always work: to stop a drawing, to see how far it is, to know that the service is there.
_FREE_PATHS = frozenset(
    (
        *(f"/sdapi/v1/{name}" for name in controls.ENDS_THE_DRAWING),
        *("/internal/progress", "/internal/ping"),
    )
)


class RateLimit:
    """Answers 429 with a Retry-After to a client that is over the service's rates.

    The request must have its client by now.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and _counts(scope):
            rates: Rates = scope["state"]["service"].rates
            too_often = await rates.come(scope["state"]["client"])
            if too_often:
                words = f"Too many requests: {too_often.words} are allowed"
                detail = f"{words}; the next one in {too_often.seconds} s"
                headers = {"Retry-After": str(too_often.seconds)}
                await error_response(429, words, detail, headers)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _counts(scope: Scope) -> bool:
    return scope["method"] not in _FREE_METHODS and split_base(scope["path"])[1] not in _FREE_PATHS
