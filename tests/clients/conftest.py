"""Fixtures: the base URL that a person gives a client, of the web UI itself or of the service before it; and node."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clients.node import why_not
from fakes.a1111 import ScriptedA1111
from fakes.personalities import PERSONALITIES
from missing import missing
from service import Service


@pytest.fixture
def web_ui(upstream: ScriptedA1111) -> ScriptedA1111:
    """The upstream as an A1111, as new."""
    PERSONALITIES["a1111"]().play(upstream)
    return upstream


@pytest.fixture
def plain_api(service: Service) -> str:
    """The base URL of the plain A1111 API of the service."""
    return f"{service.url}/original"


@pytest.fixture(params=["direct", "through"])
def base(request: pytest.FixtureRequest, web_ui: ScriptedA1111, plain_api: str) -> str:
    """Of the web UI itself, which shows that the test is right, and of the service."""
    return web_ui.url if request.param == "direct" else plain_api


@pytest.fixture
def fresh_web_ui(web_ui: ScriptedA1111) -> Callable[[], None]:
    """Call it to forget what was asked, and what the options were set to."""

    def renew() -> None:
        web_ui.seen.clear()
        PERSONALITIES["a1111"]().play(web_ui)

    return renew


@pytest.fixture
def node() -> str:
    """The command. Without it, or without the packages, a test is skipped, and in CI it fails."""
    reason = why_not()
    if reason is not None:
        missing(reason)
    return "node"
