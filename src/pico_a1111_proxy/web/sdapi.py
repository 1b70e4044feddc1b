"""The rendered routes: A1111's txt2img and img2img, answered with frames."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import UpstreamError, UpstreamRejected
from pico_a1111_proxy.jobs import Job, Route, Wanted, read_json
from pico_a1111_proxy.keys import changes_options, has_effects, is_repeatable, job_key
from pico_a1111_proxy.proxy import Proxy
from pico_a1111_proxy.renderings import Rendering
from pico_a1111_proxy.web.addresses import refuse_addresses, refuse_addresses_in
from pico_a1111_proxy.web.bases import display_of
from pico_a1111_proxy.web.bodies import (
    ask_for_images,
    images_are_off,
    read_body,
    read_object,
)
from pico_a1111_proxy.web.contract import BY_THE_UPSTREAM, BY_THE_UPSTREAM_ITSELF, LATER, WITH_A_BODY, Responses
from pico_a1111_proxy.web.headers import downwards, upwards
from pico_a1111_proxy.web.leaving import unless_left
from pico_a1111_proxy.web.options import LONGEST_WAIT, RenderOptions, without_ours
from pico_a1111_proxy.web.preferences import (
    APPLIED,
    caching_of,
    patience_of,
    priority_of,
    tell_applied,
    wants_to_come_back,
)
from pico_a1111_proxy.web.reading import PlainRoute
from pico_a1111_proxy.web.representations import Representation, as_frame, as_json, as_preview, facts
from pico_a1111_proxy.web.tickets import accepted

SMALL_BODY = 4000  # bytes of one that is known again
MOST_READ = 500  # of them

_APPLIED = {APPLIED: "respond-async"}
_WANTED: dict[str, Wanted] = {"frame": "one", "preview": "one", "json": "all"}

_BODY: dict[str, Any] = {
    "parameters": [
        {
            "name": "Prefer",
            "in": "header",
            "description": "respond-async: answer with a job (202); with wait=SECONDS only what takes longer. "
            "priority=background: others go first, where a fleet draws",
            "schema": {
                "type": "string",
                "examples": ["respond-async", "respond-async, wait=5", "respond-async; priority=background"],
            },
        }
    ],
    "requestBody": {
        "required": True,
        "description": "A1111's own JSON; fields that are not known here reach the upstream as they are",
        "content": {
            "application/json": {
                "schema": {"type": "object", "additionalProperties": True},
                "example": {"prompt": "a mountain lake at sunset", "steps": 20, "seed": 7},
            }
        },
    },
}
_ANSWERS: Responses = {
    200: {
        "description": "A frame, A1111's JSON with frames in it, a PNG of the panel, or the upstream's answer",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "object"}},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    **LATER,
    **WITH_A_BODY,
    **BY_THE_UPSTREAM,
    **BY_THE_UPSTREAM_ITSELF,
}


@dataclass(frozen=True)
class RequestRules:
    """What the settings say of requests: who names no answer gets `otherwise`; `max_body` is in bytes.

    `realm` is all that changes pictures beside the request itself. With `keep_random` a job that names no seed has a
    key as well.
    """

    otherwise: str
    max_body: int
    image_urls: bool
    realm: str = ""
    keep_random: bool = False

    def of_client(self, request: Request, job: Job) -> Job:
        """`job` with what `request` says of who asks, how urgently and for how long, and of what was drawn before."""
        state, headers = request.scope["state"], request.headers
        return replace(
            job,
            client=state.get("client", ""),
            patience=patience_of(headers),
            caching=caching_of(headers),
            # Whose key is for background work can ask for no more.
            priority=state.get("priority") or priority_of(headers) or "interactive",
        )

    def job(self, request: Request, job: Job) -> Job:
        """`job` with all that `request` and its body say. Raises BadRequest."""
        read = _read_again if len(job.body) <= SMALL_BODY else _read
        return self.of_client(request, read(self, job, request.headers.get("content-type", "")))


def _read(rules: RequestRules, job: Job, content_type: str) -> Job:
    """`job` with all that its body says. Raises BadRequest."""
    document = read_object(job.body, content_type)
    if not rules.image_urls:
        refuse_addresses_in(document)
    if job.wanted == "one":
        job = replace(job, body=ask_for_images(job.body, document))
    elif images_are_off(document):
        # The client wants the words only, and gets what it asked for.
        return replace(job, wanted="none")
    if changes_options(document):
        return replace(job, changes_options=True)
    repeatable = is_repeatable(document)
    if not repeatable and (has_effects(document) or not rules.keep_random):
        return job
    named = {**document, "send_images": True}  # as it goes up, or would without being changed
    return replace(job, key=job_key(rules.realm, job.route, named, job.query), repeatable=repeatable)


# Who asks for the same again and again sends the same body, and its key takes longer than all else.
_read_again = lru_cache(MOST_READ)(_read)


def sdapi_routes(rules: RequestRules) -> APIRouter:
    """The routes; below OF_A_DISPLAY they are those of that display."""
    router = APIRouter(tags=["pictures"], route_class=PlainRoute)

    @router.post("/sdapi/v1/txt2img", openapi_extra=_BODY, response_class=Response, responses=_ANSWERS)
    async def txt2img(request: Request, options: Annotated[RenderOptions, Query()]) -> Response:
        """Draw a picture from words."""
        return await _render(request, "txt2img", options, rules)

    @router.post("/sdapi/v1/img2img", openapi_extra=_BODY, response_class=Response, responses=_ANSWERS)
    async def img2img(request: Request, options: Annotated[RenderOptions, Query()]) -> Response:
        """Draw a picture from a picture."""
        return await _render(request, "img2img", options, rules)

    return router


async def _render(request: Request, route: Route, options: RenderOptions, rules: RequestRules) -> Response:
    base_display = display_of(request)
    # Who sets the base URL of a display wants frames, whatever others get who name nothing.
    answer = options.choose_answer(request.headers, "json" if base_display else rules.otherwise)
    display = options.apply_to(request.state.service.displays, base_display)
    query = without_ours(request.scope["query_string"].decode("latin-1"))
    if answer == "original":
        response = await generate_original(request, route, query, rules)
    else:
        body = await read_body(request, rules.max_body)
        job = rules.job(request, Job(route, body, display, _WANTED[answer], options.index, query))
        if wants_to_come_back(request.headers):
            response = await _take_on(request, job, answer)
        else:
            response = await _answer_at_once(request, job, answer)
        if priority_of(request.headers) == job.priority:
            tell_applied(response.headers, f"priority={job.priority}")
    response.headers.add_vary_header("Accept")
    return response


async def _answer_at_once(request: Request, job: Job, answer: str) -> Response:
    proxy: Proxy = request.state.service.proxy
    ready = proxy.recall(job)
    if ready:
        return await write_down(proxy, job, answer, ready)
    return await unless_left(request.receive, answer_job(proxy, job, answer))


async def _take_on(request: Request, job: Job, answer: str) -> Response:
    """Answer with a ticket for `job`, or as usual where it is done in the time that the client waits for that.

    Raises ProxyError.
    """
    service = request.state.service
    # In line it stands for as long as it takes: how long the client waits says nothing of that.
    ticket = await service.tickets.open(replace(job, patience=math.inf))
    seconds = patience_of(request.headers)
    if not math.isfinite(seconds):
        await service.tickets.share(ticket)
        return accepted(request, ticket, _APPLIED)
    # Its client may leave: the job goes on.
    await unless_left(request.receive, ticket.wait(min(seconds, LONGEST_WAIT)))
    if not ticket.is_over:
        await service.tickets.share(ticket)
        return accepted(request, ticket, _APPLIED)
    service.tickets.forget(ticket)
    if ticket.error:
        raise ticket.error
    return await write_down(service.proxy, job, answer, ticket.rendering)


async def generate_original(request: Request, route: Route, query: str, rules: RequestRules) -> Response:
    """Send the body up byte for byte, whatever it is, and the upstream's answer down; only the line is ours.

    Raises ProxyError.
    """
    service = request.state.service
    body = await read_body(request, rules.max_body)
    if not rules.image_urls:
        refuse_addresses(body)
    display = next(iter(service.displays.values()))
    content_type = dict(upwards(request.scope["headers"])).get("content-type")
    job = Job(route, body, display, "none", query=query, content_type=content_type)
    if b"override_settings_restore_afterwards" in body:
        document = read_json(body)
        job = replace(job, changes_options=isinstance(document, dict) and changes_options(document))
    job = rules.of_client(request, job)
    return await unless_left(request.receive, answer_job(service.proxy, job, "original"))


async def answer_job(proxy: Proxy, job: Job, answer: str) -> Response:
    """Render `job` and write it down as `answer`. Raises ProxyError."""
    try:
        return await write_down(proxy, job, answer, await proxy.render(job))
    except UpstreamError as error:
        if error.answer and (answer == "original" or (answer == "json" and isinstance(error, UpstreamRejected))):
            return original_response(error.answer)
        raise


async def write_down(proxy: Proxy, job: Job, answer: str, rendering: Rendering) -> Response:
    """The rendering of `job` as `answer`. Raises ProxyError."""
    if answer == "original":
        assert rendering.answer  # it is let go of only in what is kept, and that is never kept
        return original_response(rendering.answer)
    representation = await portray(proxy, job.display, answer, rendering)
    return representation.response(facts_of(rendering, answer))


async def portray(proxy: Proxy, display: Display, answer: str, rendering: Rendering) -> Representation:
    """The frames of `rendering`, which are for `display`, as `answer`; not the original one. Raises ProxyError."""
    if answer == "json":
        return as_json(rendering.frames, display, rendering)
    if answer == "preview":
        return as_preview(rendering.frame, await proxy.preview(rendering.frame, display))
    return as_frame(rendering.frame)


def facts_of(rendering: Rendering, answer: str) -> dict[str, str]:
    """The headers that tell where it comes from."""
    if answer == "json":
        return facts(rendering.origin)  # the rest is in its words
    return facts(rendering.origin, rendering.count, rendering.seed)


def original_response(answer: Answer) -> Response:
    """The upstream's answer as it came: status, headers, bytes."""
    response = Response(answer.body, answer.status)
    length = [header for header in response.raw_headers if header[0] == b"content-length"]
    # Where it redirects, a client of a generation has nothing to follow.
    response.raw_headers = length + [header for header in downwards(answer.headers) if header[0] != b"location"]
    return response
