"""What a test needs and this machine has not got."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip the test for this reason; in CI, where all of it has to be there, it fails."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
