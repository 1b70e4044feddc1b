"""The other end of a fleet: takes one job after the other from the line, and has the upstream beside it draw them."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar

import structlog
from celery import Celery, bootsteps
from celery.exceptions import Reject
from celery.signals import setup_logging, worker_shutting_down
from kombu.exceptions import OperationalError

from pico_a1111_proxy.crews import SaidState
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.errors import FleetUnavailable, ProxyError, UpstreamError, UpstreamTimeout
from pico_a1111_proxy.fleet.broker import LEASE_SECONDS, QUEUE, TASK, make_app, prolong
from pico_a1111_proxy.fleet.consumer import Program, say_little
from pico_a1111_proxy.fleet.line import Begun, Held, Line
from pico_a1111_proxy.fleet.link import Link, open_link, within
from pico_a1111_proxy.fleet.parcels import pack_answer
from pico_a1111_proxy.fleet.roll import Signature, leave, sign
from pico_a1111_proxy.fleet.shift import Shift
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.proxy import Upstream
from pico_a1111_proxy.settings import Settings
from pico_a1111_proxy.wiring import open_upstream

T = TypeVar("T")

SIGN_SECONDS = 1.0  # between two signs of life
PROGRESS_PATIENCE = 2.0  # for the upstream to tell how far it is
TAKING_PATIENCE = 5.0  # for Redis to come back, with a job in hand that is not known yet
TELLING_PATIENCE = 60.0  # and with one that is drawn
AGAIN_SECONDS = 0.3

_NO_DISPLAY = default_display(1, 1, invert=False)  # frames are made where the job came from

log = structlog.get_logger("worker")


class Worker:
    """One worker. Celery calls `work` for each message and `idle` in between, all in one thread."""

    def __init__(self, app: Celery, name: str, lease: float) -> None:
        self.consumer: Any = None
        self.stopping = False
        self._app = app
        self._name = name
        self._mark = f"{name} {secrets.token_hex(8)}"  # two that were given the same name are two
        self._lease = lease
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._link: Link
        self._line: Line
        self._upstream: Upstream
        self._shift: Shift
        self._busy_since: float | None = None
        self._idle_since = time.time()
        self._drawn = self._failed = 0

    def open(self, url: str, settings: Settings) -> None:
        """Begin, with the Redis at `url` and the upstream that `settings` name."""
        self._loop.run_until_complete(self._open(url, settings))

    def close(self) -> None:
        """Sign off, and let go of everything."""
        self._loop.run_until_complete(self._close())
        self._loop.close()

    def work(self, name: str, delivery_tag: str) -> None:
        """Draw the job `name`, if it is still to be drawn. Raises Reject where another worker is to have it."""
        self._loop.run_until_complete(self._work(name, delivery_tag))

    def idle(self) -> None:
        """Nothing is to be done: sign, and look at the upstream now and then."""
        if not self._loop.is_running():
            self._loop.run_until_complete(self._idle())

    @property
    def _state(self) -> SaidState:
        if self.stopping:
            return "stopping"
        if self._busy_since is not None:
            return "busy"
        return "paused" if self._shift.words else "idle"

    async def _open(self, url: str, settings: Settings) -> None:
        self._link = await self._stack.enter_async_context(open_link(url, time.monotonic))
        self._line = Line(self._link)
        self._upstream = await self._stack.enter_async_context(open_upstream(settings))
        self._shift = Shift(self._upstream, self._stop_taking, self._take, time.monotonic)

    async def _close(self) -> None:
        with suppress(FleetUnavailable):
            await leave(self._link, self._name)
        await self._stack.aclose()

    async def _idle(self) -> None:
        await self._shift.look()
        await self._sign()

    async def _work(self, name: str, tag: str) -> None:
        self._busy_since = time.time()
        signing = asyncio.create_task(self._keep_signing())
        try:
            begun = await self._begin(name)
            if isinstance(begun, Begun):
                await self._draw(name, tag, begun)
            elif isinstance(begun, Held):
                # Its worker lives, and has been taken for dead: it is to draw on, and nothing is to be lost if it dies.
                log.info("held", job=name[:8])
                try:
                    self._app.send_task(TASK, (name,), queue=QUEUE, countdown=min(begun.seconds, self._lease / 2))
                except OperationalError as error:
                    raise Reject("Redis is away", requeue=True) from error
            elif begun is not None:
                log.error("poison", job=name[:8])
                await self._finish(name, begun, None)
        finally:
            signing.cancel()
            await asyncio.wait([signing])
            self._busy_since, self._idle_since = None, time.time()
        await self._sign()

    async def _begin(self, name: str) -> Begun | Held | ProxyError | None:
        try:
            return await _insist(lambda: self._line.begin(name, self._mark, self._lease), TAKING_PATIENCE)
        except FleetUnavailable:
            raise Reject("Redis is away", requeue=True) from None

    async def _draw(self, name: str, tag: str, begun: Begun) -> None:
        job = Job(begun.route, begun.body, _NO_DISPLAY, "all", query=begun.query, content_type=begun.content_type)
        began = time.monotonic()
        work = asyncio.create_task(self._upstream.generate(job))
        keeping = asyncio.create_task(self._keep_right(name, tag, work))
        try:
            generation = await work
        except asyncio.CancelledError:
            log.info("withdrawn", job=name[:8])
            await self._upstream.abandon(job)
        except UpstreamError as error:
            await self._fail(name, job, error)
        except Exception:
            log.exception("surprise", job=name[:8])
            await self._finish(name, ProxyError("Something went wrong in a worker of the fleet"), None)
        else:
            self._drawn += 1
            self._shift.drawn()
            seconds = time.monotonic() - began
            log.info("drawn", job=name[:8], seconds=round(seconds, 2), delivery=begun.delivery)
            await self._finish(name, pack_answer(generation.answer), seconds)
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])

    async def _fail(self, name: str, job: Job, error: UpstreamError) -> None:
        log.warning("failed", job=name[:8], error=type(error).__name__, words=error.detail)
        if error.unsent:
            # Nothing was drawn, and another worker may be better off.
            with suppress(FleetUnavailable):
                await self._line.give_back(name, self._mark)
            self._shift.pause(error.detail)
            raise Reject(error.detail, requeue=True)
        self._failed += 1
        await self._finish(name, error, None)
        if isinstance(error, UpstreamTimeout):
            await self._upstream.abandon(job)  # it draws on, and would be late with the next one too
        await self._shift.failed(error)

    async def _finish(self, name: str, outcome: bytes | ProxyError, seconds: float | None) -> None:
        """Tell what came of it; where Redis is away, once it is back."""
        try:
            await _insist(lambda: self._line.finish(name, outcome, seconds), TELLING_PATIENCE)
        except FleetUnavailable:
            log.warning("untold", job=name[:8])

    async def _keep_right(self, name: str, tag: str, work: asyncio.Task[Any]) -> None:
        """Until cancelled, keep the right to the job; end `work` where it is lost, or nobody wants it any more."""
        while not work.done():
            with suppress(FleetUnavailable):
                kept = await self._line.renew(name, self._mark, self._lease)
                if kept == "lost":
                    work.cancel()
                    return
                await prolong(self._link, tag)
                if kept == "watched":
                    with suppress(UpstreamError, asyncio.TimeoutError):
                        told = await within(PROGRESS_PATIENCE, self._upstream.progress())
                        await self._line.report(name, told)
            await asyncio.sleep(min(SIGN_SECONDS, self._lease / 5))

    async def _keep_signing(self) -> None:
        while True:
            await self._sign()
            await asyncio.sleep(SIGN_SECONDS)

    async def _sign(self) -> None:
        since = self._idle_since if self._busy_since is None else self._busy_since
        signature = Signature(self._name, self._state, self._shift.words, since, (self._drawn, self._failed))
        with suppress(FleetUnavailable):
            await sign(self._link, signature)

    def _stop_taking(self) -> None:
        if self.consumer:
            self.consumer.cancel_task_queue(QUEUE)

    def _take(self) -> None:
        self._idle_since = time.time()
        if self.consumer:
            self.consumer.add_task_queue(QUEUE)


async def _insist(ask: Callable[[], Awaitable[T]], patience: float) -> T:
    """What `ask` gives; where Redis is away, once it is back. Raises FleetUnavailable after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return await ask()
        except FleetUnavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(AGAIN_SECONDS)


