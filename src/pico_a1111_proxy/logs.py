"""Logs: structlog set up once for the process, one line an event, for eyes or as JSON."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Writes the libraries' records as ours; ours have been written when they come here.

    That is the short way: otherwise each would be copied, and made text twice.
    """

    def format(self, record: logging.LogRecord) -> str:
        return record.msg if hasattr(record, "is_written") else super().format(record)


def _hand_over(_: Any, __: str, line: Any) -> tuple[tuple[str], dict[str, Any]]:
    """Give logging what structlog has written."""
    return (line,), {"extra": {"is_written": True}}


def set_up_logs(form: str, debug: bool) -> None:
    """Send everything, the libraries' own lines too, to stderr as `console` text or `json`."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                sort_keys=False,
                pad_event_to=0,
                # The prettier ones show local variables, and passwords with them.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, *last, _hand_over],
        logger_factory=logging.getLogger,
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Formatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    # What these say below a warning is about themselves, not about the service.
    for name in ("asyncio", "aiohttp", "PIL", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
