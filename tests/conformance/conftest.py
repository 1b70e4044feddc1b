"""Fixtures: every server in turn, itself and behind the service."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from fakes.a1111 import ScriptedA1111
from fakes.personalities import PERSONALITIES
from service import Service

pytest.register_assert_rewrite("conformance.both")

from conformance.both import Both  # noqa: E402 - after the line above


@pytest.fixture(scope="session")
async def _direct(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(auto_decompress=False, timeout=timeout) as session:
        yield Service(_upstream.port, session)


@pytest.fixture(params=list(PERSONALITIES))
def both(request: pytest.FixtureRequest, _upstream: ScriptedA1111, _direct: Service, _service: Service) -> Both:
    """Each server in turn, itself and behind the service with the usual settings."""
    return Both(request.param, _upstream, _direct, _service)


@pytest.fixture
def a1111(_upstream: ScriptedA1111, _direct: Service, _service: Service) -> Both:
    """A1111 alone, where the server makes no difference."""
    return Both("a1111", _upstream, _direct, _service)
