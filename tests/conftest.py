"""Fixtures: one scripted upstream and one service before it for all tests that want the usual settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fakes.a1111 import ScriptedA1111, answer, open_scripted_a1111, said
from fakes.pictures import RED, png
from pico_a1111_proxy.logs import set_up_logs
from service import Service, open_service


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    # As the service logs: structlog's own default draws every local variable of a traceback.
    set_up_logs("json", debug=False)


@pytest.fixture(scope="session")
async def _upstream() -> AsyncIterator[ScriptedA1111]:
    async with open_scripted_a1111() as upstream:
        yield upstream


@pytest.fixture(scope="session")
async def _service(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url) as service:
        yield service


@pytest.fixture(scope="session")
async def _impatient(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    async with open_service(a1111_base_url=_upstream.url, a1111_timeout=1) as service:
        yield service


@pytest.fixture
async def upstream(_upstream: ScriptedA1111) -> ScriptedA1111:
    """The scripted A1111 behind `service`, as new."""
    _upstream.reset()
    return _upstream


@pytest.fixture
async def gate(upstream: ScriptedA1111) -> AsyncIterator[asyncio.Event]:
    """Closed: the upstream takes every job, and answers none until this is set."""
    gate = asyncio.Event()
    drawing = replace(answer(png(RED)), gate=gate)
    upstream.standing = lambda seen: drawing if seen.method == "POST" else said({"state": {"job_count": 0}})
    yield gate
    gate.set()


@pytest.fixture
async def service(_service: Service, upstream: ScriptedA1111) -> Service:
    """The service with the usual settings, in front of `upstream`."""
    return _service


@pytest.fixture
async def impatient(_impatient: Service, upstream: ScriptedA1111) -> Service:
    """The same, with an A1111_TIMEOUT of a second."""
    return _impatient


@pytest.fixture
async def one() -> AsyncIterator[ScriptedA1111]:
    """The first of two scripted upstreams of a test's own."""
    async with open_scripted_a1111() as upstream:
        yield upstream


@pytest.fixture
async def two() -> AsyncIterator[ScriptedA1111]:
    """The second."""
    async with open_scripted_a1111() as upstream:
        yield upstream
