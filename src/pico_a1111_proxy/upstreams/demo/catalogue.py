"""The catalogue: what a web UI tells of itself and always answers alike, as far as the demo painter has it."""

from __future__ import annotations

from typing import Any

from pico_a1111_proxy.upstreams.demo.infotext import MODEL

# Name, aliases, and the scheduler that goes with it; the painter takes any of them, and any other name.
_SAMPLERS = (
    ("DPM++ 2M", ["k_dpmpp_2m"], "karras"),
    ("DPM++ SDE", ["k_dpmpp_sde"], "karras"),
    ("DPM++ 2M SDE", ["k_dpmpp_2m_sde"], "exponential"),
    ("DPM++ 3M SDE", ["k_dpmpp_3m_sde"], "exponential"),
    ("Euler a", ["k_euler_a", "k_euler_ancestral"], None),
    ("Euler", ["k_euler"], None),
    ("LMS", ["k_lms"], None),
    ("Heun", ["k_heun"], None),
    ("DDIM", ["ddim"], None),
    ("UniPC", ["unipc"], None),
    ("LCM", ["k_lcm"], None),
)

# Name, label, default rho (-1: none).
_SCHEDULERS = (
    ("automatic", "Automatic", -1.0),
    ("uniform", "Uniform", -1.0),
    ("karras", "Karras", 7.0),
    ("exponential", "Exponential", -1.0),
    ("polyexponential", "Polyexponential", 1.0),
    ("sgm_uniform", "SGM Uniform", -1.0),
    ("simple", "Simple", -1.0),
    ("normal", "Normal", -1.0),
    ("ddim", "DDIM", -1.0),
    ("beta", "Beta", -1.0),
)

_LATENT = ("", " (antialiased)", " (bicubic)", " (bicubic antialiased)", " (nearest)", " (nearest-exact)")

# Those of A1111's settings that clients read or set, with A1111's defaults.
OPTIONS: dict[str, Any] = {
    "sd_model_checkpoint": MODEL,
    "sd_checkpoint_hash": "",
    "sd_vae": "Automatic",
    "CLIP_stop_at_last_layers": 1,
    "samples_format": "png",
    "samples_save": True,
    "grid_save": True,
    "grid_format": "png",
    "return_grid": True,
    "enable_pnginfo": True,
    "save_txt": False,
    "jpeg_quality": 80,
    "send_seed": True,
    "send_size": True,
    "do_not_show_images": False,
    "add_model_name_to_info": True,
    "add_version_to_infotext": True,
    "live_previews_enable": True,
    "live_previews_image_format": "png",
    "show_progress_every_n_steps": 10,
    "show_progress_grid": True,
    "show_progress_type": "Approx NN",
    "face_restoration": False,
    "face_restoration_model": "CodeFormer",
    "code_former_weight": 0.5,
    "upscaler_for_img2img": "None",
    "img2img_color_correction": False,
    "img2img_fix_steps": False,
    "img2img_background_color": "#ffffff",
    "initial_noise_multiplier": 1.0,
    "inpainting_mask_weight": 1.0,
    "eta_ddim": 0.0,
    "eta_ancestral": 1.0,
    "eta_noise_seed_delta": 0,
    "s_churn": 0.0,
    "s_tmin": 0.0,
    "s_noise": 1.0,
    "s_min_uncond": 0.0,
    "randn_source": "GPU",
    "sd_hypernetwork": "None",
    "sd_lora": "None",
    "quicksettings_list": ["sd_model_checkpoint"],
}

# What says something about the painter or its pictures: a client's value for it is passed over.
FIXED = frozenset(("sd_model_checkpoint", "sd_checkpoint_hash", "samples_format", "grid_format"))

# Those of A1111's flags by which a client learns how the API is opened.
_FLAGS: dict[str, Any] = {
    "api": True,
    "api_auth": None,
    "api_server_stop": False,
    "nowebui": False,
    "gradio_auth": None,
    "gradio_auth_path": None,
}

# What GET answers, by path.
DOCUMENTS: dict[str, Any] = {
    "/sdapi/v1/cmd-flags": _FLAGS,
    "/sdapi/v1/samplers": [
        {"name": name, "aliases": aliases, "options": {"scheduler": scheduler} if scheduler else {}}
        for name, aliases, scheduler in _SAMPLERS
    ],
    "/sdapi/v1/schedulers": [
        {"name": name, "label": label, "aliases": None, "default_rho": rho, "need_inner_model": False}
        for name, label, rho in _SCHEDULERS
    ],
    "/sdapi/v1/upscalers": [{"name": "None", "model_name": None, "model_path": None, "model_url": None, "scale": 4.0}],
    "/sdapi/v1/latent-upscale-modes": [{"name": f"Latent{kind}"} for kind in _LATENT],
    "/sdapi/v1/sd-models": [
        {"title": MODEL, "model_name": MODEL, "hash": None, "sha256": None, "filename": MODEL, "config": None}
    ],
    "/sdapi/v1/sd-vae": [],
    "/sdapi/v1/hypernetworks": [],
    "/sdapi/v1/face-restorers": [],
    "/sdapi/v1/realesrgan-models": [],
    "/sdapi/v1/prompt-styles": [],
    "/sdapi/v1/embeddings": {"loaded": {}, "skipped": {}},
    "/sdapi/v1/memory": {"ram": {"error": "unavailable"}, "cuda": {"error": "unavailable"}},
    "/sdapi/v1/scripts": {"txt2img": [], "img2img": []},
    "/sdapi/v1/script-info": [],
    "/sdapi/v1/extensions": [],
    "/sdapi/v1/loras": [],
    "/internal/ping": {},
    "/config": {"version": MODEL, "components": []},
}

# What POST answers, by path, where there is nothing to do.
ACKNOWLEDGED: dict[str, Any] = {
    **{f"/sdapi/v1/refresh-{what}": None for what in ("checkpoints", "vae", "loras", "embeddings")},
    **{f"/sdapi/v1/{what}-checkpoint": {} for what in ("reload", "unload")},
}

# Why POST is refused, by path: these take a model.
REFUSED = {
    "/sdapi/v1/extra-single-image": "The demo painter has no upscaler",
    "/sdapi/v1/extra-batch-images": "The demo painter has no upscaler",
    "/sdapi/v1/interrogate": "The demo painter has no model that could see a picture",
}
