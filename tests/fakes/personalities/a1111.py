"""AUTOMATIC1111 1.10.1, with its UI, --api and ControlNet; the rest of the family is derived from it."""

from __future__ import annotations

import base64
import binascii
from collections import deque
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from fakes.a1111 import Reply, Seen
from fakes.personalities import drawing, lists
from fakes.personalities.fields import Lenient, Strict, read_body, read_object
from fakes.personalities.generation import (
    Studio,
    check_images,
    check_numbers,
    check_scripts,
    enlarged,
    names_of,
)
from fakes.personalities.personality import (
    IMG2IMG,
    TXT2IMG,
    Crashed,
    Headers,
    Invalid,
    Personality,
    Refused,
    Routes,
    fixed,
    page,
    tell,
)
from fakes.personalities.words import parse_infotext
from fakes.pictures import b64, encode

SDAPI = "/sdapi/v1"
LISTS: dict[str, Any] = {
    "samplers": lists.SAMPLERS,
    "schedulers": lists.SCHEDULERS,
    "upscalers": lists.UPSCALERS,
    "latent-upscale-modes": lists.LATENT_UPSCALE_MODES,
    "sd-models": lists.MODELS,
    "sd-vae": lists.VAES,
    "hypernetworks": [],
    "face-restorers": lists.FACE_RESTORERS,
    "realesrgan-models": [{"name": "R-ESRGAN 4x+", "path": None, "scale": 4}],
    "prompt-styles": lists.STYLES,
    "embeddings": lists.EMBEDDINGS,
    "loras": lists.LORAS,
    "scripts": lists.SCRIPTS,
    "script-info": lists.SCRIPT_INFO,
    "extensions": lists.EXTENSIONS,
    "memory": lists.MEMORY,
    "cmd-flags": lists.FLAGS,
}
OUTSIDE: dict[str, Any] = {
    "/config": lists.CONFIG,
    "/internal/ping": {},
    "/internal/quicksettings-hint": [],
    "/internal/profile-startup": {"total": 1.5, "records": {}},
    "/controlnet/version": {"version": 3},
    "/controlnet/model_list": {"model_list": []},
    "/openapi.json": {"openapi": "3.0.2", "info": {"title": "FastAPI", "version": "0.1.0"}, "paths": {}},
}
POSTS: dict[str, Any] = {
    "interrupt": {},
    "skip": None,
    **dict.fromkeys(("refresh-embeddings", "refresh-checkpoints", "refresh-vae", "refresh-loras")),
    **{f"{verb}-checkpoint": {} for verb in ("unload", "reload")},
    **{f"create/{kind}": {"info": f"create {kind} filename: None"} for kind in ("embedding", "hypernetwork")},
    **{f"train/{kind}": {"info": f"train {kind} complete"} for kind in ("embedding", "hypernetwork")},
}


