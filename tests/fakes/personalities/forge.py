"""Forge, with pydantic v2 and without A1111's middleware; and reForge, which kept A1111's."""

from __future__ import annotations

from typing import Any

from fakes.a1111 import Reply
from fakes.personalities import lists
from fakes.personalities.a1111 import A1111, SDAPI
from fakes.personalities.fields import Strict
from fakes.personalities.generation import names_of
from fakes.personalities.personality import Crashed, Personality, Refused, Routes, fixed

LACKING = ("sd-vae", "train/embedding", "train/hypernetwork")


class Forge(A1111):
    name = "forge"
    version = "f2.0.1v1.10.1-previous-669-gdfdcbab6"
    rules = Strict()
    more_headers = ()
    crash_words = "message"

    def make_routes(self) -> Routes:
        routes = {path: methods for path, methods in super().make_routes().items() if path not in _LACKING_PATHS}
        return {**routes, f"{SDAPI}/sd-modules": {"GET": fixed(lists.VAES)}}

    def check(self, route: str, fields: dict[str, Any]) -> None:
        wanted = (fields["override_settings"] or {}).get("sd_model_checkpoint")
        if wanted is not None and not any(wanted in names_of(model) for model in lists.MODELS):
            raise Crashed("RuntimeError", f"model {wanted!r} not found")
        super().check(route, fields)

    def refusal(self, refused: Refused) -> Reply:
        return Personality.refusal(self, refused)


class ReForge(A1111):
    name = "reforge"


_LACKING_PATHS = {f"{SDAPI}/{name}" for name in LACKING}
