"""The server: uvicorn with Title-Case header names, which it would not send by itself."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
from contextlib import suppress
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from pico_a1111_proxy.settings import Settings
from pico_a1111_proxy.web.app import create_app
from pico_a1111_proxy.web.errors import error_response

_SPELT_OTHERWISE = {b"Etag": b"ETag", b"Www-Authenticate": b"WWW-Authenticate"}


def _recase(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    title = name.title()
    return _SPELT_OTHERWISE.get(title, title) + colon + value


class TitleCaseConnection(h11.Connection):
    """An h11 connection that writes `Content-Type` where it is told `content-type`.

    MicroPython's requests keeps the case it receives, and its users look up `Content-Type`. Done here,
    below uvicorn, it also covers the answers and headers that uvicorn makes itself.
    """

    def send(self, event: Any) -> Any:
        """h11's own method, with the names recased in what it wrote."""
        # Not in the event: h11 would check every header of a new one once more.
        data = super().send(event)
        if isinstance(event, h11.Response):
            status, *lines = data.split(b"\r\n")
            data = b"\r\n".join([status, *(_recase(line) for line in lines)])
        return data


class TitleCaseProtocol(H11Protocol):
    """uvicorn's h11 protocol on a TitleCaseConnection; for `uvicorn --http` by its full name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limit = self.config.h11_max_incomplete_event_size
        sizes = {} if limit is None else {"max_incomplete_event_size": limit}
        self.conn = TitleCaseConnection(h11.SERVER, **sizes)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets our shape as well. uvicorn's own method."""
        answer = error_response(400, "The request is not valid HTTP")
        headers = [*answer.raw_headers, (b"connection", b"close")]
        events = (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        )
        # It may be the rest of a request whose answer is out already.
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(b"".join(self.conn.send(event) for event in events))
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server, which stops taking new jobs as soon as it is asked to stop."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Send away those in line and those who wait for a picture, let those in flight finish, then close."""
        service = self.config.app.state.service  # type: ignore[union-attr]
        service.proxy.gate.close()
        service.newest.close()
        await super().shutdown(sockets)


def make_server(settings: Settings, app: FastAPI | None = None) -> Server:
    """A server for `settings` that has not started yet."""
    config = uvicorn.Config(
        app or create_app(settings),
        host=settings.service_host,
        port=settings.service_port,
        http=TitleCaseProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=round(settings.drain_seconds),
        # A client that reads to the end of a kept-alive connection hangs for this long.
        timeout_keep_alive=5,
    )
    return Server(config)


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError, so that a taken port is known before anything is built."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only for a socket that says it is TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def allow_many_sockets() -> None:
    """Let the process open as many files as it may, so that a thousand displays can wait at once.

    Each holds a socket, and the usual soft limit of 1024 is there for programs that use select().
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # a system that names a limit which it does not give
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(settings: Settings, listener: socket.socket) -> None:
    """Serve on `listener` until a signal ends it."""
    allow_many_sockets()
    server = make_server(settings)
    # All that has been loaded stays to the end: looking through it again and again would hold up every answer.
    gc.freeze()
    asyncio.run(server.serve([listener]))
