"""Jobs for clients that come back for their picture: asked after, fetched, and cancelled."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pico_a1111_proxy.claims import Claim
from pico_a1111_proxy.errors import BadRequest
from pico_a1111_proxy.fields import OneOf
from pico_a1111_proxy.jobs import Progress
from pico_a1111_proxy.web.conditional import conditional
from pico_a1111_proxy.web.contract import BY_THE_UPSTREAM, LATER, WITH_A_NAME, WITH_A_QUERY, Refusal, Responses
from pico_a1111_proxy.web.leaving import unless_left
from pico_a1111_proxy.web.methods import refuse_other_methods
from pico_a1111_proxy.web.options import FrameOptions, RenderOptions, Wait
from pico_a1111_proxy.web.sdapi import facts_of, portray
from pico_a1111_proxy.web.tickets import accepted, describe_claim, say
from pico_a1111_proxy.wiring import Service

_DOCUMENT: Responses = {
    200: {"description": "How far it is", "content": {"application/json": {}}},
    **WITH_A_NAME,
    **WITH_A_QUERY,
}
_FRAME: Responses = {
    200: {
        "description": "The frame, a PNG of the panel, or A1111's JSON with frames in it",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "object"}},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    202: {**LATER[202], "description": "It is not done yet: how far it is"},
    304: {"description": "If-None-Match names what would have come"},
    410: {"model": Refusal, "description": "The job was cancelled"},
    **WITH_A_NAME,
    **WITH_A_QUERY,
    **BY_THE_UPSTREAM,
    "4XX": {"model": Refusal, "description": "The upstream refused the job"},
}


async def named_claim(request: Request, name: Annotated[str, Path(alias="id", description="a job's id")]) -> Claim:
    """The ticket that the path names. Raises HTTPException (404), and FleetUnavailable where nobody can tell."""
    service: Service = request.state.service
    claim = await service.tickets.find(name)
    if claim is None:
        raise _no_such_job()
    return claim


NamedClaim = Annotated[Claim, Depends(named_claim)]


class FetchOptions(BaseModel):
    """The query parameters of who comes for the frame of a job."""

    model_config = ConfigDict(extra="allow")

    answer: Annotated[str, OneOf(("frame", "json", "preview"))] | None = Field(None, description="what comes back")
    wait: Wait = Field(0.0, description="seconds to wait for it")

    @model_validator(mode="after")
    def _refuse_what_was_chosen(self) -> FetchOptions:
        for name in RenderOptions.model_fields.keys() & (self.model_extra or {}).keys():
            raise BadRequest(f"{name}: it was chosen when the job was posted; here are answer and wait")
        return self


def jobs_routes() -> APIRouter:
    """The routes below /jobs."""
    router = APIRouter(tags=["jobs"])

    @router.head("/jobs/{id}", include_in_schema=False)
    @router.get("/jobs/{id}", response_class=Response, responses=_DOCUMENT)
    async def job(request: Request, claim: NamedClaim) -> Response:
        """Tell how far the job is."""
        return say(describe_claim(request, claim, await _progress(request.state.service, claim)))

    @router.delete("/jobs/{id}", response_class=Response, responses=_DOCUMENT)
    async def cancel(request: Request, claim: NamedClaim) -> Response:
        """Cancel the job; what is over is forgotten."""
        await request.state.service.tickets.withdraw(claim)
        return say(describe_claim(request, claim))

    @router.head("/jobs/{id}/frame", include_in_schema=False)
    @router.get("/jobs/{id}/frame", response_class=Response, responses=_FRAME)
    async def frame(request: Request, claim: NamedClaim, options: Annotated[FetchOptions, Query()]) -> Response:
        """Fetch the job's frame; with `wait`, as soon as it is done."""
        answer = FrameOptions.model_validate({"answer": options.answer}).choose_answer(request.headers)
        if not claim.is_over:
            await unless_left(request.receive, claim.wait(options.wait))
        return await _fetch(request, claim, answer)

    refuse_other_methods(router, "/jobs/{id}", "DELETE, GET, HEAD")
    refuse_other_methods(router, "/jobs/{id}/frame", "GET, HEAD")
    return router


async def _progress(service: Service, claim: Claim) -> Progress | None:
    """What the upstream says of it; None where it may be speaking of another."""
    claim.look_closely()
    seconds = claim.seconds_alone
    return None if seconds is None else await service.watch.progress(seconds)


async def _fetch(request: Request, claim: Claim, answer: str) -> Response:
    """What there is of it as `answer`. Raises the job's own error, and HTTPException (404, 410) for no frame."""
    if not claim.is_over:
        return accepted(request, claim, told=await _progress(request.state.service, claim))
    if claim.error:
        raise claim.error
    if claim.state == "cancelled":
        raise HTTPException(410, "The job was cancelled")
    rendering = await claim.fetch()
    if rendering is None:
        raise _no_such_job()
    if answer != "json" and not rendering.frames:
        raise HTTPException(404, "The job has no frame: its body has send_images: false")
    representation = await portray(request.state.service.proxy, claim.display, answer, rendering)
    return conditional(request, representation, facts_of(rendering, answer))


def _no_such_job() -> HTTPException:
    return HTTPException(404, "No such job: it was never there, or its time is over", {"Cache-Control": "no-store"})
