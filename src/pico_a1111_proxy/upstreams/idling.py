"""Idling: waits until an upstream has done with a job that nobody wants any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.errors import UpstreamError
from pico_a1111_proxy.jobs import Job, read_json
from pico_a1111_proxy.upstreams.wire import CONNECT_SECONDS

LONGEST_SECONDS = 600.0
# Longer than a connection may take: who can't be reached at all is not silent, but gone.
ASK_SECONDS = CONNECT_SECONDS + 1
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 2.0
GROWTH = 1.5
IDLE_IN_A_ROW = 3  # times that an upstream is idle while it says that our job is in its line or running

TASK_PATH = "/internal/progress"
STATE_PATH = "/sdapi/v1/progress?skip_current_image=true"
INTERRUPT_PATH = "/sdapi/v1/interrupt"

Call = Callable[[str, str, "bytes | None", "dict[str, str] | None"], Awaitable[Answer]]


async def wait_until_idle(
    job: Job, call: Call, knows_better: Callable[[], bool], pause: Callable[[float], Awaitable[object]]
) -> None:
    """Return when the upstream is idle, or done with `job`, or can't say, or ten minutes are over. Never raises.

    A job with an id of its own (`force_task_id`) is interrupted when it is the one that runs: an upstream interrupts
    whatever runs, so without an id that would hit somebody else's. `knows_better` ends it early.
    """
    asking = _Asking(call, _task_id(job))
    loop = asyncio.get_running_loop()
    seconds, spent = FIRST_PAUSE_SECONDS, 0.0
    while spent < LONGEST_SECONDS and not knows_better():
        began = loop.time()
        try:
            if await asking.is_over():
                return
        except asyncio.TimeoutError:
            pass  # it hangs: whether it still draws, nobody knows
        except UpstreamError as error:
            if error.unsent:
                return  # nobody is there
        await pause(seconds)
        spent += loop.time() - began + seconds
        seconds = min(seconds * GROWTH, LONGEST_PAUSE_SECONDS)


class _Asking:
    """What the upstream says of one job, time after time."""

    def __init__(self, call: Call, task: str | None) -> None:
        self._call = call
        self._task = task
        self._interrupted = False
        self._idle_in_a_row = 0

    async def is_over(self) -> bool:
        """Whether it has done with the job, or can't say. Raises asyncio.TimeoutError and UpstreamError."""
        if self._task is None:
            return await self._is_idle()
        body = json.dumps({"id_task": self._task, "live_preview": False}).encode()
        said = await self._ask("POST", TASK_PATH, body)
        if said is None or "active" not in said:
            self._task = None  # it knows no ids
            return await self._is_idle()
        if not said["active"] and not said.get("queued"):
            return True
        if said["active"] and not self._interrupted:
            self._interrupted = True
            with suppress(asyncio.TimeoutError, UpstreamError):
                await self._ask("POST", INTERRUPT_PATH)
        # A1111 keeps the id of a job that failed for ever.
        self._idle_in_a_row = self._idle_in_a_row + 1 if await self._is_idle() else 0
        return self._idle_in_a_row >= IDLE_IN_A_ROW

    async def _is_idle(self) -> bool:
        said = await self._ask("GET", STATE_PATH)
        state = said.get("state") if said else None
        return not isinstance(state, dict) or not state.get("job_count")

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any] | None:
        """The object it answers; None is none."""
        headers = {"Content-Type": "application/json"} if body else None
        answer = await asyncio.wait_for(self._call(method, path, body, headers), ASK_SECONDS)
        if answer.status == 504:  # of a server in between, for one that is silent
            raise asyncio.TimeoutError
        document = read_json(answer.body) if answer.status == 200 else None
        return document if isinstance(document, dict) else None


def _task_id(job: Job) -> str | None:
    """The id that the client itself has given its job; None is none."""
    document = read_json(job.body)
    task = document.get("force_task_id") if isinstance(document, dict) else None
    return task if isinstance(task, str) and task else None
