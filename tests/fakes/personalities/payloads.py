"""The requests of A1111's own tests: what it must accept, and whoever stands before it too."""

from __future__ import annotations

from typing import Any

from fakes.pictures import b64, corners, encode, png

_IMAGE = b64(encode(corners()))
_MASK = b64(png(255, (64, 64), "L"))
_BOTH: dict[str, Any] = {
    "batch_size": 1,
    "cfg_scale": 7,
    "eta": 0,
    "height": 64,
    "n_iter": 1,
    "negative_prompt": "",
    "prompt": "example prompt",
    "restore_faces": False,
    "s_churn": 0,
    "s_noise": 1,
    "s_tmax": 0,
    "s_tmin": 0,
    "sampler_index": "Euler a",
    "seed": -1,
    "seed_resize_from_h": -1,
    "seed_resize_from_w": -1,
    "steps": 3,
    "styles": [],
    "subseed": -1,
    "subseed_strength": 0,
    "tiling": False,
    "width": 64,
}
_TXT2IMG = {**_BOTH, "denoising_strength": 0, "enable_hr": False, "firstphase_height": 0, "firstphase_width": 0}
_IMG2IMG = {
    **_BOTH,
    "denoising_strength": 0.75,
    "include_init_images": False,
    "init_images": [_IMAGE],
    "inpaint_full_res": False,
    "inpaint_full_res_padding": 0,
    "inpainting_fill": 0,
    "inpainting_mask_invert": False,
    "mask": None,
    "mask_blur": 4,
    "override_settings": {},
    "resize_mode": 0,
}
_VARIANTS: dict[str, dict[str, Any]] = {
    "simple": {},
    "negative prompt": {"negative_prompt": "example negative prompt"},
    "complex prompt": {
        "prompt": "((emphasis)), (emphasis1:1.1), [to:1], [from::2], [from:to:0.3], [alt|alt1]",
    },
    "not square": {"height": 128},
    "hires fix": {"enable_hr": True},
    "tiling": {"tiling": True},
    "restore faces": {"restore_faces": True},
    "PLMS": {"sampler_index": "PLMS"},
    "DDIM": {"sampler_index": "DDIM"},
    "UniPC": {"sampler_index": "UniPC"},
    "two batches": {"n_iter": 2},
    "batch of two": {"batch_size": 2},
}
_IMAGE_VARIANTS: dict[str, dict[str, Any]] = {
    "simple": {},
    "inpainting": {"mask": _MASK},
    "inpainting inverted": {"mask": _MASK, "inpainting_mask_invert": True},
    "sd upscale": {"script_name": "sd upscale", "script_args": ["", 8, "Lanczos", 2.0]},
}
A1111_TEST_PAYLOADS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"txt2img {name}": ("txt2img", {**_TXT2IMG, **change}) for name, change in _VARIANTS.items()},
    **{f"img2img {name}": ("img2img", {**_IMG2IMG, **change}) for name, change in _IMAGE_VARIANTS.items()},
    "extra-single-image": (
        "extra-single-image",
        {
            "resize_mode": 0,
            "show_extras_results": True,
            "gfpgan_visibility": 0,
            "codeformer_visibility": 0,
            "codeformer_weight": 0,
            "upscaling_resize": 2,
            "upscaling_resize_w": 128,
            "upscaling_resize_h": 128,
            "upscaling_crop": True,
            "upscaler_1": "Lanczos",
            "upscaler_2": "None",
            "extras_upscaler_2_visibility": 0,
            "image": _IMAGE,
        },
    ),
    # A1111's tests of png-info and interrogate go to this route as well.
    "png-info": ("extra-single-image", {"image": _IMAGE}),
    "interrogate": ("extra-single-image", {"image": _IMAGE, "model": "clip"}),
}
