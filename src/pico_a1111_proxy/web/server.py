"""The server: uvicorn, set up for months of small clients, and stopped without losing anything."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import cast

import h11
import structlog
import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import CLOSE_HEADER

from pico_a1111_proxy.errors import ShuttingDown
from pico_a1111_proxy.settings import Settings
from pico_a1111_proxy.web.app import create_app
from pico_a1111_proxy.web.errors import respond_to
from pico_a1111_proxy.web.protocol import TitleCaseProtocol
from pico_a1111_proxy.wiring import Service

READY_FIRST_SECONDS = 0.1  # in which who watches /ready may hear of the end before anybody is sent away
SENDING_SECONDS = 3.0  # from the signal on, for a request that still arrives
CUT_SECONDS = 0.5  # in which those who are cut are told so
CLOSING_SECONDS = 5.0  # for what is closed after the last answer, and for threads that nobody waits for
LOOK_SECONDS = 0.02

log = structlog.get_logger("server")


class Server(uvicorn.Server):
    """uvicorn's server, which keeps its door open until what it has begun is answered.

    The first SIGTERM or SIGINT begins the end, which takes `drain_seconds` at most; then the status is 0. A second one,
    either after either, ends the process at once with the status 128 + its number.
    """

    def __init__(self, config: uvicorn.Config, drain_seconds: float) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._begun_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """uvicorn's own, for both signals."""
        if self._captured_signals:
            with suppress(OSError):
                os.write(2, b"Stopped at once, whatever was going on.\n")
            os._exit(128 + sig)
        super().handle_exit(sig, frame)
        self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell /ready, send away who waits, let those in flight finish, and only then close. uvicorn's own."""
        self._announce()
        if self._is_busy():
            await asyncio.sleep(min(READY_FIRST_SECONDS, self._drain_seconds))
        self._send_away()
        # Who goes on asking, be it for /ready, must not put off the end.
        begun = {connection: connection.cycle for connection in self._connections}
        await self._while(lambda: any(one.cycle is begun.get(one) and self._works(one) for one in self._connections))
        self._close_the_door(sockets or [])
        await self._while(self._is_busy)
        await self._cut()
        if self._captured_signals:  # otherwise the process is somebody else's
            _end_process_soon()
        await self.lifespan.shutdown()

    @property
    def _connections(self) -> list[TitleCaseProtocol]:
        return cast("list[TitleCaseProtocol]", list(self.server_state.connections))

    def _announce(self) -> None:
        """From here on /ready says that it is over. In a signal's handler nothing more can be done."""
        if self._begun_at is None:
            self._begun_at = time.monotonic()
        if self.started:
            self.lifespan.state["draining"] = True

    def _send_away(self) -> None:
        service: Service = self.lifespan.state["service"]
        log.info("stopping", in_flight=service.proxy.gate.inside, waiting=service.proxy.gate.waiting)
        service.proxy.gate.close()
        service.newest.close()
        service.tickets.close()
        # Whoever is answered from here on is told to come back on another connection.
        headers = [*self.server_state.default_headers, CLOSE_HEADER]
        self.server_state.default_headers = headers
        for connection in self._connections:
            if connection.cycle:
                connection.cycle.default_headers = headers

    def _close_the_door(self, sockets: list[socket.socket]) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        for connection in self._connections:
            with suppress(h11.LocalProtocolError):  # it is in trouble already
                connection.shutdown()

    async def _cut(self) -> None:
        tasks = list(self.server_state.tasks)
        if tasks:
            log.warning("cut", requests=len(tasks))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CUT_SECONDS)
        for connection in self._connections:
            connection.transport.abort()

    async def _while(self, is_going_on: Callable[[], bool]) -> None:
        # uvicorn has no event for an answer that is out, and none for one that is read.
        while is_going_on() and self._seconds_since_begin() < self._drain_seconds:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)

    def _is_busy(self) -> bool:
        connections = self._connections
        answering = sum(_is_answering(one) for one in connections)
        # What is done for clients that have left, such as a picture that is published all the same.
        alone = len(self.server_state.tasks) > answering
        service: Service = self.lifespan.state["service"]
        return alone or service.tickets.at_work > 0 or any(self._works(one) for one in connections)

    def _works(self, connection: TitleCaseProtocol) -> bool:
        """Whether it has something to do, and it is not its client that does not get on with it."""
        if not _is_answering(connection):
            return connection.transport.get_write_buffer_size() > 0  # it still reads the answer
        still_sends = connection.cycle.more_body and not connection.cycle.body
        return not still_sends or self._seconds_since_begin() < SENDING_SECONDS

    def _seconds_since_begin(self) -> float:
        assert self._begun_at is not None
        return time.monotonic() - self._begun_at


class Cutting:
    """Tells those who are cut at the end that it is the end, unless a part of their answer is out already."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except asyncio.CancelledError:
            # The server's doing, there is nobody else; left incomplete, an answer is none, and the client can tell.
            if not started:
                refusal = respond_to(ShuttingDown())
                await refusal(scope, receive, send)


def make_server(settings: Settings, app: FastAPI | None = None) -> Server:
    """A server for `settings` that has not started yet."""
    app = app or create_app(settings)
    # The innermost, so that what it says has an id and is in the log.
    app.user_middleware.append(Middleware(Cutting))
    config = uvicorn.Config(
        app,
        host=settings.service_host,
        port=settings.service_port,
        http=TitleCaseProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        # A client that reads to the end of a kept-alive connection hangs for this long.
        timeout_keep_alive=5,
    )
    return Server(config, settings.drain_seconds)


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


def _is_answering(connection: TitleCaseProtocol) -> bool:
    cycle = connection.cycle
    return cycle is not None and not cycle.response_complete and not cycle.disconnected


def _end_process_soon() -> None:
    """All is answered by now: a thread that looks up a name of a network which is down must not hold up the end."""
    alarm = threading.Timer(CLOSING_SECONDS, os._exit, (0,))
    alarm.daemon = True
    alarm.start()
