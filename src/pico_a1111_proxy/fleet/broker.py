"""Broker: Celery as the fleet uses it; a message holds only the name of its job, which waits in the line."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from pico_a1111_proxy.errors import FleetUnavailable
from pico_a1111_proxy.fleet.line import RANKS
from pico_a1111_proxy.fleet.link import PATIENCE, PREFIX, UNREACHABLE, Link, within
from pico_a1111_proxy.jobs import Priority

QUEUE = "generate"
TASK = "pico_a1111_proxy.generate"
LEASE_SECONDS = 10.0  # for which a worker that says nothing keeps its right to a job
SWEEPS_IN_A_LEASE = 5  # for messages whose worker is gone
PRIORITY_STEPS = [0, 9]  # Celery's numbers of the two; on Redis the lower one goes first
SILENCE_SECONDS = 2  # after which a worker gives up a connection on which Redis says nothing
THREADS = 2  # that publish: more would only wait for each other

LEFT_ALONE_SECONDS = 0.5  # after a failure, so that those who wait for a thread are told at once

_UNACKED_INDEX = "unacked_index"
_REVIVE = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}


def make_app(url: str, lease: float = LEASE_SECONDS) -> Celery:
    """Celery with the Redis at `url` as its broker.

    The visibility time-out is the lease, which a worker prolongs for as long as it draws: so it may be far shorter than
    a job, and the job of a worker that has died is soon somebody else's.
    """
    app = Celery("pico_a1111_proxy", broker=url, set_as_current=False)
    app.conf.update(
        broker_transport_options={
            "visibility_timeout": lease,
            "unacked_restore_interval": lease / SWEEPS_IN_A_LEASE,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": max(1, int(lease / 2)),
            "unacked_index_key": _UNACKED_INDEX,
            "global_keyprefix": PREFIX,  # the shortest time-out of all apps with the same keys would be everybody's
            "queue_order_strategy": "priority",
            "priority_steps": PRIORITY_STEPS,
            "socket_timeout": PATIENCE,
            "socket_connect_timeout": PATIENCE,
            "socket_keepalive": True,
            "health_check_interval": SILENCE_SECONDS,
        },
        visibility_timeout=lease,
        # Celery's own default is to check no certificate.
        broker_use_ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED} if url.startswith("rediss:") else None,
        broker_connection_retry_on_startup=True,
        worker_consumer="pico_a1111_proxy.fleet.consumer:Consumer",
        task_default_queue=QUEUE,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app


class Broker:
    """Publishes jobs. Made by `open_broker`."""

    def __init__(self, app: Celery, threads: ThreadPoolExecutor) -> None:
        self._app = app
        self._threads = threads
        self._turns = asyncio.Semaphore(THREADS)
        self._failed = -math.inf

    async def send(self, name: str, priority: Priority, seconds: float) -> None:
        """Have some worker begin the job `name` within `seconds`.

        Raises FleetUnavailable; it may have been sent all the same.
        """
        async with self._turns:  # the time for which one waits for a thread says nothing of Redis
            if time.monotonic() < self._failed + LEFT_ALONE_SECONDS:
                raise FleetUnavailable(UNREACHABLE)
            await self._publish(name, PRIORITY_STEPS[RANKS[priority]], seconds)

    async def _publish(self, *message: Any) -> None:
        sending = asyncio.get_running_loop().run_in_executor(self._threads, self._send, *message)
        try:
            await within(PATIENCE, asyncio.shield(sending))
        except (OperationalError, RedisError, OSError, asyncio.TimeoutError) as error:
            sending.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._failed = time.monotonic()
            raise FleetUnavailable(UNREACHABLE) from error

    def _send(self, name: str, priority: int, seconds: float) -> None:
        self._app.send_task(
            TASK,
            (name,),
            task_id=name,
            queue=QUEUE,
            priority=priority,
            expires=seconds,
            retry=True,
            retry_policy=_REVIVE,
        )


@asynccontextmanager
async def open_broker(url: str) -> AsyncIterator[Broker]:
    """A broker whose threads and connections are closed with the block."""
    app = make_app(url)
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="broker")
    try:
        yield Broker(app, threads)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        app.close()


async def prolong(link: Link, delivery_tag: str) -> None:
    """Have the message with this tag count as delivered just now; raises FleetUnavailable."""
    # By this machine's clock, as Celery does.
    moment: Any = {delivery_tag: time.time()}
    await link.ask(lambda redis: redis.zadd(PREFIX + _UNACKED_INDEX, moment, xx=True))
