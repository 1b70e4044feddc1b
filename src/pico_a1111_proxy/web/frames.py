"""The newest frame of a display: pushed as a picture, fetched, and waited for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import BadRequest
from pico_a1111_proxy.fields import OneOf
from pico_a1111_proxy.newest import Published
from pico_a1111_proxy.pictures import KINDS, kind_of
from pico_a1111_proxy.web.bases import NamedDisplay
from pico_a1111_proxy.web.bodies import read_body
from pico_a1111_proxy.web.conditional import ANY, named_tags, names, not_modified, whole
from pico_a1111_proxy.web.contract import WITH_A_BODY, WITH_A_NAME, WITH_A_QUERY, Responses
from pico_a1111_proxy.web.leaving import unless_left
from pico_a1111_proxy.web.methods import refuse_other_methods
from pico_a1111_proxy.web.options import FrameOptions, Wait
from pico_a1111_proxy.web.reading import PlainRoute
from pico_a1111_proxy.web.representations import Representation, facts, represent
from pico_a1111_proxy.web.sdapi import RequestRules
from pico_a1111_proxy.wiring import Service

_FRAME: Responses = {
    200: {
        "description": "The frame, a PNG of the panel, the frame as JSON, or the picture as it came",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "object"}},
            "image/*": {"schema": {"type": "string", "format": "binary"}},
        },
    },
}
_NEWEST = {
    **_FRAME,
    304: {"description": "If-None-Match names what would have come, after all the time there was to wait"},
    **WITH_A_NAME,
    **WITH_A_QUERY,
}
_PUSHED = {**_FRAME, **WITH_A_NAME, **WITH_A_BODY}
_PICTURE = {
    "requestBody": {
        "required": True,
        "content": {f"image/{kind}": {"schema": {"type": "string", "format": "binary"}} for kind in KINDS},
    }
}


class PushOptions(FrameOptions):
    """The query parameters of a picture that is sent."""

    publish: Annotated[bool, OneOf((True, False))] = Field(
        True, description="false: only convert the picture, and leave the newest as it is"
    )


class NewestOptions(FrameOptions):
    """The query parameters of who wants the newest."""

    wait: Wait = Field(0.0, description="seconds to wait for another one than If-None-Match names")


@dataclass(frozen=True)
class _Order:
    """What a client asks for: `name` is the path's display, `display` that one with the client's options."""

    service: Service
    name: str
    display: Display
    answer: str

    @classmethod
    def read(cls, request: Request, named: Display, options: FrameOptions) -> _Order:
        """What `request` says, and its query, of the display that its path names."""
        answer = options.choose_answer(request.headers)
        return cls(request.state.service, named.name, options.changed(named), answer)

    async def fulfil(self, published: Published, answer: str | None = None) -> Representation:
        """Raises PictureError."""
        answer = answer or self.answer
        work = partial(represent, self.service.proxy, published.picture, self.display, answer)
        return await published.make((self.display, answer), work)


def frame_routes(rules: RequestRules) -> APIRouter:
    """The routes, which belong below OF_A_DISPLAY."""
    router = APIRouter(tags=["displays"], route_class=PlainRoute)

    @router.post("/frame", openapi_extra=_PICTURE, response_class=Response, responses=_PUSHED)
    async def push(request: Request, named: NamedDisplay, options: Annotated[PushOptions, Query()]) -> Response:
        """Convert a picture, and make it the display's newest."""
        order = _Order.read(request, named, options)
        picture = await read_body(request, rules.max_body)
        _check_picture(picture, request.headers.get("content-type", ""))
        published = Published(picture)
        if order.answer == "original":
            await order.fulfil(published, "frame")  # it must be one that can be read, here too
        # Not `unless_left`: a picture that has arrived is published, also when its client does not wait for the answer.
        representation = await order.fulfil(published)
        if options.publish:
            order.service.newest.publish(order.name, published)
        response = representation.response(facts("miss"))
        response.headers.add_vary_header("Accept")
        return response

    @router.head("/frame", include_in_schema=False)
    @router.get("/frame", response_class=Response, responses=_NEWEST)
    async def newest(request: Request, named: NamedDisplay, options: Annotated[NewestOptions, Query()]) -> Response:
        """Tell the newest frame of the display; with `wait` and If-None-Match, the next one."""
        order = _Order.read(request, named, options)
        return await unless_left(request.receive, _newest_or_304(order, named_tags(request), options.wait))

    refuse_other_methods(router, "/frame", "GET, HEAD, POST")
    return router


async def _newest_or_304(order: _Order, known: frozenset[str], seconds: float) -> Response:
    """The newest as soon as it is none of `known`, or a 304 after `seconds`.

    Raises ProxyError, and HTTPException (404) where there is still none.
    """
    now = asyncio.get_running_loop().time
    deadline = now() + seconds
    newest = order.service.newest
    published, representation = newest.get(order.name), None
    known = known if published else known - {ANY}  # whatever comes first, nobody has it yet
    while True:
        if published:
            representation = await order.fulfil(published)
            if not names(known, representation):
                return whole(representation, facts("hit", published.count, published.seed))
            known = frozenset({representation.etag})
        left = deadline - now()
        newer = await newest.wait(order.name, published, left) if left > 0 else None
        if newer is None:
            break
        published = newer
    if representation:
        return not_modified(representation)
    words = f"No picture of this display yet: POST one to /displays/{order.name}/frame, or draw one"
    raise HTTPException(404, words, {"Cache-Control": "no-cache"})


def _check_picture(body: bytes, content_type: str) -> None:
    """Raise BadRequest for what is no picture, with a word on how to send one."""
    if kind_of(body):
        return  # whatever its Content-Type says: curl calls all that it sends a form
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        what = "is empty"
    elif kind == "multipart/form-data":
        what = "is a form"
    elif kind.endswith("json") or body.lstrip()[:1] in (b"{", b"["):
        what = "is JSON"
    else:
        what = f"is none of {', '.join(KINDS)}"
    raise BadRequest(f"The body {what}; send the picture itself, as curl --data-binary @photo.jpg does")
