"""The access log: one line a request, and with DEBUG_MODE what was said, without secrets and pictures."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pico_a1111_proxy.jobs import looks_like_picture, read_json
from pico_a1111_proxy.metrics import CLIENT_LEFT
from pico_a1111_proxy.web.errors import error_response

log = structlog.get_logger("access")

LONGEST_SHOWN = 200  # characters of a text in the debug log
DEEPEST_SHOWN = 20  # levels of a JSON value there
KEPT_BYTES = 2**20  # of a body, for the debug log
# A Referer may hold a key in its query, and A1111's flag ngrok a token.
_SECRET_WORDS = ("auth", "key", "cookie", "passw", "pwd", "cred", "token", "secret", "referer", "ngrok")
_LOGIN = re.compile(r"//[^/@\s]*@")

Count = Callable[[Scope, int, float, int], None]  # the request, its status, its seconds, the bytes of its body


class AccessLog:
    """Logs every request when its answer is out, and turns a surprise into a plain 500.

    Only the path is logged, never the query: people put keys there. `count` is told of what is logged.
    """

    def __init__(self, app: ASGIApp, debug: bool, count: Count | None = None) -> None:
        self.app = app
        self._debug = debug
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._debug)
        with structlog.contextvars.bound_contextvars(request_id=scope["state"]["request_id"]):
            try:
                await self.app(scope, exchange.receive, exchange.send)
            except Exception:
                log.exception("surprise")
                if not exchange.status:
                    await _surprise(scope, exchange.receive, exchange.send)
            finally:
                exchange.finish()
                if self._count:
                    self._count(scope, exchange.status, exchange.seconds, exchange.size)


# The traceback is in the log, and only there.
_surprise = error_response(500, "Something went wrong in the proxy", "Its log tells what")


class _Exchange:
    """One request and its answer, as far as the log wants to know them."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, debug: bool) -> None:
        self.status = 0
        self.seconds = 0.0
        self._scope = scope
        self._receive = receive
        self._send = send
        self._debug = debug
        self._started = time.perf_counter()
        self._answer_headers = Headers()
        self._asked = _Body()
        self._answered = _Body()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._asked.add(message.get("body", b""), self._debug)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._answer_headers = Headers(raw=message["headers"])
        elif message["type"] == "http.response.body" and self._scope["method"] != "HEAD":  # which gets no body
            self._answered.add(message.get("body", b""), self._debug)
        await self._send(message)

    @property
    def size(self) -> int:
        return self._answered.size

    def finish(self) -> None:
        """It is over: log it."""
        self.status = self.status or CLIENT_LEFT
        self.seconds = time.perf_counter() - self._started
        if self._debug:
            headers = Headers(scope=self._scope)
            log.debug("asked", headers=redact(dict(headers)), body=_describe(self._asked, headers))
            answer = self._answer_headers
            log.debug("answered", headers=redact(dict(answer)), body=_describe(self._answered, answer))
        log.info(
            "request",
            method=self._scope["method"],
            path=quote(self._scope["path"], safe="/:@!$&'()*+,;=~"),  # no line feeds and no terminal's commands
            status=self.status,
            ms=round(self.seconds * 1000, 1),
            bytes=self.size,
            cache=self._answer_headers.get("x-cache", "-"),
        )


class _Body:
    """How long a body is, and for the debug log its first bytes."""

    def __init__(self) -> None:
        self.size = 0
        self.start = b""

    def add(self, chunk: bytes, keep: bool) -> None:
        self.size += len(chunk)
        if keep:
            self.start += chunk[: KEPT_BYTES - len(self.start)]


def names_secret(name: str) -> bool:
    """Whether a field, header or flag of this name holds a secret."""
    return any(word in name.lower() for word in _SECRET_WORDS)


def redact(value: Any, name: str = "", depth: int = 0) -> Any:
    """A copy of a JSON value that can be logged: secrets blanked, pictures and long texts only measured."""
    if value and names_secret(name):
        return "***"
    if isinstance(value, (dict, list)) and depth == DEEPEST_SHOWN:
        return "..."
    if isinstance(value, dict):
        return {key: redact(item, str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item, name, depth + 1) for item in value]
    if isinstance(value, str):
        unshown = len(value) > LONGEST_SHOWN or looks_like_picture(value)
        return f"<{len(value)} characters>" if unshown else _LOGIN.sub("//***@", value)
    return value


def _describe(body: _Body, headers: Headers) -> Any:
    document = None
    if "json" in headers.get("content-type", "json") and body.size <= KEPT_BYTES:
        document = read_json(body.start)
    return f"<{body.size} bytes>" if document is None else redact(document)
