"""Guards: pure ASGI middleware that every request passes before it reaches a route."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pico_a1111_proxy.web.clients import name_of_key
from pico_a1111_proxy.web.errors import error_response
from pico_a1111_proxy.web.options import opens_a_page

OPEN_PATHS = frozenset({"/health", "/ready"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """Gives every request an id, the client's own if it sent a decent one, and says it in the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        await self.app(scope, receive, send_with_id)


class TrailingSlash:
    """Takes the slash off the end of a path: an old MicroPython client would not follow a redirect."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
        await self.app(scope, receive, send)


class ApiKey:
    """Lets in who sends one of `keys`: X-API-Key, a Bearer token, or the password of Basic.

    Refuses before the body is read. With no keys everybody is let in, whatever they send. Who sent one is that
    client from then on, wherever it comes from: `scope["state"]["client"]`. What is asked with one of the `background`
    keys is background work: `scope["state"]["priority"]`.
    """

    def __init__(self, app: ASGIApp, keys: tuple[str, ...], background: tuple[str, ...] = ()) -> None:
        self.app = app
        self._keys = {key.encode(): name_of_key(key.encode()) for key in keys}
        self._background = {name_of_key(key.encode()) for key in background}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not self._keys:
            await self.app(scope, receive, send)
            return
        client = self._recognise(scope)
        if client:
            state = scope.setdefault("state", {})
            state["client"] = client
            if client in self._background:
                state["priority"] = "background"
        if client or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        refusal = error_response(401, "Invalid or missing API key")
        if opens_a_page(Headers(scope=scope)):  # the browser asks its person then
            refusal.headers["WWW-Authenticate"] = 'Basic realm="pico-a1111-proxy", charset="UTF-8"'
        await refusal(scope, receive, send)

    def _recognise(self, scope: Scope) -> str:
        """What the client is called whose key this is; empty for nobody's."""
        headers = Headers(scope=scope)
        offers = [headers.get("x-api-key", "").encode("latin-1"), _key_in(headers.get("authorization", ""))]
        client = ""
        for offer in offers:
            for key, name in self._keys.items():
                # No early end: how long it takes tells nothing about the keys.
                client = name if hmac.compare_digest(offer, key) else client
        return client


def _key_in(authorization: str) -> bytes:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""
