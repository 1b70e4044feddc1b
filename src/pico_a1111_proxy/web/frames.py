"""The newest frame of a display: pushed as a picture, fetched, and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field, ValidationError, WrapValidator
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import BadRequest
from pico_a1111_proxy.fields import OneOf, show
from pico_a1111_proxy.newest import Published
from pico_a1111_proxy.pictures import KINDS, kind_of
from pico_a1111_proxy.web.bases import display_of
from pico_a1111_proxy.web.bodies import read_body
from pico_a1111_proxy.web.conditional import ANY, named_tags, names, not_modified, whole
from pico_a1111_proxy.web.leaving import unless_left
from pico_a1111_proxy.web.options import FrameOptions
from pico_a1111_proxy.web.representations import Representation, represent
from pico_a1111_proxy.web.sdapi import RequestRules
from pico_a1111_proxy.wiring import Service

LONGEST_WAIT = 60.0  # seconds

_FRAME: dict[int | str, dict[str, Any]] = {
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
    404: {"description": "No display has this name, or no picture yet"},
}
_PICTURE = {"requestBody": {"required": True, "content": {f"image/{kind}": {} for kind in KINDS}}}


def _check_wait(text: Any, convert: Callable[[Any], float]) -> float:
    with suppress(ValidationError):
        return convert(text)
    raise ValueError(f"{show(text)} is not a number of seconds from 0 to {LONGEST_WAIT:g}")


Wait = Annotated[float, Field(ge=0, le=LONGEST_WAIT, allow_inf_nan=False), WrapValidator(_check_wait)]


class PushOptions(FrameOptions):
    """The query parameters of a picture that is sent."""

    publish: Annotated[bool, OneOf((True, False))] = Field(
        True, description="false: only convert the picture, and leave the newest as it is"
    )


class NewestOptions(FrameOptions):
    """The query parameters of who wants the newest."""

    wait: Wait = Field(0.0, description="seconds to wait for another one than If-None-Match names")


@dataclass(frozen=True)
class _Wish:
    """What a client wants of which display: `name` is the path's, `display` is that one with the client's options."""

    service: Service
    name: str
    display: Display
    answer: str

    @classmethod
    def read(cls, request: Request, options: FrameOptions) -> _Wish:
        """Raises HTTPException (404) for an unknown display."""
        service, name = request.state.service, display_of(request)
        assert name is not None  # the routes stand below OF_A_DISPLAY only
        display = options.changed(service.displays[name])
        return cls(service, name, display, options.choose_answer(request.headers))

    async def fulfil(self, published: Published, answer: str | None = None) -> Representation:
        """Raises PictureError."""
        answer = answer or self.answer
        work = partial(represent, self.service.proxy, published.picture, self.display, answer)
        return await published.make((self.display, answer), work)


def frame_routes(rules: RequestRules) -> APIRouter:
    """The routes, which belong below OF_A_DISPLAY."""
    router = APIRouter(tags=["displays"])

    @router.post("/frame", openapi_extra=_PICTURE, response_class=Response, responses=_FRAME)
    async def push(request: Request, options: Annotated[PushOptions, Query()]) -> Response:
        """Convert a picture, and make it the display's newest."""
        wish = _Wish.read(request, options)
        picture = await read_body(request, rules.max_body)
        _check_picture(picture, request.headers.get("content-type", ""))
        published = Published(picture)
        if wish.answer == "original":
            await wish.fulfil(published, "frame")  # it must be one that can be read, here too
        # Not `unless_left`: a picture that has arrived is published, also when its client does not wait for the answer.
        representation = await wish.fulfil(published)
        if options.publish:
            wish.service.newest.publish(wish.name, published)
        response = representation.response()
        response.headers.add_vary_header("Accept")
        return response

    @router.head("/frame", include_in_schema=False)
    @router.get("/frame", response_class=Response, responses=_NEWEST)
    async def newest(request: Request, options: Annotated[NewestOptions, Query()]) -> Response:
        """Tell the newest frame of the display; with `wait` and If-None-Match, the next one."""
        wish = _Wish.read(request, options)
        return await unless_left(request.receive, _news(wish, named_tags(request), options.wait))

    # The router itself would name one method only, and leave the others to be found.
    router.routes.append(Route("/frame", _OtherMethod(), include_in_schema=False))
    return router


class _OtherMethod:
    """ASGI, which says what there is instead. A class, since only those get any method."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        raise HTTPException(405, headers={"Allow": "GET, HEAD, POST"})


async def _news(wish: _Wish, known: frozenset[str], seconds: float) -> Response:
    """The newest as soon as it is none of `known`, or what there is to say after `seconds`. Raises ProxyError."""
    now = asyncio.get_running_loop().time
    deadline = now() + seconds
    newest = wish.service.newest
    published, representation = newest.get(wish.name), None
    known = known if published else known - {ANY}  # whatever comes first, nobody has it yet
    while True:
        if published:
            representation = await wish.fulfil(published)
            if not names(known, representation):
                return whole(representation)
            known = frozenset({representation.etag})
        left = deadline - now()
        newer = await newest.wait(wish.name, published, left) if left > 0 else None
        if newer is None:
            break
        published = newer
    if representation:
        return not_modified(representation)
    words = f"No picture of this display yet: POST one to /displays/{wish.name}/frame, or draw one"
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
