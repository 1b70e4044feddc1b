"""Fixtures: both machines that the boards' programs run on here."""

from __future__ import annotations

import os

import pytest

from clients.node import why_not
from device.vms import VMS


@pytest.fixture(scope="session")
def micropython() -> str:
    """A `vm` for `vms.run`. Without node, or without the packages, a test is skipped, and in CI it fails."""
    reason = why_not()
    if reason is not None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return "micropython"


@pytest.fixture(params=VMS)
def vm(request: pytest.FixtureRequest) -> str:
    """Either `vm`."""
    name = str(request.param)
    return str(request.getfixturevalue(name)) if name == "micropython" else name
