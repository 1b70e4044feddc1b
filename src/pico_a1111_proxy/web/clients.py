"""Clients: who asks, as far as a request tells."""

from __future__ import annotations

from hashlib import sha256

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from pico_a1111_proxy.peers import TrustedProxies, name_of, origin, read_address


class Clients:
    """Sets `scope["state"]["client"]` to the address of who asks: "address:192.168.1.7"; see `peers`.

    The guard of the keys, further in, puts the key's name in its place.
    """

    def __init__(self, app: ASGIApp, trusted: TrustedProxies) -> None:
        self.app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            scope.setdefault("state", {})["client"] = f"address:{self._address(scope)}"
        await self.app(scope, receive, send)

    def _address(self, scope: Scope) -> str:
        peer = read_address(scope["client"][0]) if scope["client"] else None
        if self._trusted.trusts(peer):
            # A proxy may have begun a line of its own.
            lines = Headers(scope=scope).getlist("x-forwarded-for")
            peer = origin(peer, ",".join(lines), self._trusted)
        return name_of(peer)


def name_of_key(key: bytes) -> str:
    """What a client is called by its key: enough to tell keys apart, too little to learn one."""
    return f"key:{sha256(key).hexdigest()[:8]}"
