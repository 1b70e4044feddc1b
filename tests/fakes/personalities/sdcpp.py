"""The server of stable-diffusion.cpp: a prompt is a must, `error` is all it says, and little beside generation."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from fakes.a1111 import Reply, Seen
from fakes.personalities import drawing, lists
from fakes.personalities.generation import seed_of
from fakes.personalities.personality import (
    IMG2IMG,
    TXT2IMG,
    Crashed,
    Headers,
    Personality,
    Refused,
    Routes,
    fixed,
    page,
    tell,
)
from fakes.pictures import b64

MODEL = "v1-5-pruned-emaonly"
SAMPLERS = ("default", "euler", "euler_a", "heun", "dpm2", "dpm++2m", "lcm")
SCHEDULERS = ("default", "discrete", "normal", "karras", "exponential")
DEFAULTS: dict[str, Any] = {
    "prompt": "",
    "negative_prompt": "",
    "width": 512,
    "height": 512,
    "steps": 20,
    "cfg_scale": 7.0,
    "seed": -1,
    "batch_size": 1,
    "clip_skip": -1,
    "sampler_name": "",
    "scheduler": "",
}
LISTS: dict[str, Any] = {
    "/sdapi/v1/loras": [{"name": "ink", "path": "ink.safetensors"}],
    "/sdapi/v1/upscalers": [{**upscaler, "scale": 4} for upscaler in lists.UPSCALERS],
    "/sdapi/v1/latent-upscale-modes": lists.LATENT_UPSCALE_MODES,
    "/sdapi/v1/samplers": [{"name": name, "aliases": [name], "options": {}} for name in SAMPLERS],
    "/sdapi/v1/schedulers": [{"name": name, "label": name} for name in SCHEDULERS],
    "/sdapi/v1/sd-models": [
        {
            "title": MODEL,
            "model_name": MODEL,
            "filename": f"{MODEL}.safetensors",
            "hash": "8888888888",
            "sha256": "8" * 64,
            "config": None,
        }
    ],
    "/sdapi/v1/options": {"samples_format": "png", "sd_model_checkpoint": MODEL},
}


class SdCpp(Personality):
    name = "sdcpp"
    smallest: ClassVar[dict[str, Any]] = {"prompt": "a"}
    wrong: ClassVar[bytes | None] = b'{"prompt": ""}'
    wrong_status = 400
    crashes_outside = False

    def make_routes(self) -> Routes:
        home = page("Stable Diffusion Server is running", kind="text/plain")
        # cpp-httplib answers HEAD wherever there is a GET.
        routes: Routes = {path: {"GET": fixed(told), "HEAD": fixed(told)} for path, told in LISTS.items()}
        return {
            **routes,
            "/": {"GET": lambda _: home, "HEAD": lambda _: home},
            TXT2IMG: {"POST": lambda seen: self.generate(seen, "txt2img")},
            IMG2IMG: {"POST": lambda seen: self.generate(seen, "img2img")},
        }

    def answer(self, seen: Seen) -> Reply:
        return Reply(204, b"", ()) if seen.method == "OPTIONS" else super().answer(seen)

    def headers_for(self, seen: Seen) -> Headers:
        """Any origin is let in, with credentials."""
        origin = seen.header("origin") or "*"
        return ("access-control-allow-origin", origin), ("access-control-allow-credentials", "true")

    def count_of(self, batch_size: int = 1, n_iter: int = 1) -> int:
        return batch_size

    def generate(self, seen: Seen, route: str) -> Reply:
        if not seen.body:
            raise Refused(400, "empty body")
        asked = _parse(seen.body)
        fields = {name: _value(asked, name, default) for name, default in DEFAULTS.items()}
        if min(fields["width"], fields["height"]) <= 0:
            raise Refused(400, "width and height must be positive")
        if not fields["prompt"]:
            raise Refused(400, "prompt required")
        seeds = [seed_of(fields) + place for place in range(fields["batch_size"])]
        words = [_infotext(fields, seed) for seed in seeds]
        size = (int(fields["width"]), int(fields["height"]))
        images = [drawing.picture("PNG", size, seed, text) for seed, text in zip(seeds, words, strict=True)]
        info = _info(fields, seeds, words) | ({"denoising_strength": 0.75} if route == "img2img" else {})
        return tell({"images": [b64(image) for image in images], "info": json.dumps(info), "parameters": asked})

    def refusal(self, refused: Refused) -> Reply:
        return tell({"error": refused.detail}, refused.status)

    def crash(self, crashed: Crashed) -> Reply:
        return tell({"error": "server_error", "message": crashed.words}, 500)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as error:
        words = "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error"
        raise Crashed("parse_error", words) from error
    if not isinstance(document, dict):
        kind = "array" if isinstance(document, list) else "string"
        raise Crashed("type_error", f"[json.exception.type_error.306] cannot use value() with {kind}")
    return document


def _value(asked: dict[str, Any], name: str, default: Any) -> Any:
    """The value, or the default where the key is missing; null is no default. Raises Crashed."""
    value = asked.get(name, default)
    wanted, kind = ("string", str) if isinstance(default, str) else ("number", (int, float))
    if isinstance(value, kind):
        return int(value) if isinstance(default, int) else value
    found = {type(None): "null", str: "string", list: "array", dict: "object"}.get(type(value), "number")
    raise Crashed("type_error", f"[json.exception.type_error.302] type must be {wanted}, but is {found}")


def _infotext(fields: dict[str, Any], seed: int) -> str:
    negative = f"\nNegative prompt: {fields['negative_prompt']}" if fields["negative_prompt"] else ""
    numbers = f"Steps: {fields['steps']}, CFG scale: {fields['cfg_scale']}, Seed: {seed}"
    rest = f"Size: {fields['width']}x{fields['height']}, Model: {MODEL}, Sampler: euler_a"
    return f"{fields['prompt']}{negative}\n{numbers}, {rest}, Version: stable-diffusion.cpp"


def _info(fields: dict[str, Any], seeds: list[int], words: list[str]) -> dict[str, Any]:
    negative = {"negative_prompt": fields["negative_prompt"]} if fields["negative_prompt"] else {}
    return {
        "prompt": fields["prompt"],
        **negative,
        "seed": seeds[0],
        **{name: fields[name] for name in ("cfg_scale", "width", "height", "steps")},
        "sampler_name": "euler_a",
        "sd_model_name": f"{MODEL}.safetensors",
        "version": "stable-diffusion.cpp",
        "infotexts": words,
        "all_prompts": [fields["prompt"]] * len(seeds),
        "all_negative_prompts": [fields["negative_prompt"]] * len(seeds),
        "all_seeds": seeds,
    }
