"""Transfers: a request's body on its way up and an answer on its way down, a piece at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Send

from pico_a1111_proxy.answers import Headers, gather, without
from pico_a1111_proxy.errors import BodyTooLarge, UpstreamNonsense
from pico_a1111_proxy.proxy import RelayAnswer
from pico_a1111_proxy.web.bodies import check_length, hold_whole, pieces, promised_length
from pico_a1111_proxy.web.headers import downwards


class Upload:
    """The body of `request`, of at most `limit` bytes, as it arrives. Raises BodyTooLarge early where it can.

    `fault` is what ended it, as far as that is the client's doing: whoever reads it sees an error of its own.
    """

    def __init__(self, request: Request, limit: int) -> None:
        self.fault: BodyTooLarge | ClientDisconnect | None = None
        self._request = request
        self._limit = limit
        self._over = asyncio.Event()
        chunked = "transfer-encoding" in request.headers
        if not chunked:
            check_length(request, limit)
        self.there_is_one = chunked or promised_length(request) > 0
        # The upstream gets a length where we got one, and chunks where we got chunks.
        self.has_length = self.there_is_one and not chunked

    def frame(self, headers: Headers) -> Headers:
        """The request's headers without a length that does not hold."""
        return headers if self.has_length else without(headers, {"content-length"})

    async def stream(self) -> AsyncIterator[bytes]:
        """The body. Raises BodyTooLarge, and ClientDisconnect where the client leaves in its middle."""
        try:
            async for piece in pieces(self._request, self._limit):
                yield piece
        except (BodyTooLarge, ClientDisconnect) as error:
            self.fault = error
            raise
        finally:
            self._over.set()

    async def whole(self) -> bytes:
        """All of it at once. Raises what `stream` raises."""
        return await hold_whole(self._request, self._limit, self.stream())

    async def receive(self) -> Message:
        """ASGI's next message after the body, which must not be read in two places at once.

        Nothing comes while the upstream leaves the body unread: uvicorn reads no further then, and would not notice
        that the client leaves.
        """
        if self.there_is_one:
            await self._over.wait()
        return await self._request.receive()


class Download:
    """The way down to one client. `started` is whether it has seen a status yet."""

    def __init__(self, send: Send, base: str) -> None:
        self.started = False
        self._send = send
        self._base = base

    async def pass_on(self, answer: RelayAnswer) -> None:
        """Send `answer` as it arrives."""
        headers = downwards(answer.headers, self._base)
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        self.started = True
        async for piece in answer.body:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


async def whole_body(answer: RelayAnswer, most: int) -> bytes:
    """The body of `answer`, whole. Raises UpstreamNonsense over `most` bytes, and what the body raises."""
    body = await gather(answer.body, most)
    if body is None:
        raise UpstreamNonsense("The upstream's answer is too long to be held here")
    return body
