"""Keys: which jobs would get the same pictures, so that one generation can stand for all of them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_OFF = frozenset({"false", "off", "no", "n", "f", "0"})


def has_effects(document: dict[str, Any]) -> bool:
    """Whether it does more than to draw, and so has to get to the upstream every time; `document` is A1111's JSON."""
    # What is to be saved there; what a script does, which nobody here can know.
    return bool(document.get("save_images") or document.get("script_name") or changes_options(document))


def changes_options(document: dict[str, Any]) -> bool:
    """Whether it leaves other options behind, and so other pictures for everybody."""
    restores = str(document.get("override_settings_restore_afterwards", True)).lower() not in _OFF
    return bool(document.get("override_settings")) and not restores


def is_repeatable(document: dict[str, Any]) -> bool:
    """Whether the same request would get the same pictures again: nothing in it is left to chance.

    Where it can't be known, it is not.
    """
    subseed_counts = document.get("subseed_strength") not in (None, 0)
    if not _is_given(document.get("seed")) or (subseed_counts and not _is_given(document.get("subseed"))):
        return False
    if has_effects(document):
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
