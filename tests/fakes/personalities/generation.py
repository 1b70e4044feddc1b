"""How the A1111 family generates: the checks, the pictures in their order, and what is told about them."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

from fakes.personalities import drawing, lists
from fakes.personalities.personality import Crashed, Refused
from fakes.personalities.words import info_of, infotext
from fakes.pictures import b64


@dataclass(frozen=True)
class Studio:
    """A server's settings while it generates."""

    options: dict[str, Any]
    version: str

    @property
    def form(self) -> str:
        """What pictures are encoded as. Raises Refused."""
        wanted = str(self.options["samples_format"]).lower()
        if wanted not in drawing.FORMATS:
            raise Refused(500, "Invalid image format")
        return drawing.FORMATS[wanted]

    @property
    def model(self) -> dict[str, Any]:
        chosen = self.options["sd_model_checkpoint"]
        return next((model for model in lists.MODELS if chosen in names_of(model)), lists.MODELS[0])

    def generate(self, fields: dict[str, Any], size: tuple[int, int]) -> tuple[list[str], str]:
        """The pictures in base64, and `info`. The same fields give the same pictures."""
        count = fields["batch_size"] * fields["n_iter"]
        first = seed_of(fields)
        seeds = [first + place for place in range(count)]
        texts = [infotext(fields, seed, self.model, self.version) for seed in seeds]
        form = self.form
        pictures = [drawing.picture(form, size, seed, text) for seed, text in zip(seeds, texts, strict=True)]
        info = info_of(fields, seeds, texts, self.model, self.version)
        if fields["save_images"] and self.options["return_grid"] and count > 1:
            pictures.insert(0, drawing.grid(form, size, tuple(seeds), texts[0]))
            info |= {"index_of_first_image": 1, "infotexts": [texts[0], *texts]}
        pictures += [drawing.detect_map(size)] * _control_units(fields)
        return [b64(picture) for picture in pictures] if fields["send_images"] else [], json.dumps(info)


def names_of(model: dict[str, Any]) -> tuple[str, str, str]:
    """What a checkpoint may be called in an option."""
    return model["title"], model["model_name"], model["title"].partition(" [")[0]


def seed_of(fields: dict[str, Any]) -> int:
    """The seed that was asked for; a random one comes from the prompt, so that two runs are alike."""
    seed = fields["seed"]
    return zlib.crc32(fields["prompt"].encode()) if seed in (None, -1) else int(seed)


def enlarged(fields: dict[str, Any], size: tuple[int, int]) -> tuple[int, int]:
    """The size after the second pass, if one was asked for."""
    if not fields.get("enable_hr"):
        return size
    wanted = fields["hr_resize_x"], fields["hr_resize_y"]
    if any(wanted):
        ratio = size[0] / size[1]
        width, height = wanted[0] or int(wanted[1] * ratio), wanted[1] or int(wanted[0] / ratio)
    else:
        width, height = (int(side * fields["hr_scale"]) for side in size)
    return width // 8 * 8, height // 8 * 8


def check_scripts(fields: dict[str, Any], route: str) -> None:
    """Raises Refused."""
    name = fields["script_name"]
    if name and name.lower() not in lists.SELECTABLE[route]:
        raise Refused(422, f"Script '{name}' not found")
    for always_on in fields["alwayson_scripts"] or {}:
        if always_on.lower() not in lists.SCRIPTS[route]:
            raise Refused(422, f"Script '{always_on}' not found")
        if always_on.lower() in lists.SELECTABLE[route]:
            raise Refused(422, "Cannot have a selectable script in the always on scripts params")


def check_numbers(fields: dict[str, Any], options: dict[str, Any]) -> None:
    """What the models let through and the pipeline stumbles over. Raises Crashed."""
    for name in ("steps", "width", "height", "batch_size", "n_iter", "cfg_scale", "prompt"):
        if fields[name] is None:
            raise Crashed("TypeError", "unsupported operand type(s) for +: 'NoneType' and 'int'")
    for key in fields["override_settings"] or {}:
        if key not in options:
            raise Crashed("KeyError", f"'{key}'")
    if min(fields["width"], fields["height"]) < 8 or fields["steps"] < 1:
        raise Crashed("RuntimeError", "Trying to create tensor with negative dimension or of no size")
    if min(fields["batch_size"], fields["n_iter"]) < 1:
        raise Crashed("IndexError", "list index out of range")
    if fields["width"] * fields["height"] * fields["batch_size"] * fields["n_iter"] > drawing.LARGEST:
        raise Crashed("OutOfMemoryError", "CUDA out of memory. Tried to allocate 64.00 GiB")


def check_images(fields: dict[str, Any]) -> None:
    """What img2img starts from. Raises Refused."""
    for image in [*fields["init_images"], *([fields["mask"]] if fields["mask"] else [])]:
        if str(image).startswith(("http://", "https://")):
            raise Refused(500, "Request to local resource not allowed")
        try:
            drawing.read_picture(str(image))
        except ValueError as error:
            raise Refused(500, "Invalid encoded image") from error


def _control_units(fields: dict[str, Any]) -> int:
    scripts = {name.lower(): value for name, value in (fields["alwayson_scripts"] or {}).items()}
    units = (scripts.get("controlnet") or {}).get("args") or []
    return sum(1 for unit in units if isinstance(unit, dict) and unit.get("enabled", True))
