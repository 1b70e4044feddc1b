"""The relay: every other path of A1111's goes to the upstream and back as it is, streamed both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from pico_a1111_proxy.answers import at_once
from pico_a1111_proxy.archive import Archive
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import UpstreamError
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.proxy import Proxy, RelayRequest
from pico_a1111_proxy.web.addresses import refuse_addresses
from pico_a1111_proxy.web.asked import PREFIXES, Asked
from pico_a1111_proxy.web.bases import ORIGINAL, check_display
from pico_a1111_proxy.web.flags import ask_in_plain, without_secrets
from pico_a1111_proxy.web.headers import upwards
from pico_a1111_proxy.web.leaving import unless_left
from pico_a1111_proxy.web.sdapi import RequestRules, generate_original
from pico_a1111_proxy.web.transfers import Download, Upload, whole_body

log = structlog.get_logger("relay")

# What A1111's clients also ask of the base URL itself.
BESIDE_THE_API = frozenset({"/", "/config", "/openapi.json"})

# A drawing at a route of which no more is known.
_DRAWN_APART = Job("txt2img", b"{}", default_display(240, 240, invert=True), "none")

LONGEST_GENERATION = 2**27  # bytes of an answer that is held whole

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

    def __init__(self, rules: RelayRules, requests: RequestRules) -> None:
        self._rules = rules
        self._requests = requests
        self._whole = frozenset(rules.prefixes)
        # What ends in a slash is all below it; so is A1111's /file=, whose path begins right after the sign.
        self._prefixes = tuple(p if p.endswith(("/", "=")) else f"{p}/" for p in (*PREFIXES, *rules.prefixes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await WebSocketClose()(scope, receive, send)
            return
        request, asked = Request(scope, receive), Asked.read(scope)
        check_display(asked.display, request.state.service.displays)
        self._check(asked)
        if asked.generation:
            query = scope["query_string"].decode("latin-1")
            response = await generate_original(request, asked.generation, query, self._requests)
            await response(scope, receive, send)
        else:
            await self._pass(request, asked, Download(send, asked.base))

    def _covers(self, asked: Asked) -> bool:
        beside = asked.base == ORIGINAL and asked.path in BESIDE_THE_API
        return beside or asked.path in self._whole or asked.path.startswith(self._prefixes)

    def _check(self, asked: Asked) -> None:
        """Raise HTTPException for what does not go up."""
        if not self._covers(asked):
            raise HTTPException(404, "Not Found")
        if not self._rules.on and not asked.generation:
            raise HTTPException(403, "Only pictures are served here: RELAY is off")
        # Methods are capitals. Written otherwise, one would pass the rules here and be understood further up.
        if asked.method in _REFUSED_METHODS or asked.method != asked.method.upper():
            raise HTTPException(501, "Not Implemented")
        if asked.is_ambiguous:
            raise HTTPException(400, "The path is ambiguous: it holds //, a dot segment or an odd character")
        if asked.is_koboldcpps:
            raise HTTPException(404, "Not Found")
        if not self._rules.server_control and asked.ends_the_server:
            raise HTTPException(403, "The web UI can't be stopped from here: RELAY_SERVER_CONTROL is not true")

    async def _pass(self, request: Request, asked: Asked, down: Download) -> None:
        up = Upload(request, self._requests.max_body)
        headers = up.frame(upwards(request.scope["headers"]))
        if asked.tells_secrets:
            headers = ask_in_plain(headers)
        going_up = RelayRequest(asked.method, asked.target, headers, await self._body(request, up, asked))
        try:
            await unless_left(up.receive, _carry(request.state.service.proxy, asked, going_up, down))
        except (UpstreamError, ClientDisconnect) as error:
            if down.started:
                # Left incomplete, the answer is no answer: the connection is closed, and the client can tell.
                log.warning("cut off", words=getattr(error, "detail", "The client left"))
            elif up.fault:
                raise up.fault from error
            else:
                raise

    async def _body(self, request: Request, up: Upload, asked: Asked) -> AsyncIterator[bytes] | None:
        """What goes up of the body: as it arrives, or whole where it is needed so. None is none."""
        if not up.there_is_one:
            return None
        looked_through = asked.takes_pictures and not self._requests.image_urls
        if not looked_through and not asked.generates_apart:
            return up.stream()
        if looked_through and "content-encoding" in request.headers:
            raise HTTPException(415, "The body must be sent as it is, without a Content-Encoding")
        body = await up.whole()
        if looked_through:
            refuse_addresses(body)
        return at_once(body) if body else None


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


async def _carry(proxy: Proxy, asked: Asked, request: RelayRequest, down: Download) -> None:
    if not asked.generates_apart:
        await _heed(proxy.archive, asked)
        try:
            async with proxy.upstream.relay(request) as answer:
                # Once more, for what was begun meanwhile; and before the client knows that it is done.
                await _heed(proxy.archive, asked)
                await down.pass_on(await without_secrets(answer, asked.wants_flags) if asked.tells_secrets else answer)
        except BaseException:
            await _heed(proxy.archive, asked)  # it may have got there all the same
            raise
        return
    visit = proxy.gate.come(asked.client)
    await visit.admitted()
    try:
        async with proxy.upstream.relay(request) as answer:
            body = await whole_body(answer, LONGEST_GENERATION)
    except BaseException as error:
        proxy.give_up(_DRAWN_APART, visit, error)
        raise
    visit.leave()
    # The place is given back by now: a client that reads slowly, or not at all, must not keep it.
    await down.pass_on(replace(answer, body=at_once(body)))


async def _heed(archive: Archive, asked: Asked) -> None:
    """Have the archive forget what this request changes."""
    if asked.changes_the_pictures:
        await archive.clear()
    elif asked.ends_the_drawing:
        archive.disturb()
