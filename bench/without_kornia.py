"""The command line of a machine where kornia-rs is not installed: importing it fails."""

from __future__ import annotations

import sys

sys.modules["kornia_rs"] = None  # type: ignore[assignment]

from pico_a1111_proxy.cli import main  # noqa: E402 - after the import was barred

main()
