"""The access log: one line a request, and with DEBUG_MODE what was said, without secrets and pictures."""

from __future__ import annotations

import time
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pico_a1111_proxy.jobs import read_json
from pico_a1111_proxy.web.errors import CLIENT_LEFT, error_response

log = structlog.get_logger("access")

LONGEST_SHOWN = 200  # characters of a text in the debug log; longer ones are pictures
KEPT_BYTES = 2**20  # of a body, for the debug log
_SECRET_WORDS = ("authorization", "api-key", "api_key", "cookie", "password", "token", "secret", "auth")


class AccessLog:
    """Logs every request when its answer is out, and turns a surprise into a plain 500.

    Only the path is logged, never the query: people put keys there.
    """

    def __init__(self, app: ASGIApp, debug: bool) -> None:
        self.app = app
        self._debug = debug

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
                exchange.tell()


# The traceback is in the log, and only there.
_surprise = error_response(500, "Something went wrong in the proxy", "Its log tells what")


class _Exchange:
    """One request and its answer, as far as the log wants to know them."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, debug: bool) -> None:
        self.status = 0
        self._scope = scope
        self._receive = receive
        self._send = send
        self._debug = debug
        self._started = time.perf_counter()
        self._answer_headers = Headers()
        self._bytes = 0
        self._asked = b""
        self._answered = b""

    async def receive(self) -> Message:
        message = await self._receive()
        if self._debug and message["type"] == "http.request":
            self._asked += message.get("body", b"")[: KEPT_BYTES - len(self._asked)]
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._answer_headers = Headers(raw=message["headers"])
        elif message["type"] == "http.response.body":
            body = message.get("body", b"")
            self._bytes += len(body)
            if self._debug:
                self._answered += body[: KEPT_BYTES - len(self._answered)]
        await self._send(message)

    def tell(self) -> None:
        if self._debug:
            headers = Headers(scope=self._scope)
            log.debug("asked", headers=redact(dict(headers)), body=_describe(self._asked, headers))
            answer = self._answer_headers
            log.debug("answered", headers=redact(dict(answer)), body=_describe(self._answered, answer))
        log.info(
            "request",
            method=self._scope["method"],
            path=self._scope["path"],
            status=self.status or CLIENT_LEFT,
            ms=round((time.perf_counter() - self._started) * 1000, 1),
            bytes=self._bytes,
            cache=self._answer_headers.get("x-cache", "-"),
        )


def redact(value: Any, name: str = "") -> Any:
    """A copy of a JSON value that can be logged: secrets blanked, long texts (pictures) only measured."""
    if isinstance(value, dict):
        return {key: redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item, name) for item in value]
    if value and any(word in name.lower() for word in _SECRET_WORDS):
        return "***"
    if isinstance(value, str) and len(value) > LONGEST_SHOWN:
        return f"<{len(value)} characters>"
    return value


def _describe(body: bytes, headers: Headers) -> Any:
    if "json" not in headers.get("content-type", "json"):
        return f"<{len(body)} bytes>"
    document = read_json(body)
    return f"<{len(body)} bytes>" if document is None else redact(document)
