"""Options: the settings of a web UI that clients read and write, kept in memory."""

from __future__ import annotations

import json
from typing import Any

from pico_a1111_proxy.errors import UpstreamUnavailable
from pico_a1111_proxy.upstreams.demo.catalogue import FIXED, OPTIONS
from pico_a1111_proxy.upstreams.demo.fields import error_answer, refuse_value
from pico_a1111_proxy.upstreams.demo.infotext import MODEL

LONGEST_VALUE = 1000  # characters of JSON


class Options:
    """They change what is told of them and nothing else: the painter has no use for any."""

    def __init__(self) -> None:
        self._values = dict(OPTIONS)

    def tell(self) -> dict[str, Any]:
        """All of them."""
        return dict(self._values)

    def change(self, wanted: dict[str, Any]) -> None:
        """Set those of `wanted`, or none. Raises UpstreamError where A1111 would answer 500, or 422 for a long one."""
        model = wanted.get("sd_model_checkpoint")
        if model not in (None, MODEL):
            raise _failure("RuntimeError", f"model {_shorten(model)} not found")
        for name, value in wanted.items():
            if name not in OPTIONS:
                raise _failure("KeyError", _shorten(name))
            if not _can_be_kept(value):
                refuse_value(name, f"the demo painter keeps at most {LONGEST_VALUE} characters of JSON")
        self._values |= {name: value for name, value in wanted.items() if name not in FIXED}


def _can_be_kept(value: Any) -> bool:
    try:
        return len(json.dumps(value, allow_nan=False)) <= LONGEST_VALUE
    except (ValueError, RecursionError):
        return False


def _failure(kind: str, words: str) -> UpstreamUnavailable:
    return UpstreamUnavailable(words, answer=error_answer(500, kind, errors=words))


def _shorten(value: Any) -> str:
    return repr(value)[:100]
