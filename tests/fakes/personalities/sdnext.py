"""SD.Next: JPEG unless told otherwise, 204 where A1111 says nothing in JSON, and a fourth shape of errors."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from fakes.a1111 import Reply, Seen
from fakes.personalities import lists
from fakes.personalities.a1111 import A1111, SDAPI
from fakes.personalities.fields import read_object
from fakes.personalities.personality import Crashed, Refused, Routes, fixed, tell

LACKING = (
    *("latent-upscale-modes", "hypernetworks", "realesrgan-models", "refresh-embeddings"),
    *("create/embedding", "create/hypernetwork", "train/embedding", "train/hypernetwork"),
)
LACKING_OUTSIDE = (
    *("/internal/ping", "/internal/pending-tasks", "/internal/quicksettings-hint", "/internal/profile-startup"),
    *("/controlnet/version", "/controlnet/model_list"),
)
SILENT = (
    *("interrupt", "skip", "refresh-checkpoints", "refresh-vae", "refresh-loras"),
    *("unload-checkpoint", "reload-checkpoint"),
)
EXTRA = {
    "version": {
        "app": "sd.next",
        "updated": "2026-07-23",
        "hash": "0565909",
        "url": "https://github.com/vladmandic/sdnext",
    },
    "log": ["Startup"],
    "platform": {"arch": "x86_64", "system": "Linux", "python": "3.12.4"},
}
LONG = 1000


class SdNext(A1111):
    name = "sdnext"
    version = "0565909"
    picture_format = "JPEG"
    interrupt_status = 204
    # What pydantic refuses has FastAPI's shape here as well; the server's own refusals have the fourth one.
    wrong: ClassVar[bytes | None] = b'{"sampler_name": "nobody"}'
    wrong_status = 404
    gzip_from = 2048
    more_headers = (("x-process-time", "0.25"),)

    def __init__(self, credentials: tuple[str, str] | None = None, busy: bool = False) -> None:
        super().__init__(credentials, busy)
        self.options["samples_format"] = "jpg"

    def make_routes(self) -> Routes:
        lacking = {*(f"{SDAPI}/{name}" for name in LACKING), *LACKING_OUTSIDE}
        routes = {path: methods for path, methods in super().make_routes().items() if path not in lacking}
        routes |= {f"{SDAPI}/{name}": {"POST": lambda _: Reply(204, b"", ())} for name in SILENT}
        routes |= {f"{SDAPI}/{name}": {"GET": fixed(document)} for name, document in EXTRA.items()}
        flags = {"port": 7860, "listen": True, "auth": "user:secret", "auth_file": None, "subpath": None}
        return {**routes, f"{SDAPI}/cmd-flags": {"GET": fixed(flags)}}

    def check(self, route: str, fields: dict[str, Any]) -> None:
        names = [entry["name"] for entry in lists.SAMPLERS]
        if (fields["sampler_name"] or fields["sampler_index"]) not in names:
            raise Refused(404, "Sampler not found")
        if route != "img2img" or fields["init_images"] is not None:
            super().check(route, fields)

    def generate(self, route: str, seen: Seen) -> Reply:
        if route == "img2img" and read_object(seen, self.rules).get("init_images") is None:
            return tell({"error": "Init image is none"}, 400)
        return super().generate(route, seen)

    def echo(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Long texts in the arguments of scripts are masked."""
        scripts = {
            name: {**script, "args": _mask(script["args"])} if isinstance(script, dict) and "args" in script else script
            for name, script in (fields["alwayson_scripts"] or {}).items()
        }
        return {**fields, "script_args": _mask(fields["script_args"]), "alwayson_scripts": scripts}

    def set_options(self, seen: Seen) -> Reply:
        given = read_object(seen, self.rules)
        updated = []
        for key, value in given.items():
            updated.append({key: key in self.options and self.options[key] != value})
            if key in self.options:
                self.options[key] = value
        return tell({"updated": updated})

    def progress(self, seen: Seen) -> Reply:
        document = json.loads(super().progress(seen).body)
        return tell({"id": self.running if self.busy else "", **document})

    def unauthorized(self, words: str) -> Refused:
        return Refused(401, "Unauthorized" if words.startswith("Incorrect") else words)

    def refusal(self, refused: Refused) -> Reply:
        return self._error("HTTPException", refused.status, refused.detail, str(refused))

    def crash(self, crashed: Crashed) -> Reply:
        if crashed.kind == "TypeError":
            return tell(crashed.words, 500)
        return self._error(crashed.kind, 500, "", crashed.words)

    def _error(self, kind: str, code: int, detail: str, errors: str) -> Reply:
        return tell({"error": kind, "code": code, "detail": detail, "body": "", "errors": errors}, code)


def _mask(values: Any) -> Any:
    if not isinstance(values, list):
        return values
    return [f"<str {len(value)}>" if isinstance(value, str) and len(value) >= LONG else value for value in values]
