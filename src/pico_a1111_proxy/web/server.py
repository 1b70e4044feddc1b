"""The server: uvicorn, set up for months of small clients, and stopped without losing anything."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
from contextlib import suppress

import uvicorn
from fastapi import FastAPI

from pico_a1111_proxy.settings import Settings
from pico_a1111_proxy.web.app import create_app
from pico_a1111_proxy.web.protocol import TitleCaseProtocol


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
