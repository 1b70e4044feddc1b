"""Stream: a request passed on and its answer passed back, both as they arrive."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
import yarl

from pico_a1111_proxy.answers import end_to_end
from pico_a1111_proxy.proxy import RelayAnswer, RelayRequest
from pico_a1111_proxy.upstreams import wire

_BUFFER = 2**18  # bytes of an answer that wait for a slow client, about
_NOTHING_OF_AIOHTTPS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@asynccontextmanager
async def stream(
    session: aiohttp.ClientSession, request: RelayRequest, url: yarl.URL, authorization: str | None
) -> AsyncIterator[RelayAnswer]:
    """Pass `request` on, and its answer back as it arrives; the session's seconds bound each wait, not the whole.

    `authorization` is the whole header, None to send none. Raises UpstreamTimeout and UpstreamUnavailable, also from
    the answer's body.
    """
    headers = [*request.headers, ("Authorization", authorization)] if authorization else list(request.headers)
    timeout = aiohttp.ClientTimeout(sock_connect=session.timeout.sock_connect, sock_read=session.timeout.total)
    write_timeout = _WriteTimeout(session.timeout.total)
    with wire.translated(), write_timeout.until_answered():
        response = await session.request(
            request.method,
            url,
            data=write_timeout.timed(request.body) if request.body is not None else None,
            headers=headers,
            allow_redirects=False,
            skip_auto_headers=_NOTHING_OF_AIOHTTPS,
            auto_decompress=False,
            read_bufsize=_BUFFER,
            timeout=timeout,
        )
    async with response:
        wire.check_status(response.status)
        yield RelayAnswer(response.status, end_to_end(response.headers.items()), _chunks(response))


class _WriteTimeout:
    """Gives up on an upstream that takes nothing of a body for `seconds`: aiohttp's own timer starts after it."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds or math.inf
        self._waiting = asyncio.current_task()
        self._expired = False

    async def timed(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The body as it is; between two pieces the time runs."""
        loop = asyncio.get_running_loop()
        async for piece in body:
            timer = loop.call_later(self._seconds, self._expire)
            try:
                yield piece
            finally:
                timer.cancel()

    @contextmanager
    def until_answered(self) -> Iterator[None]:
        """Raises asyncio.TimeoutError when the time is over. The answer's body has a timer of its own."""
        try:
            yield
        except asyncio.CancelledError:
            if not self._expired:
                raise
            raise asyncio.TimeoutError from None
        finally:
            self._waiting = None

    def _expire(self) -> None:
        if self._waiting is not None:
            self._expired = True
            self._waiting.cancel()


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with wire.translated():
        async for chunk in response.content.iter_any():
            yield chunk
