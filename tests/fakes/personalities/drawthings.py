"""Draw Things: refuses every key that it does not know, answers nothing but pictures, and has one shape of errors."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from fakes.a1111 import Reply, Seen
from fakes.personalities import drawing
from fakes.personalities.generation import seed_of
from fakes.personalities.personality import IMG2IMG, TXT2IMG, Personality, Refused, Routes, tell
from fakes.pictures import b64

STEP = 64
# Each with its other name, if A1111 calls it differently.
ALIASES: dict[str, tuple[str, ...]] = {
    "guidance_scale": ("cfg_scale",),
    "batch_count": ("n_iter",),
    "sampler": ("sampler_name", "sampler_index"),
    "strength": ("denoising_strength",),
    "hires_fix": ("enable_hr",),
    "hires_fix_width": ("firstphase_width",),
    "hires_fix_height": ("firstphase_height",),
    "upscaler_scale": ("upscaler_scale_factor",),
}
PARAMETERS: dict[str, Any] = {
    "prompt": "",
    "negative_prompt": "",
    "model": "sd_v1.5_f16.ckpt",
    "sampler": "DPM++ 2M Karras",
    "seed": 1,
    "seed_mode": "Scale Alike",
    "steps": 20,
    "width": 512,
    "height": 512,
    "guidance_scale": 7.5,
    "strength": 0.7,
    "batch_count": 1,
    "batch_size": 1,
    "clip_skip": 1,
    "image_guidance": 1.5,
    "upscaler": None,
    "hires_fix": False,
    "hires_fix_width": 512,
    "hires_fix_height": 512,
    "hires_fix_strength": 0.7,
    "mask_blur": 1.5,
    "mask_blur_outset": 0,
    "sharpness": 0.0,
    "shift": 1.0,
    "upscaler_scale": 0,
    "refiner_model": None,
    "refiner_start": 0.7,
    "tiled_decoding": False,
    "tiled_diffusion": False,
    "loras": [],
    "controls": [],
    "preserve_original_after_inpaint": True,
}
NUMBERS = [
    name for name, value in PARAMETERS.items() if isinstance(value, (int, float)) and not isinstance(value, bool)
]


class DrawThings(Personality):
    name = "drawthings"
    info_form = "absent"
    has_parameters = False
    smallest: ClassVar[dict[str, Any]] = {}
    wrong: ClassVar[bytes | None] = b'{"prompt": "a", "display": "st7789-240x240"}'

    def make_routes(self) -> Routes:
        dump = tell(PARAMETERS)
        return {
            "/": {"GET": lambda _: dump},
            "/sdapi/v1/options": {"GET": lambda _: dump},
            TXT2IMG: {"POST": lambda seen: self.generate(seen, from_image=False)},
            IMG2IMG: {"POST": lambda seen: self.generate(seen, from_image=True)},
        }

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        return width // STEP * STEP, height // STEP * STEP

    def generate(self, seen: Seen, from_image: bool) -> Reply:
        try:
            asked = json.loads(seen.body)
        except ValueError as error:
            raise Refused(422, "dataCorrupted: The given data was not valid JSON.") from error
        if not isinstance(asked, dict):
            raise Refused(422, "typeMismatch: Expected to decode Dictionary<String, Any>")
        fields = {**PARAMETERS, **_known(asked)}
        _check_numbers(fields)
        _check_images(asked.get("init_images"), from_image, (fields["width"], fields["height"]))
        seed = seed_of({"seed": fields["seed"], "prompt": fields["prompt"] or ""})
        size = self.size_of(fields["width"], fields["height"])
        count = self.count_of(fields["batch_size"], fields["batch_count"])
        return tell({"images": [b64(drawing.picture("PNG", size, seed + place, "")) for place in range(count)]})

    def refusal(self, refused: Refused) -> Reply:
        return tell({"error": "HTTPException", "detail": refused.detail, "body": "", "errors": ""}, refused.status)


def _known(asked: dict[str, Any]) -> dict[str, Any]:
    """The values under this server's own names. Raises Refused."""
    taken, left = {}, [key for key in asked if key not in ("restore_faces", "init_images")]
    for name in PARAMETERS:
        names = (name, *ALIASES.get(name, ()))
        present = [key for key in names if key in left]
        if len(present) > 1:
            raise Refused(422, f"More than one key for {name} specified (must only specify one of {_listed(names)})")
        if present:
            taken[name] = asked[present[0]]
            left.remove(present[0])
    if left:
        raise Refused(422, f"Unrecognized keys: {_listed(left)}")
    return taken


def _listed(names: Any) -> str:
    return json.dumps(list(names), ensure_ascii=False)


def _check_numbers(fields: dict[str, Any]) -> None:
    for name in NUMBERS:
        if not isinstance(fields[name], (int, float)) or isinstance(fields[name], bool):
            raise Refused(422, f"typeMismatch: Expected to decode a number for {name}")
    for name, least, most in (("width", 128, 8192), ("height", 128, 8192), ("steps", 1, 150), ("batch_size", 1, 4)):
        if not least <= fields[name] <= most:
            raise Refused(422, f"{name} must be between {least} and {most}")


def _check_images(images: Any, from_image: bool, size: tuple[int, int]) -> None:
    if images is not None and not from_image:
        raise Refused(422, "init_images is not supported for text-to-image")
    if not images or len(images) != 1:
        return
    try:
        image = drawing.read_picture(images[0])
    except (ValueError, AttributeError) as error:
        raise Refused(422, "Data in init_images did not represent a valid image") from error
    for name, is_, wanted in (("height", image.height, size[1]), ("width", image.width, size[0])):
        if is_ != wanted:
            raise Refused(422, f"init_images {name} doesn't match {is_} from the parameter {wanted}")
