"""What A1111 says about a generation: the infotext inside the picture, and `info`."""

from __future__ import annotations

import re
from typing import Any

from fakes.personalities.lists import SAMPLERS, SCHEDULERS

_PARAMETER = re.compile(r'\s*([\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def sampler_of(fields: dict[str, Any]) -> tuple[str, str]:
    """Sampler and scheduler; a label at the end of the name is split off, and an unknown name is the first sampler."""
    name = fields["sampler_name"] or fields["sampler_index"] or SAMPLERS[0]["name"]
    labels = [entry["label"] for entry in SCHEDULERS]
    scheduler = fields["scheduler"] if fields["scheduler"] in labels else labels[0]
    for label in labels:
        if name.endswith(f" {label}"):
            name, scheduler = name.removesuffix(f" {label}"), label
    known = name in [entry["name"] for entry in SAMPLERS]
    return (name if known else SAMPLERS[0]["name"]), scheduler


def infotext(fields: dict[str, Any], seed: int, model: dict[str, Any], version: str) -> str:
    sampler, scheduler = sampler_of(fields)
    lines = [fields["prompt"]]
    if fields["negative_prompt"]:
        lines.append(f"Negative prompt: {fields['negative_prompt']}")
    parameters = {
        "Steps": fields["steps"],
        "Sampler": sampler,
        "Schedule type": scheduler,
        "CFG scale": fields["cfg_scale"],
        "Seed": seed,
        "Size": f"{fields['width']}x{fields['height']}",
        "Model hash": model["hash"],
        "Model": model["model_name"],
        "Denoising strength": fields["denoising_strength"],
        "Version": version,
    }
    lines.append(", ".join(f"{key}: {value}" for key, value in parameters.items() if value is not None))
    return "\n".join(lines)


def parse_infotext(text: str) -> dict[str, str]:
    """An infotext taken apart again, as png-info tells it."""
    if not text:
        return {}
    *prompt, last = text.split("\n")
    if not _PARAMETER.match(last):
        prompt, last = [*prompt, last], ""
    positive, _, negative = "\n".join(prompt).partition("\nNegative prompt: ")
    return {"Prompt": positive, "Negative prompt": negative, **dict(_PARAMETER.findall(last))}


def info_of(
    fields: dict[str, Any], seeds: list[int], infotexts: list[str], model: dict[str, Any], version: str
) -> dict[str, Any]:
    """A1111's `info` before it becomes text; where there is a grid, the caller changes the index."""
    count = len(seeds)
    return {
        "prompt": fields["prompt"],
        "all_prompts": [fields["prompt"]] * count,
        "negative_prompt": fields["negative_prompt"],
        "all_negative_prompts": [fields["negative_prompt"]] * count,
        "seed": seeds[0],
        "all_seeds": seeds,
        "subseed": max(fields["subseed"], 0),
        "all_subseeds": [max(fields["subseed"], 0) + place for place in range(count)],
        "subseed_strength": fields["subseed_strength"],
        "width": fields["width"],
        "height": fields["height"],
        "sampler_name": sampler_of(fields)[0],
        "cfg_scale": fields["cfg_scale"],
        "steps": fields["steps"],
        "batch_size": fields["batch_size"],
        "restore_faces": bool(fields["restore_faces"]),
        "face_restoration_model": "CodeFormer" if fields["restore_faces"] else None,
        "sd_model_name": model["model_name"],
        "sd_model_hash": model["hash"],
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": fields["seed_resize_from_w"],
        "seed_resize_from_h": fields["seed_resize_from_h"],
        "denoising_strength": fields["denoising_strength"],
        "extra_generation_params": {"Schedule type": sampler_of(fields)[1]},
        "index_of_first_image": 0,
        "infotexts": infotexts,
        "styles": fields["styles"] or [],
        "job_timestamp": "20240727120000",
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": version,
    }
