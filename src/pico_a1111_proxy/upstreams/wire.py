"""HTTP to an upstream and its failures: every one is translated here, once, with its cause kept."""

from __future__ import annotations

import asyncio
import io
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from typing import Any

import aiohttp
import yarl

from pico_a1111_proxy.answers import Answer, end_to_end, without
from pico_a1111_proxy.errors import (
    UpstreamError,
    UpstreamNonsense,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnavailable,
)
from pico_a1111_proxy.jobs import Generation, read_json

CONNECT_SECONDS = 5.0
LONGEST_HEADER = 2**16  # bytes of one header of an answer, as most clients take it
LONG = 2**20  # bytes of an answer, which take a few milliseconds to read
MAX_ANSWER_BYTES = 128 * 2**20  # sixteen pictures of 2048 by 2048 fit; an endless answer does not
USER_AGENT = f"pico-a1111-proxy/{version('pico-a1111-proxy')}"

MOST_GROWTH = 20  # times that a packed answer may grow once it is over GROWS_FREELY; base64 of noise grows by 1.3
GROWS_FREELY = 8 * 2**20  # bytes

UNAVAILABLE = "Upstream A1111 service unavailable"
NO_HTTP = "It answered with something that is no HTTP"

_PLACE = re.compile(r"(?<!\w)(/\w|[A-Za-z]:\\|\\\\|\w+://|[\w.-]+:\d{2,5}\b)")  # how a path or an address begins

# How the body was written: aiohttp has undone that by the time `call` gives it.
_OF_THE_CODING = frozenset({"content-encoding", "content-length"})

# A1111 would spend 100 ms on compressing base64 text that the next room holds.
_OF_OURS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}


@asynccontextmanager
async def open_session(total_seconds: float) -> AsyncIterator[aiohttp.ClientSession]:
    """The one session of the process; `total_seconds` bounds a whole call, body included, and each wait of a stream.

    Every call gets a connection of its own. A kept-alive one may be closed by the upstream at the
    moment of writing, and nobody can tell then whether the generation has started: a second POST
    could draw the picture twice. A new connection either is refused, and nothing was sent, or works.
    """
    timeout = aiohttp.ClientTimeout(total=total_seconds, sock_connect=min(CONNECT_SECONDS, total_seconds))
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=2**20,
        max_field_size=LONGEST_HEADER,
        middlewares=(_once,),
    ) as session:
        yield session


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """An aiohttp middleware: without it, what is no POST is sent again when the upstream hangs up."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise UpstreamUnavailable(UNAVAILABLE, explain(error), unsent=_is_unsent(error)) from error


async def call(
    session: aiohttp.ClientSession,
    method: str,
    url: yarl.URL,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Send one request, follow no redirect, read the whole answer whatever its status.

    How long the answer to a POST may take is its caller's to say: a generation may be in the upstream's own line.
    Raises UpstreamTimeout, UpstreamUnavailable, UpstreamNonsense.
    """
    # As a file, since aiohttp writes bytes of over a megabyte in one go and warns that it does.
    data = io.BytesIO(body) if body is not None else None
    endless = aiohttp.ClientTimeout(sock_connect=session.timeout.sock_connect)
    with translated():
        async with session.request(
            method,
            url,
            data=data,
            headers={**_OF_OURS, **(headers or {})},
            allow_redirects=False,
            skip_auto_headers=("Content-Type",),
            timeout=endless if method == "POST" else session.timeout,
        ) as response:
            passed = without(end_to_end(response.headers.items()), _OF_THE_CODING)
            return Answer(response.status, passed, await _read(response))


@contextmanager
def translated() -> Iterator[None]:
    """Every failure of a call becomes one of ours, with its cause."""
    try:
        yield
    except UpstreamError:
        raise
    except aiohttp.ConnectionTimeoutError as error:
        words = "The upstream A1111 service did not accept a connection in time"
        raise UpstreamTimeout(words, unsent=True) from error
    except asyncio.TimeoutError as error:
        raise UpstreamTimeout("The upstream A1111 service did not answer in time") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise UpstreamUnavailable(UNAVAILABLE, explain(error), unsent=_is_unsent(error)) from error


