"""What A1111 tells about its pictures: infotext, `info`, and the PNG that carries the infotext."""

from __future__ import annotations

import io
import json
import time
from importlib.metadata import version
from typing import Any

from PIL import Image, PngImagePlugin

MODEL = "demo"
VERSION = f"pico-a1111-proxy {version('pico-a1111-proxy')}"


def infotext(fields: dict[str, Any], seed: int) -> str:
    """The text under a picture that was drawn from `fields` with `seed`; A1111 can read it back."""
    settings = {
        "Steps": fields["steps"],
        "Sampler": sampler(fields),
        "Schedule type": fields["scheduler"],
        "CFG scale": fields["cfg_scale"],
        "Seed": seed,
        "Size": f"{fields['width']}x{fields['height']}",
        "Model": MODEL,
        "Denoising strength": fields["denoising_strength"],
        "Version": VERSION,
    }
    told = ", ".join(f"{name}: {_quote(value)}" for name, value in settings.items() if value is not None)
    negative = f"\nNegative prompt: {fields['negative_prompt']}" if fields["negative_prompt"] else ""
    return f"{fields['prompt']}{negative}\n{told}".strip()


def sampler(fields: dict[str, Any]) -> str:
    """The name that A1111 would look for; there is none that the demo painter does not know."""
    return str(fields["sampler_name"] or fields["sampler_index"])


def info(fields: dict[str, Any], seeds: list[int], subseeds: list[int], infotexts: list[str], first: int) -> str:
    """A1111's `info`: JSON text with all of its keys.

    Seeds are of the pictures asked for, `infotexts` of the images there are; `first` is the first that is no grid.
    """
    told = {
        "prompt": fields["prompt"],
        "all_prompts": [fields["prompt"]] * len(seeds),
        "negative_prompt": fields["negative_prompt"],
        "all_negative_prompts": [fields["negative_prompt"]] * len(seeds),
        "seed": seeds[0],
        "all_seeds": seeds,
        "subseed": subseeds[0],
        "all_subseeds": subseeds,
        "subseed_strength": fields["subseed_strength"],
        "width": fields["width"],
        "height": fields["height"],
        "sampler_name": sampler(fields),
        "cfg_scale": fields["cfg_scale"],
        "steps": fields["steps"],
        "batch_size": fields["batch_size"],
        "restore_faces": bool(fields["restore_faces"]),
        "face_restoration_model": None,
        "sd_model_name": MODEL,
        "sd_model_hash": "",
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": fields["seed_resize_from_w"],
        "seed_resize_from_h": fields["seed_resize_from_h"],
        "denoising_strength": fields["denoising_strength"],
        "extra_generation_params": {},
        "index_of_first_image": first,
        "infotexts": infotexts,
        "styles": fields["styles"] or [],
        "job_timestamp": time.strftime("%Y%m%d%H%M%S"),
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": VERSION,
    }
    return json.dumps(told)


def encode_png(image: Image.Image, text: str = "") -> bytes:
    """`image` as PNG, quickly rather than small; `text` goes into the chunk `parameters`."""
    chunks = PngImagePlugin.PngInfo()
    if text:
        chunks.add_text("parameters", text.encode("utf-8", "replace").decode("utf-8"))
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1, pnginfo=chunks)
    return file.getvalue()


def _quote(value: Any) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",\n:") else text