class _Beside(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery's, which has no types
    """Ties a Worker to Celery's consumer, anew with each connection."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        """The consumer is connected."""
        worker: Worker = consumer.app.pico_worker
        worker.consumer = consumer
        worker.idle()
        self.timer = consumer.timer.call_repeatedly(SIGN_SECONDS, worker.idle)

    def stop(self, consumer: Any) -> None:
        """The consumer is not, any more."""
        consumer.app.pico_worker.consumer = None
        self.timer.cancel()


def name_worker() -> str:
    """A name that no other has, and by which a person knows the machine."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


def run(settings: Settings, name: str, lease: float = LEASE_SECONDS) -> int:
    """Draw for the fleet until a signal ends it: the first one lets the job in hand be finished. The exit status."""
    assert settings.redis_url
    url = settings.redis_url.get_secret_value()
    app = make_app(url, lease)
    worker = Worker(app, name, lease)
    app.pico_worker = worker
    app.steps["consumer"].add(_Beside)
    app.task(_generate, name=TASK, bind=True)
    setup_logging.connect(_leave_logs_alone)
    say_little()
    ends: list[str] = []

    def stop(how: str, **_: Any) -> None:
        """SIGTERM: what is in hand is finished."""
        ends.append(how)
        log.info("stopping", busy=worker._busy_since is not None)  # noqa: SLF001
        worker.stopping = True

    worker_shutting_down.connect(stop)
    worker.open(url, settings)
    try:
        celery = Program(
            app=app,
            hostname=name,
            pool="solo",  # all in one process and one thread: who draws is alive, and who hangs is not
            concurrency=1,
            queues=[QUEUE],
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        celery.start()
        return 0 if ends == ["Warm"] else int(celery.exitcode or 0)  # to Celery Ctrl+C is a failure
    finally:
        worker.close()


def _generate(task: Any, name: str) -> None:
    """Celery's task."""
    task.app.pico_worker.work(name, task.request.properties["delivery_tag"])


def _leave_logs_alone(**_: Any) -> None:
    """Ours are set up already: Celery must not do it its way."""
