"""Fixtures: both machines that the boards' programs run on here, and a service before an upstream that paints."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from clients.node import why_not
from device.framed import paints
from device.vms import VMS
from fakes.a1111 import ScriptedA1111
from missing import missing
from service import Service, open_service


@pytest.fixture(scope="session")
def micropython() -> str:
    """A `vm` for `vms.run`. Without node, or without the packages, a test is skipped, and in CI it fails."""
    reason = why_not()
    if reason is not None:
        missing(reason)
    return "micropython"


@pytest.fixture(params=VMS)
def vm(request: pytest.FixtureRequest) -> str:
    """Either `vm`."""
    name = str(request.param)
    return str(request.getfixturevalue(name)) if name == "micropython" else name


@pytest.fixture
async def fresh(upstream: ScriptedA1111) -> AsyncIterator[Service]:
    """A service that knows no pictures yet, before an upstream that paints what a frame asks for."""
    upstream.standing = paints
    async with open_service(a1111_base_url=upstream.url) as service:
        yield service
