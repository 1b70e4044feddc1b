"""koboldcpp: sizes in steps of 64, one picture, no info, paths known by their end, busy is 503."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from fakes.a1111 import Reply, Seen
from fakes.personalities import drawing
from fakes.personalities.generation import seed_of
from fakes.personalities.personality import Personality, Refused, Routes, fixed, page, tell
from fakes.pictures import b64

MODEL = "sd15-q4"
STEP, LARGEST = 64, 1024
BUSY = {"msg": "Server is busy; please try again later.", "type": "service_unavailable"}
LOST = "Error: KoboldCpp HTTP Server is running, but this endpoint does not exist. Please check the URL."
LISTS: dict[str, Any] = {
    "/sdapi/v1/sd-models": [
        {
            "title": MODEL,
            "model_name": MODEL,
            "hash": "8888888888",
            "sha256": "8" * 64,
            "filename": f"{MODEL}.gguf",
            "config": None,
        }
    ],
    "/sdapi/v1/options": {"samples_format": "png", "sd_model_checkpoint": MODEL},
    "/sdapi/v1/samplers": [
        {"name": "Euler", "aliases": ["k_euler"], "options": {}},
        {"name": "Euler a", "aliases": ["k_euler_a", "k_euler_ancestral"], "options": {}},
    ],
    "/sdapi/v1/latent-upscale-modes": [],
    "/sdapi/v1/upscalers": [],
}


class KoboldCpp(Personality):
    """`failing` answers an empty text for a picture, with 200. The password does not cover pictures."""

    name = "koboldcpp"
    info_form = "empty"
    slash_status = 200
    smallest: ClassVar[dict[str, Any]] = {}
    more_headers = (
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "*"),
        ("access-control-allow-headers", "*, Accept, Content-Type, Content-Length, Accept-Encoding, Authorization"),
    )
    not_found = LOST.encode()

    def __init__(self, credentials: tuple[str, str] | None = None, busy: bool = False, failing: bool = False) -> None:
        super().__init__(credentials, busy)
        self.failing = failing

    def make_routes(self) -> Routes:
        home, caption = page("KoboldCpp"), tell({"caption": "a square"})
        return {
            **{path: {"GET": fixed(document)} for path, document in LISTS.items()},
            "/": {"GET": lambda _: home},
            "/sdapi/v1/txt2img": {"POST": self.generate},
            "/sdapi/v1/img2img": {"POST": self.generate},
            "/sdapi/v1/interrogate": {"POST": lambda _: caption},
        }

    def answer(self, seen: Seen) -> Reply:
        if seen.method in ("OPTIONS", "HEAD"):
            return page("")
        if seen.method == "POST" and self.busy:
            raise Refused(503, BUSY)
        return super().answer(seen)

    def find(self, path: str) -> str:
        path = path.rstrip("/") or "/"
        return next((known for known in self.routes if known != "/" and path.endswith(known)), path)

    def missing(self, seen: Seen | None = None) -> Reply:
        return page(LOST, 404, "text/html")

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        return _fit(width), _fit(height)

    def count_of(self, batch_size: int = 1, n_iter: int = 1) -> int:
        return 1

    def generate(self, seen: Seen) -> Reply:
        """Whatever is wrong with a field, there is a default; only what is no JSON at all is refused."""
        try:
            asked = json.loads(seen.body)
        except ValueError as error:
            raise Refused(500, {"msg": "Error parsing input.", "type": "bad_input"}) from error
        asked = asked if isinstance(asked, dict) else {}
        size = self.size_of(_number(asked.get("width"), 512), _number(asked.get("height"), 512))
        seed = seed_of({"seed": _number(asked.get("seed"), -1), "prompt": str(asked.get("prompt"))})
        image = "" if self.failing else b64(drawing.picture("PNG", size, seed, ""))
        return tell({"images": [image], "parameters": {}, "info": "", "animated": False})


def _number(value: Any, default: int) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return default


def _fit(side: int) -> int:
    return min(max(side // STEP * STEP, STEP), LARGEST)
