"""Tickets as clients see them: the document of a job, and the 202 that tells where it is."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pico_a1111_proxy.claims import Claim
from pico_a1111_proxy.errors import whole_retry
from pico_a1111_proxy.jobs import Progress, read_json
from pico_a1111_proxy.web.bodies import write_json
from pico_a1111_proxy.web.errors import respond_to


def path_of(claim: Claim) -> str:
    """Where it is, below any base URL."""
    return f"/jobs/{claim.id}"


def describe_claim(request: Request, claim: Claim, told: Progress | None = None) -> dict[str, Any]:
    """Its document; `told` is as for `Ticket.outlook`."""
    outlook = claim.outlook(told)
    expires = request.state.service.tickets.expires_in(claim)
    document = {
        "id": claim.id,
        "state": outlook.state,
        "position": outlook.position,
        "progress": round(outlook.progress, 3),
        "eta_seconds": round(outlook.eta_seconds, 1),
        "live": outlook.live,
        "expires_seconds": None if expires is None else round(expires),
        "frame": f"{path_of(claim)}/frame",
    }
    if claim.error:
        refusal = read_json(bytes(respond_to(claim.error).body))  # as who asks for the frame is told
        document |= {"error": refusal["error"], "code": refusal["code"]}
    return document


def say(document: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """It is another one the next time: nobody may keep it."""
    return Response(write_json(document), status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")


def accepted(
    request: Request, claim: Claim, headers: dict[str, str] | None = None, told: Progress | None = None
) -> Response:
    """The 202 of one that is not over, or that nobody has waited for; `told` is as for `Ticket.outlook`."""
    document = describe_claim(request, claim, told)
    seconds = whole_retry(document["eta_seconds"])
    return say(document, 202, {"Location": path_of(claim), "Retry-After": str(seconds), **(headers or {})})
