"""Sharing: what of the relay goes to every upstream of a pool, what to the busy one, and a body for many."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote

from pico_a1111_proxy import controls
from pico_a1111_proxy.answers import gather
from pico_a1111_proxy.errors import BodyTooLarge, UpstreamNonsense
from pico_a1111_proxy.proxy import RelayAnswer, RelayRequest

MOST_SHARED = 2**20  # bytes of a body that goes to many, and of an answer to it; all of A1111's options are 60 KB


def is_for_all(request: RelayRequest) -> bool:
    """Whether every upstream has to hear it, so that they stay alike: POST options, interrupt, refresh-…"""
    return request.method not in controls.READS and controls.is_for_all(_last_segment(request))


def ends_the_drawing(request: RelayRequest) -> bool:
    """Whether it stops what is being drawn."""
    return _last_segment(request) in controls.ENDS_THE_DRAWING


def is_for_the_busy(request: RelayRequest) -> bool:
    """Whether it asks how far the running generation is."""
    return _last_segment(request) == "progress"


class Unbegun:
    """A body on its way up; `begun` is whether any of it was asked for, after which it can't go anywhere else."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self.begun = False
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.begun = True
        return await self._body.__anext__()


async def hold(request: RelayRequest) -> bytes | None:
    """The body of `request`, whole. Raises BodyTooLarge, and what the body raises."""
    if request.body is None:
        return None
    body = await gather(request.body, MOST_SHARED)
    if body is None:
        raise BodyTooLarge("The body is too large to be sent to every upstream: 1 MB at most")
    return body


async def hold_answer(answer: RelayAnswer) -> bytes:
    """The body of `answer`, whole. Raises UpstreamNonsense, and what the body raises."""
    body = await gather(answer.body, MOST_SHARED)
    if body is None:
        raise UpstreamNonsense("The upstream's answer is too long to be held here")
    return body


def _last_segment(request: RelayRequest) -> str:
    # Read as the upstream would, or a server in between: behind percent signs twice, parameters cut off.
    path = unquote(unquote(request.target.partition("?")[0]))
    return path.rstrip("/").rpartition("/")[2].partition(";")[0].strip().lower()
