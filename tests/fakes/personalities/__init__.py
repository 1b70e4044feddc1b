"""Personalities of the scripted upstream: it answers as one of the servers with A1111's API would."""

from __future__ import annotations

from fakes.personalities.a1111 import A1111
from fakes.personalities.drawthings import DrawThings
from fakes.personalities.forge import Forge, ReForge
from fakes.personalities.koboldcpp import KoboldCpp
from fakes.personalities.payloads import A1111_TEST_PAYLOADS
from fakes.personalities.personality import Personality
from fakes.personalities.sdcpp import SdCpp
from fakes.personalities.sdnext import SdNext
from fakes.personalities.xinference import Xinference

PERSONALITIES: dict[str, type[Personality]] = {
    kind.name: kind for kind in (A1111, Forge, ReForge, SdNext, SdCpp, KoboldCpp, DrawThings, Xinference)
}

__all__ = ["A1111_TEST_PAYLOADS", "PERSONALITIES", "Personality"]