class A1111(Personality):
    """`busy` shows in progress; `pending` are ids that wait; finished ids are remembered, the last sixteen."""

    name = "a1111"
    version = "v1.10.1"
    interrupt_status: int | None = 200
    slash_status = 307
    wrong_method_status = 405
    not_found = b'{"detail":"Not Found"}'
    smallest: ClassVar[dict[str, Any]] = {}
    wrong: ClassVar[bytes | None] = b'{"steps": "many"}'
    scheme = "Basic"
    gzip_from = 1000
    puts_grid_first = True
    more_headers: Headers = (("x-process-time", "0.25"),)
    rules: Lenient | Strict = Lenient()
    crash_words = "errors"  # the key under which a crash tells its words

    def __init__(self, credentials: tuple[str, str] | None = None, busy: bool = False) -> None:
        self.options = dict(lists.OPTIONS)
        self.running = "task(txt2img-running)"
        self.pending: list[str] = []
        self.finished: deque[str] = deque(maxlen=16)
        super().__init__(credentials, busy)

    def make_routes(self) -> Routes:
        gets = {f"{SDAPI}/{name}": document for name, document in LISTS.items()} | OUTSIDE
        routes: Routes = {path: {"GET": fixed(document)} for path, document in gets.items()}
        routes |= {f"{SDAPI}/{name}": {"POST": fixed(document)} for name, document in POSTS.items()}
        home = page(lists.HOME)
        return routes | {
            "/": {"GET": lambda _: home, "HEAD": lambda _: home},
            TXT2IMG: {"POST": lambda seen: self.generate("txt2img", seen)},
            IMG2IMG: {"POST": lambda seen: self.generate("img2img", seen)},
            f"{SDAPI}/options": {"GET": lambda _: tell(self.options), "POST": self.set_options},
            f"{SDAPI}/progress": {"GET": self.progress},
            f"{SDAPI}/png-info": {"POST": self.png_info},
            f"{SDAPI}/interrogate": {"POST": self.interrogate},
            f"{SDAPI}/extra-single-image": {"POST": self.extra_image},
            f"{SDAPI}/extra-batch-images": {"POST": self.extra_images},
            "/internal/progress": {"POST": self.task},
            "/internal/pending-tasks": {"GET": lambda _: tell({"size": len(self.pending), "tasks": self.pending})},
        }

    @property
    def studio(self) -> Studio:
        return Studio(self.options, self.version)

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        return width // 8 * 8, height // 8 * 8

    def generate(self, route: str, seen: Seen) -> Reply:
        fields = read_body(seen, self.rules, route)
        self.check(route, fields)
        check_numbers(fields, self.options)
        if route == "img2img":
            check_images(fields)
        size = enlarged(fields, self.size_of(fields["width"], fields["height"]))
        images, info = self.studio.generate(fields, size)
        if fields["force_task_id"]:
            self.finished.append(fields["force_task_id"])
        if route == "img2img" and not fields["include_init_images"]:
            fields |= {"init_images": None, "mask": None}
        return tell({"images": images, "parameters": self.echo(fields), "info": info})

    def check(self, route: str, fields: dict[str, Any]) -> None:
        """Raises Refused."""
        check_scripts(fields, route)
        if route == "img2img" and fields["init_images"] is None:
            raise Refused(404, "Init image not found")

    def echo(self, fields: dict[str, Any]) -> dict[str, Any]:
        """What `parameters` tells."""
        return fields

    def set_options(self, seen: Seen) -> Reply:
        given = read_object(seen, self.rules)
        checkpoint = given.get("sd_model_checkpoint")
        if checkpoint is not None and not any(checkpoint in names_of(model) for model in lists.MODELS):
            raise Crashed("RuntimeError", f"model {checkpoint!r} not found")
        for key, value in given.items():
            if key not in self.options:
                raise Crashed("KeyError", f"'{key}'")
            self.options[key] = value
        return tell(None)

    def progress(self, seen: Seen) -> Reply:
        query = dict(parse_qsl(seen.target.partition("?")[2], keep_blank_values=True))
        name = "skip_current_image"
        try:
            without_image = self.rules.take(name, "boolean", query.get(name, "false"))
        except Invalid as invalid:
            raise Invalid(*({**fault, "loc": ["query", name]} for fault in invalid.faults)) from invalid
        state = {
            "skipped": False,
            "interrupted": False,
            "stopping_generation": False,
            "job": "scripts_txt2img" if self.busy else "",
            "job_count": 1 if self.busy else 0,
            "job_timestamp": "20240727120000",
            "job_no": 0,
            "sampling_step": 10,
            "sampling_steps": 20,
        }
        image = b64(drawing.preview(self.studio.form)) if self.busy and not without_image else None
        numbers = {"progress": 0.51, "eta_relative": 2.5} if self.busy else {"progress": 0.0, "eta_relative": 0.0}
        return tell({**numbers, "state": state, "current_image": image, "textinfo": None})

    def task(self, seen: Seen) -> Reply:
        """The progress of one task; of one that nobody knows it says that it waits."""
        fields = read_body(seen, self.rules, "internal/progress")
        identity = fields["id_task"]
        active, queued = self.busy and identity == self.running, identity in self.pending
        said = {"active": active, "queued": queued, "completed": identity in self.finished}
        if active:
            preview = "data:image/png;base64," + b64(drawing.preview("PNG"))
            return tell(
                {**said, "progress": 0.51, "eta": 2.5, "live_preview": preview, "id_live_preview": 1, "textinfo": None}
            )
        words = f"In queue: {self.pending.index(identity) + 1}/{len(self.pending)}" if queued else "Waiting..."
        return tell(
            {**said, "progress": None, "eta": None, "live_preview": None, "id_live_preview": -1, "textinfo": words}
        )

    def png_info(self, seen: Seen) -> Reply:
        image = self.read_image(read_body(seen, self.rules, "png-info")["image"])
        words, items = drawing.read_words(image)
        return tell({"info": words or "", "items": items, "parameters": parse_infotext(words or "")})

    def interrogate(self, seen: Seen) -> Reply:
        fields = read_body(seen, self.rules, "interrogate")
        if len(fields["image"] or "") < 64:
            raise Refused(404, "Image not found")
        self.read_image(fields["image"])
        if fields["model"] not in ("clip", "deepdanbooru"):
            raise Refused(404, "Model not found")
        return tell({"caption": "a square with a corner of another colour"})

    def extra_image(self, seen: Seen) -> Reply:
        fields = read_body(seen, self.rules, "extra-single-image")
        return tell({"html_info": "<p>Upscale</p>", "image": self.upscale(fields["image"], fields)})

    def extra_images(self, seen: Seen) -> Reply:
        fields = read_body(seen, self.rules, "extra-batch-images")
        images = [self.upscale(entry["data"], fields) for entry in fields["imageList"]]
        return tell({"html_info": "<p>Upscale</p>", "images": images})

    def upscale(self, text: str, fields: dict[str, Any]) -> str:
        image = self.read_image(text).convert("RGB")
        size = (int(image.width * fields["upscaling_resize"]), int(image.height * fields["upscaling_resize"]))
        return b64(encode(image.resize(size), self.studio.form))

    def read_image(self, text: str) -> Any:
        try:
            return drawing.read_picture(text)
        except ValueError as error:
            raise Refused(500, "Invalid encoded image") from error

    def check_credentials(self, seen: Seen, path: str) -> None:
        # Extensions add their routes without the dependency that asks for credentials.
        if self.credentials is None or not path.startswith(SDAPI) or path.endswith("loras"):
            return
        scheme, _, value = (seen.header("authorization") or "").partition(" ")
        if scheme.lower() != "basic":
            raise self.unauthorized("Not authenticated")
        try:
            user, colon, password = base64.b64decode(value).decode("ascii").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            colon = ""
        if not colon:
            raise self.unauthorized("Invalid authentication credentials")
        if (user, password) != self.credentials:
            raise self.unauthorized("Incorrect username or password")

    def unauthorized(self, words: str) -> Refused:
        return Refused(401, words, ("www-authenticate", "Basic"))

    def missing(self, seen: Seen | None = None) -> Reply:
        return (seen and self.slashless(seen)) or tell({"detail": "Not Found"}, 404)

    def wrong_method(self, seen: Seen, allowed: str) -> Reply:
        if seen.method == "OPTIONS" and seen.header("origin") and seen.header("access-control-request-method"):
            return page("Disallowed CORS origin", 400, "text/plain; charset=utf-8", ("vary", "Origin"))
        return tell({"detail": "Method Not Allowed"}, 405, ("allow", allowed))

    def refusal(self, refused: Refused) -> Reply:
        # The handler rebuilds the answer, and loses WWW-Authenticate.
        return tell({"error": "HTTPException", "detail": refused.detail, "body": "", "errors": ""}, refused.status)

    def crash(self, crashed: Crashed) -> Reply:
        return tell({"error": crashed.kind, "detail": "", "body": "", self.crash_words: crashed.words}, 500)
