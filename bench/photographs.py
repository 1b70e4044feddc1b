"""Eight photographs as A1111 saves its pictures: square PNGs with a `parameters` text, and the answer they come in."""

from __future__ import annotations

import base64
import io
import json
import sys
from importlib.util import find_spec
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

# The colour photographs that scikit-image's wheel holds; nothing is downloaded.
NAMES = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)

_PARAMETERS = {
    "prompt": "a lighthouse at sunset, oil on canvas",
    "negative_prompt": "blurry, text",
    "steps": 20,
    "sampler_name": "Euler a",
    "cfg_scale": 7.0,
    "seed": 1234,
}


def photographs(side: int) -> dict[str, bytes]:
    """The photographs by name, each a PNG of `side` by `side` pixels."""
    folder = _folder()
    return {name: _as_saved(folder / name, side) for name in NAMES}


def answer(png: bytes, side: int) -> bytes:
    """A1111's answer to txt2img that holds this one picture."""
    parameters = {**_PARAMETERS, "width": side, "height": side, "batch_size": 1, "n_iter": 1, "styles": None}
    info = {**parameters, "all_seeds": [1234], "index_of_first_image": 0, "infotexts": [_text(side)]}
    document = {"images": [base64.b64encode(png).decode()], "parameters": parameters, "info": json.dumps(info)}
    return json.dumps(document).encode()


def _folder() -> Path:
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        sys.exit("The photographs come with scikit-image: pip install -r bench/requirements.txt")
    return Path(spec.origin).parent / "data"


def _as_saved(path: Path, side: int) -> bytes:
    with Image.open(path) as image:
        square = min(image.size)
        left, top = (image.width - square) // 2, (image.height - square) // 2
        box = (left, top, left + square, top + square)
        picture = image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS, box)
    text = PngInfo()
    text.add_text("parameters", _text(side))
    out = io.BytesIO()
    picture.save(out, "PNG", pnginfo=text)
    return out.getvalue()


def _text(side: int) -> str:
    told = _PARAMETERS
    return (
        f"{told['prompt']}\nNegative prompt: {told['negative_prompt']}\n"
        f"Steps: {told['steps']}, Sampler: {told['sampler_name']}, CFG scale: {told['cfg_scale']}, "
        f"Seed: {told['seed']}, Size: {side}x{side}"
    )
