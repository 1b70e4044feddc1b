"""Representations: a frame as raw pixels, as a PNG of the panel or as A1111's JSON, and a picture as it came."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pybase64
from starlette.responses import Response

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import UpstreamNonsense
from pico_a1111_proxy.frames import Frame, describe
from pico_a1111_proxy.pictures import kind_of
from pico_a1111_proxy.proxy import Proxy
from pico_a1111_proxy.renderings import Rendering
from pico_a1111_proxy.web.bodies import write_json


@dataclass(frozen=True)
class Representation:
    """What a client gets of a picture: `body`, what it is, and `measures`, the headers that tell its size.

    `frame` is the one whose own bytes are the body, None where they are none's.
    """

    body: bytes
    media_type: str
    measures: dict[str, str] = field(default_factory=dict)
    frame: Frame | None = None

    @cached_property
    def etag(self) -> str:
        """A strong ETag: equal for equal bytes."""
        digest = self.frame.digest if self.frame else hashlib.sha256(self.body).hexdigest()
        return f'"{digest[:24]}"'

    def response(self, further: dict[str, str] | None = None) -> Response:
        """The whole answer, with `further` headers."""
        headers = {"ETag": self.etag, **self.measures, **(further or {})}
        return Response(self.body, headers=headers, media_type=self.media_type)


def facts(cache: str, count: int | None = None, seed: int | None = None) -> dict[str, str]:
    """The headers that tell where a frame comes from.

    `cache` is hit, miss or joined; `count` is how many pictures the upstream made and `seed` what it drew this one
    with, None where that is not known.
    """
    told = {"X-Image-Count": count, "X-Image-Seed": seed, "X-Cache": cache}
    return {name: str(value) for name, value in told.items() if value is not None}


async def represent(proxy: Proxy, picture: bytes, display: Display, answer: str) -> Representation:
    """The encoded `picture` on `display`, as one of the ANSWERS. Raises PictureError for what can't be read."""
    if answer == "original":
        return Representation(picture, f"image/{kind_of(picture)}")
    frame = await proxy.convert(picture, display)
    if answer == "preview":
        return as_preview(frame, await proxy.preview(frame, display))
    return as_json([frame], display) if answer == "json" else as_frame(frame)


def as_frame(frame: Frame) -> Representation:
    """The raw pixels."""
    return Representation(frame.data, "application/octet-stream", _measures(frame), frame)


def as_preview(frame: Frame, png: bytes) -> Representation:
    """The PNG of what the panel shows of `frame`."""
    return Representation(png, "image/png", _measures(frame))


def as_json(frames: Sequence[Frame], display: Display, rendering: Rendering | None = None) -> Representation:
    """A1111's JSON with frames where its pictures were. Raises UpstreamNonsense for what JSON can't hold."""
    parameters = rendering.parameters if rendering else {}
    info = rendering.info if rendering else {}
    try:
        body = write_json(
            {
                "images": [pybase64.b64encode(frame.data).decode("ascii") for frame in frames],
                "parameters": parameters,
                # Clients call json.loads on it, as on A1111's: it is text that holds JSON.
                "info": write_json({**info, "frame": describe(display)}).decode(),
            }
        )
    except (ValueError, RecursionError) as error:
        raise UpstreamNonsense("The upstream's parameters or info can't be written as JSON") from error
    return Representation(body, "application/json")


def _measures(frame: Frame) -> dict[str, str]:
    """What a device checks before it draws."""
    return {
        "X-Image-Width": str(frame.width),
        "X-Image-Height": str(frame.height),
        "X-Image-Format": frame.format,
    }
