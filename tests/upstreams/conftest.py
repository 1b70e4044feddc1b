"""Fixtures: two scripted upstreams, and a pool of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fakes.a1111 import ScriptedA1111
from fakes.pools import Setup, pool_of


@pytest.fixture
async def both(one: ScriptedA1111, two: ScriptedA1111) -> AsyncIterator[Setup]:
    async with pool_of(one.url, two.url) as setup:
        yield setup
