"""Xinference: a model in every request, `info` an object, `detail` for errors, a token instead of a password."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from fakes.a1111 import Reply, Seen
from fakes.personalities import drawing
from fakes.personalities.generation import seed_of
from fakes.personalities.personality import IMG2IMG, TXT2IMG, Crashed, Personality, Refused, Routes, fixed, page, tell
from fakes.pictures import b64

MODEL = "sd-turbo"
CREATED = 1722081600


class Xinference(Personality):
    """The password of `credentials` is the token."""

    name = "xinference"
    info_form = "object"
    slash_status = 307
    wrong_method_status = 405
    not_found = b'{"detail":"Not Found"}'
    smallest: ClassVar[dict[str, Any]] = {"model": MODEL}
    wrong: ClassVar[bytes | None] = b'{"prompt": "a"}'
    wrong_status = 400
    scheme = "Bearer"

    def make_routes(self) -> Routes:
        samplers: list[dict[str, Any]] = [
            {"name": name, "alias": [], "options": {}} for name in ("default", "DPM++ 2M", "Euler a")
        ]
        home = page("<html><title>Xinference</title></html>")
        return {
            "/": {"GET": lambda _: home},
            "/sdapi/v1/sd-models": {"GET": fixed([{"model_name": MODEL, "config": None}])},
            "/sdapi/v1/samplers": {"GET": fixed(samplers)},
            "/sdapi/v1/options": {"POST": self.set_options},
            TXT2IMG: {"POST": self.generate},
            IMG2IMG: {"POST": self.generate},
        }

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        return width // 8 * 8, height // 8 * 8

    def count_of(self, batch_size: int = 1, n_iter: int = 1) -> int:
        return 1

    def generate(self, seen: Seen) -> Reply:
        fields = {"prompt": "", "seed": -1, "width": 512, "height": 512, **_read(seen)}
        if not (fields.get("model") or (fields.get("override_settings") or {}).get("sd_model_checkpoint")):
            raise Refused(400, "Unknown model")
        if self.busy:
            raise Refused(503, "Rate limit reached for the model. Please try again later.", ("retry-after", "5"))
        size = self.size_of(fields["width"], fields["height"])
        image = drawing.picture("PNG", size, seed_of(fields), "")
        return tell({"images": [b64(image)], "info": {"created": CREATED}, "parameters": {}})

    def set_options(self, seen: Seen) -> Reply:
        if not _read(seen).get("sd_model_checkpoint"):
            raise Refused(400, "Unknown model")
        return Reply(200, b"", ())

    def check_credentials(self, seen: Seen, path: str) -> None:
        scheme, _, token = (seen.header("authorization") or "").partition(" ")
        if self.credentials and path != "/" and (scheme.lower(), token) != ("bearer", self.credentials[1]):
            words = "Could not validate credentials" if scheme.lower() == "bearer" else "Not authenticated"
            raise Refused(401, words, ("www-authenticate", "Bearer"))

    def missing(self, seen: Seen | None = None) -> Reply:
        return (seen and self.slashless(seen)) or tell({"detail": "Not Found"}, 404)

    def wrong_method(self, seen: Seen, allowed: str) -> Reply:
        return tell({"detail": "Method Not Allowed"}, 405, ("allow", allowed))


def _read(seen: Seen) -> dict[str, Any]:
    try:
        document = json.loads(seen.body)
    except ValueError as error:
        raise Crashed("JSONDecodeError", str(error)) from error
    if not isinstance(document, dict):
        raise Crashed("ValidationError", "Input should be a valid dictionary")
    for name in ("width", "height", "steps"):
        if name in document and not isinstance(document[name], int):
            raise Refused(400, f"{name}: Input should be a valid integer")
    return document
