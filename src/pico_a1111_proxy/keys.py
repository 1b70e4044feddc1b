"""Keys: which jobs would get the same pictures, so that one generation can stand for all of them."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def is_repeatable(document: dict[str, Any]) -> bool:
    """Whether the same request would get the same pictures again: nothing in it is left to chance, or to be kept.

    `document` is A1111's JSON. Where it can't be known, it is not.
    """
    subseed_counts = document.get("subseed_strength") not in (None, 0)
    if not _is_given(document.get("seed")) or (subseed_counts and not _is_given(document.get("subseed"))):
        return False
    # A script may draw lots of its own, and what is to be saved upstream has to get there every time.
    if document.get("script_name") or document.get("save_images"):
        return False
    scripts = document.get("alwayson_scripts") or {}
    return isinstance(scripts, dict) and "seed" not in {name.lower() for name in scripts}


def job_key(realm: str, route: str, document: dict[str, Any], query: str) -> str | None:
    """The key of a request for `document` with `query`, whatever the order of its names; None where it has none.

    `realm` is all that changes the pictures beside the request: which upstream it is, and which version of ours.
    """
    try:
        # Not orjson, for which NaN and null are the same.
        words = json.dumps([realm, route, query, document], sort_keys=True)
    except (ValueError, RecursionError):
        return None
    return hashlib.sha256(words.encode()).hexdigest()


def _is_given(seed: Any) -> bool:
    """Whether it is a seed; A1111 takes -1, null and "" for any, and other servers every negative number."""
    return isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0
