"""Celery's worker and its consumer, which comes back to its broker within a second, and says what matters, once."""

from __future__ import annotations

import logging
import signal
import warnings
from typing import Any

import structlog
from celery.apps.worker import Worker, install_worker_int_handler, install_worker_term_handler
from celery.exceptions import SecurityWarning
from celery.worker import consumer
from celery.worker.state import maybe_shutdown

AGAIN_SECONDS = 0.5

log = structlog.get_logger("worker")


class Consumer(consumer.Consumer):  # type: ignore[misc]  # Celery's, which has no types
    """What the setting `worker_consumer` names."""

    def ensure_connected(self, conn: Any) -> Any:
        """`conn`, once it is connected."""
        failures = 0

        def tell(error: Exception, _: float) -> None:
            nonlocal failures
            failures += 1
            if failures == 1:
                log.warning("redis", up=False, words=type(error).__name__)

        pauses = {"interval_start": AGAIN_SECONDS, "interval_step": 0, "interval_max": AGAIN_SECONDS}
        conn.ensure_connection(tell, callback=maybe_shutdown, **pauses)
        self.first_connection_attempt = False
        if failures:
            log.info("redis", up=True)
        return conn


class Program(Worker):  # type: ignore[misc]
    """A worker that says nothing of signals: what there is to say is in the log."""

    def install_platform_tweaks(self, worker: Any) -> None:
        """Heed the same signals."""
        super().install_platform_tweaks(worker)
        install_worker_term_handler(worker, verbose=False)
        install_worker_int_handler(worker, callback=_end_at_once, verbose=False)


def _end_at_once(_: Any) -> None:
    """The next time; another worker draws what is in hand then. Celery would end up in an error of its pool."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def say_little() -> None:
    """Leave out what Celery says of messages, connections and itself: it is said here, once."""
    logging.getLogger("celery").setLevel(logging.WARNING)
    logging.getLogger("celery.worker.consumer.consumer").setLevel(logging.ERROR)
    # Root is no danger without pickle. Celery brings its other warnings back, and has the log say them.
    warnings.simplefilter("ignore", SecurityWarning)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
