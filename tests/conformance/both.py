"""Both: one request, asked of a server itself and through the service; and what may differ between the two."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from fakes.a1111 import Reply, ScriptedA1111, Seen
from fakes.personalities import PERSONALITIES, Personality
from service import TXT2IMG, Said, Service

SIDE = 128  # pixels: the least that every server draws
ORIGINAL = "/original"
FAMILY = ("a1111", "forge", "reforge", "sdnext")
# What a client can tell the two by, beside status and body.
KEPT = ("content-type", "content-encoding", "allow", "retry-after", "www-authenticate", "x-process-time")

Handler = Callable[[Seen], Reply]


@dataclass
class Both:
    """Every request meets a server as new. `dress` changes what it answers; `made_with` is busy and the like."""

    kind: str
    upstream: ScriptedA1111
    direct: Service
    through: Service
    dress: Callable[[Handler], Handler] = lambda server: server
    made_with: dict[str, Any] = field(default_factory=dict)
    arrived: list[Seen] = field(default_factory=list)
    _known: dict[str, Personality] = field(default_factory=dict)

    @property
    def server(self) -> Personality:
        """The server, as new; it is made anew only where a request may have changed it."""
        made_with = str(self.made_with)
        if made_with not in self._known:
            self._known[made_with] = PERSONALITIES[self.kind](**self.made_with)
        return self._known[made_with]

    def body(self, **more: Any) -> dict[str, Any]:
        """A request that this server takes."""
        return {"width": SIDE, "height": SIDE, **self.server.smallest, **more}

    def renew(self) -> None:
        """Let the upstream be a server that nobody has asked yet."""
        self._known.clear()
        self._play()

    def _play(self) -> None:
        self.upstream.reset()
        self.upstream.standing = self.dress(self.server.play(self.upstream))

    async def _ask(self, service: Service, method: str, path: str, body: Any, headers: dict[str, str]) -> Said:
        self._play()
        got = await service.ask(method, path, body, **{"accept_encoding": "identity", **headers})
        if path.endswith("/options") and method == "POST":
            self._known.clear()
        return got

    async def ask_direct(self, method: str, path: str, body: Any = None, **headers: str) -> Said:
        got = await self._ask(self.direct, method, path, body, headers)
        self.arrived = self.upstream.seen[:]
        return got

    async def ask_through(self, method: str, path: str, body: Any = None, **headers: str) -> Said:
        """`path` with its base; what arrives is put behind what arrived directly."""
        got = await self._ask(self.through, method, path, body, headers)
        self.arrived = [*self.arrived, *self.upstream.seen]
        return got

    async def ask(
        self, method: str, path: str, body: Any = None, base: str = ORIGINAL, **headers: str
    ) -> tuple[Said, Said]:
        """Directly, and through the service below `base`."""
        direct = await self.ask_direct(method, path, body, **headers)
        return direct, await self.ask_through(method, base + path, body, **headers)

    async def same(self, method: str, path: str, body: Any = None, base: str = ORIGINAL, **headers: str) -> Said:
        """Both are the same; what the server itself said."""
        direct, through = await self.ask(method, path, body, base, **headers)
        assert_same(direct, through, f"{method} {base}{path}")
        return direct

    async def draw(self, query: str = "", route: str = TXT2IMG, **fields: Any) -> tuple[Said, Said]:
        """A generation, directly and at the service's root with `query`."""
        body = self.body(**fields)
        direct = await self.ask_direct("POST", route, body)
        return direct, await self.ask_through("POST", route + query, body)


def header(said: Said, name: str) -> str | None:
    return next((value for key, value in said.headers.items() if key.lower() == name), None)


def told(said: Said) -> dict[str, Any]:
    """All that has to be the same."""
    return {"status": said.status, **{name: header(said, name) for name in KEPT}, "body": said.body}


def assert_same(direct: Said, through: Said, asked: str = "") -> None:
    assert told(through) == told(direct), asked


def assert_refused(through: Said, status: int) -> dict[str, Any]:
    """It is an error of ours: small, JSON, with its length."""
    document: dict[str, Any] = through.json()
    assert (through.status, document["code"]) == (status, status)
    assert set(document) == {"error", "code", "detail"}
    assert header(through, "content-type") == "application/json"
    assert header(through, "content-length") == str(len(through.body))
    assert len(through.body) < 1000
    return document


def ours(status: int) -> int:
    """What a frame's client hears where the server answered this."""
    return 502 if status >= 500 else status


def pictures(said: Said) -> list[bytes]:
    """The encoded pictures of A1111's answer."""
    return [base64.b64decode(text.partition(",")[2] or text) for text in said.json()["images"]]


def first_of(said: Said) -> int:
    """Where the first picture is that is no grid, as far as the server says so."""
    info = said.json().get("info")
    told = json.loads(info) if isinstance(info, str) and info else info
    return int((told or {}).get("index_of_first_image", 0))


def definition(picture: bytes, width: int = 240, height: int = 240, invert: bool = True) -> bytes:
    """The frame of the default display as the contract defines it."""
    rgb = np.asarray(
        Image.open(io.BytesIO(picture)).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    ).astype(np.uint16)
    red, green, blue = (255 - rgb if invert else rgb).transpose(2, 0, 1)
    return ((red >> 3) << 11 | (green >> 2) << 5 | blue >> 3).astype(">u2").tobytes()


def redrawn(images: Any) -> Callable[[Handler], Handler]:
    """The server answers in its own words, but with these for `images`; `...` leaves the key out."""

    def dress(server: Handler) -> Handler:
        def answer(seen: Seen) -> Reply:
            reply = server(seen)
            document = json.loads(reply.body) if reply.status == 200 and seen.method == "POST" else None
            if not isinstance(document, dict) or "images" not in document:
                return reply
            document["images"] = images
            if images is ...:
                del document["images"]
            return replace(reply, body=json.dumps(document).encode())

        return answer

    return dress


def instead(reply: Reply) -> Callable[[Handler], Handler]:
    """Somebody who stands between the service and the server speaks."""
    return lambda _: lambda _: reply