def accept(answer: Answer) -> Answer:
    """Give the answer back if it is a 200; else raise the UpstreamError that its status means."""
    status = answer.status
    if status == 200:
        return answer
    check_status(status)
    if status == 401:
        raise UpstreamUnauthorized(
            "Invalid A1111 credentials", "A1111_USERNAME and A1111_PASSWORD are not those of --api-auth", answer
        )
    if 400 <= status < 500:
        raise UpstreamRejected(f"Upstream A1111 answered {status}{_reason(answer)}", answer=answer)
    if status >= 500:
        words = f"It answered {status}{_reason(answer)}"
        raise UpstreamUnavailable(UNAVAILABLE, words, answer)
    if 300 <= status < 400:
        # Without the answer, whose Location would show a client where the upstream is.
        raise UpstreamUnavailable(UNAVAILABLE, "It redirects elsewhere: check A1111_BASE_URL")
    raise UpstreamNonsense(f"The upstream answered {status} where a picture was expected", answer=answer)


async def read_generation(answer: Answer) -> Generation:
    """The generation that an upstream's answer holds. Raises UpstreamNonsense."""
    # A long one would hold up everybody else.
    return await asyncio.to_thread(Generation.read, answer) if len(answer.body) > LONG else Generation.read(answer)


def check_status(status: int) -> None:
    """Raise UpstreamUnavailable for a number that ends no exchange of HTTP."""
    if not 200 <= status < 600:
        raise UpstreamUnavailable(UNAVAILABLE, NO_HTTP)


def explain(error: BaseException) -> str:
    """Say in plain words why a call failed, without the address."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "The name of its host can't be resolved"
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError)):
        return "Its TLS certificate is not trusted"
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return "It does not speak TLS: http:// instead of https:// is meant?"
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = isinstance(error.os_error, ConnectionRefusedError)
        return "It refuses connections: is it running?" if refused else "It can't be reached"
    if isinstance(error, (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, OSError)):
        return "It hung up before the answer was complete"
    return NO_HTTP


def _is_unsent(error: BaseException) -> bool:
    """Whether there was no connection yet, so that nothing can have been sent."""
    return isinstance(error, aiohttp.ClientConnectorError)


def _reason(answer: Answer) -> str:
    """What A1111, Forge, SD.Next or koboldcpp say about it, where that is short and safe to repeat.

    A 5xx may hold a path or a traceback, so only the name of the exception is taken from it.
    """
    document = read_json(answer.body[:65536])
    if not isinstance(document, dict):
        return ""
    if answer.status >= 500:
        name = document.get("error")
        known = isinstance(name, str) and re.fullmatch(r"[A-Za-z_]{1,40}", name)
        return f" ({name})" if known else ""
    detail = document.get("detail") or document.get("message") or document.get("error")
    if answer.status == 404 and detail == "Not Found":
        return ": Not Found (was it started with --api?)"
    if isinstance(detail, list):
        detail = _first_fault(detail)
    if not isinstance(detail, str) or not detail.isprintable() or _PLACE.search(detail):
        return ""
    return f": {detail[:200]}"


def _first_fault(faults: list[Any]) -> str | None:
    """FastAPI's list of what is wrong with a request: the first one, with the name of its field."""
    fault = faults[0] if faults else None
    if not isinstance(fault, dict) or not isinstance(fault.get("loc"), list) or not isinstance(fault.get("msg"), str):
        return None
    field = ".".join(map(str, fault["loc"][1:]))
    return f"{field}: {fault['msg']}" if field else str(fault["msg"])


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        grown = size > GROWS_FREELY and size > MOST_GROWTH * response.content.total_raw_bytes
        if size > MAX_ANSWER_BYTES or grown:
            raise UpstreamNonsense("The upstream's answer is too large")
        chunks.append(chunk)
    return b"".join(chunks)
