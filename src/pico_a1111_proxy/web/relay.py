"""The relay: every other path of A1111's goes to the upstream and back as it is, streamed both ways."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from urllib.parse import unquote

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from pico_a1111_proxy.errors import UpstreamError
from pico_a1111_proxy.jobs import Route, read_json
from pico_a1111_proxy.proxy import RelayAnswer, RelayRequest
from pico_a1111_proxy.web.bases import ORIGINAL, display_of, split_base
from pico_a1111_proxy.web.bodies import refuse_addresses
from pico_a1111_proxy.web.flags import ask_in_plain, without_secrets
from pico_a1111_proxy.web.headers import upwards
from pico_a1111_proxy.web.leaving import unless_left
from pico_a1111_proxy.web.sdapi import Rules, draw_original
from pico_a1111_proxy.web.streams import Download, Upload, at_once

log = structlog.get_logger("relay")

PREFIXES = ("/sdapi/", "/internal/", "/controlnet/")
# What A1111's clients also ask of the base URL itself.
BESIDE_THE_API = frozenset({"/", "/config", "/openapi.json"})

_DRAWS: dict[str, Route] = {"/sdapi/v1/txt2img": "txt2img", "/sdapi/v1/img2img": "img2img"}
# By the last word of a path. A1111 fetches the addresses that it finds in the pictures sent to the first; the second
# end the server: A1111's own, then SD.Next's.
_TAKE_PICTURES = frozenset({"png-info", "extra-single-image", "extra-batch-images", "interrogate", "detect"})
_CONTROL = frozenset({"server-kill", "server-restart", "server-stop", "restart", "shutdown"})
_FLAGS = "cmd-flags"
# They would show the credentials that go up, or ask for a tunnel.
_REFUSED_METHODS = frozenset({"TRACE", "CONNECT"})


@dataclass(frozen=True)
class RelayRules:
    """What the settings say of the relay: `prefixes` are further paths, each beginning with a slash."""

    on: bool
    prefixes: tuple[str, ...]
    server_control: bool


class Relay:
    """ASGI, for whatever no route of ours answers. Raises ProxyError and HTTPException before it answers."""

    def __init__(self, rules: RelayRules, pictures: Rules) -> None:
        self._rules = rules
        self._pictures = pictures
        self._whole = frozenset(rules.prefixes)
        self._prefixes = tuple(p if p.endswith(("/", "=")) else f"{p}/" for p in (*PREFIXES, *rules.prefixes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await WebSocketClose()(scope, receive, send)
            return
        request = Request(scope, receive)
        base, written = split_base(scope["raw_path"].decode("latin-1"))
        path = unquote(written)
        route = _DRAWS.get(path.rstrip("/")) if base == ORIGINAL and request.method == "POST" else None
        if not (self._rules.on or route) and self._covers(path, base):
            raise HTTPException(403, "Only pictures are served here: RELAY is off")
        query = scope["query_string"].decode("latin-1")
        target = f"{written}?{query}" if query else written
        self._check(request.method, base, path, target)
        display_of(base, request.state.service.displays)
        if route:
            response = await draw_original(request, route, query, self._pictures)
            await response(scope, receive, send)
            return
        await self._pass(request, target, Download(send, base))

    def _covers(self, path: str, base: str) -> bool:
        beside = base == ORIGINAL and path in BESIDE_THE_API
        return beside or path in self._whole or path.startswith(self._prefixes)

    def _check(self, method: str, base: str, path: str, target: str) -> None:
        """Raise HTTPException for what does not go up. `path` is that of `target`, without its percent signs."""
        if not self._covers(path, base):
            raise HTTPException(404, "Not Found")
        # Methods are capitals. Written otherwise, one would pass the rules here and be understood further up.
        if method in _REFUSED_METHODS or method != method.upper():
            raise HTTPException(405, "Method Not Allowed")
        plain = unquote(path)  # as a second server on the way would read it
        odd = {".", "..", ""} & set(plain.removesuffix("/").split("/")[1:]) if plain != "/" else None
        if odd or "#" in target or "\\" in plain or not plain.isprintable():
            raise HTTPException(400, "The path can be read in more than one way")
        # koboldcpp looks at the end of a path alone, and would draw for one that never stood in line.
        if method == "POST" and path.rstrip("/").endswith(tuple(_DRAWS)) and path.rstrip("/") not in _DRAWS:
            raise HTTPException(404, "Not Found")
        if not self._rules.server_control and _last_word(plain) in _CONTROL:
            raise HTTPException(403, "The web UI can't be stopped from here: RELAY_SERVER_CONTROL is not true")

    async def _pass(self, request: Request, target: str, down: Download) -> None:
        word = _last_word(unquote(unquote(target.partition("?")[0])))
        up = Upload(request, self._pictures.max_body)
        asked = RelayRequest(request.method, target, up.frame(upwards(request.scope["headers"])))
        if word in _TAKE_PICTURES and not self._pictures.image_urls:
            body = await up.whole()
            refuse_addresses(read_json(body))
            asked = replace(asked, body=at_once(body) if body else None)
        elif up.there_is_one:
            asked = replace(asked, body=up.chunks())
        relayed = request.state.service.proxy.upstream.relay
        if word == _FLAGS:
            asked = replace(asked, headers=ask_in_plain(asked.headers))
        try:
            await unless_left(up.receive, _carry(relayed(asked), down, word == _FLAGS))
        except (UpstreamError, ClientDisconnect) as error:
            if not down.started:
                raise up.fault or error from error
            # Left incomplete, the answer is no answer: the connection is closed, and the client can tell.
            log.warning("cut off", words=getattr(error, "detail", "The client left"))


class Relayed(Response):
    """An answer of the relay for a route of ours: the request goes up with `query` in place of its own."""

    def __init__(self, relay: Relay, query: str) -> None:
        super().__init__()
        self._relay = relay
        self._query = query.encode("latin-1")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def send_varied(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).add_vary_header("Accept")
            await send(message)

        await self._relay({**scope, "query_string": self._query}, receive, send_varied)


async def _carry(relayed: AbstractAsyncContextManager[RelayAnswer], down: Download, blank: bool) -> None:
    async with relayed as answer:
        await down.pass_on(await without_secrets(answer) if blank else answer)


def _last_word(path: str) -> str:
    """The last segment of a path, without what servers cut off or overlook: parameters, a slash, capitals."""
    return re.split("[;?#]", path.rstrip("/").rpartition("/")[2])[0].strip().lower()
