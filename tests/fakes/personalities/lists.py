"""What the A1111 family lists: a few entries of everything, in the right shape."""

from __future__ import annotations

from typing import Any

CHECKPOINT = "v1-5-pruned-emaonly.safetensors [6ce0161689]"
SAMPLERS: list[dict[str, Any]] = [
    {"name": "DPM++ 2M", "aliases": ["k_dpmpp_2m"], "options": {"scheduler": "karras"}},
    {"name": "DPM++ SDE", "aliases": ["k_dpmpp_sde"], "options": {"scheduler": "karras", "second_order": "True"}},
    {"name": "Euler a", "aliases": ["k_euler_a", "k_euler_ancestral"], "options": {"uses_ensd": "True"}},
    {"name": "Euler", "aliases": ["k_euler"], "options": {}},
    {"name": "DDIM", "aliases": ["ddim"], "options": {}},
    {"name": "PLMS", "aliases": ["plms"], "options": {}},
    {"name": "UniPC", "aliases": ["unipc"], "options": {}},
]
SCHEDULERS: list[dict[str, Any]] = [
    {"name": name, "label": label, "aliases": None, "default_rho": rho, "need_inner_model": inner}
    for name, label, rho, inner in [
        ("automatic", "Automatic", -1.0, False),
        ("uniform", "Uniform", -1.0, True),
        ("karras", "Karras", 7.0, False),
        ("exponential", "Exponential", -1.0, False),
    ]
]
MODELS: list[dict[str, Any]] = [
    {
        "title": CHECKPOINT,
        "model_name": "v1-5-pruned-emaonly",
        "hash": "6ce0161689",
        "sha256": "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa",
        "filename": "/webui/models/Stable-diffusion/v1-5-pruned-emaonly.safetensors",
        "config": None,
    },
    {
        "title": "sd_xl_turbo.safetensors",
        "model_name": "sd_xl_turbo",
        "hash": None,
        "sha256": None,
        "filename": "/webui/models/Stable-diffusion/sd_xl_turbo.safetensors",
        "config": None,
    },
]
UPSCALERS: list[dict[str, Any]] = [
    {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": 4.0}
    for name in ("None", "Lanczos", "Nearest")
]
LATENT_UPSCALE_MODES = [{"name": name} for name in ("Latent", "Latent (antialiased)", "Latent (nearest)")]
VAES = [{"model_name": "vae-ft-mse.safetensors", "filename": "/webui/models/VAE/vae-ft-mse.safetensors"}]
FACE_RESTORERS = [{"name": "CodeFormer", "cmd_dir": "/webui/models/Codeformer"}, {"name": "GFPGAN", "cmd_dir": None}]
STYLES = [{"name": "ink", "prompt": "{prompt}, ink drawing", "negative_prompt": "photo"}]
_EMBEDDING = {"step": None, "sd_checkpoint": None, "sd_checkpoint_name": None, "shape": 768, "vectors": 8}
EMBEDDINGS = {"loaded": {"EasyNegative": _EMBEDDING}, "skipped": {}}
LORAS = [{"name": "ink", "alias": "ink", "path": "/webui/models/Lora/ink.safetensors", "metadata": {}}]
EXTENSIONS = [
    {
        "name": "sd-webui-controlnet",
        "remote": "https://github.com/Mikubill/sd-webui-controlnet",
        "branch": "main",
        "commit_hash": "56cec5b2958edf3b1807b7e7b2b1b5186dbd2f81",
        "version": "56cec5b2",
        "commit_date": 1720000000,
        "enabled": True,
    }
]
_SELECTABLE = ["prompt matrix", "prompts from file or textbox", "x/y/z plot"]
_ALWAYS_ON = ["refiner", "seed", "sampler", "comments", "extra options", "controlnet"]
SELECTABLE = {
    "txt2img": _SELECTABLE,
    "img2img": ["img2img alternative test", "loopback", "outpainting mk2", "sd upscale", *_SELECTABLE],
}
SCRIPTS = {route: [*_ALWAYS_ON, *names] for route, names in SELECTABLE.items()}
SCRIPT_INFO = [
    {
        "name": "refiner",
        "is_alwayson": True,
        "is_img2img": image,
        "args": [
            {"label": "Refiner", "value": False, "minimum": None, "maximum": None, "step": None, "choices": None},
            {"label": "Switch at", "value": 0.8, "minimum": 0.01, "maximum": 1.0, "step": 0.01, "choices": None},
        ],
    }
    for image in (False, True)
]
_PEAKS = {"current": 2130706432, "peak": 4294967296}
MEMORY = {
    "ram": {"free": 12884901888.0, "used": 4294967296, "total": 17179869184.0},
    "cuda": {
        "system": {"free": 6442450944, "used": 2147483648, "total": 8589934592},
        **dict.fromkeys(("active", "allocated", "reserved", "inactive"), _PEAKS),
        "events": {"retries": 0, "oom": 0},
    },
}
FLAGS: dict[str, Any] = {
    "data_dir": "/webui",
    "listen": True,
    "port": 7860,
    "api": True,
    "api_auth": "user:secret",
    "gradio_auth": "user:secret",
    "gradio_auth_path": None,
    "cors_allow_origins": None,
    "subpath": None,
    "api_server_stop": False,
    "ngrok": None,
}
OPTIONS: dict[str, Any] = {
    "samples_save": True,
    "samples_format": "png",
    "samples_filename_pattern": "",
    "grid_save": True,
    "return_grid": True,
    "jpeg_quality": 80,
    "sd_model_checkpoint": CHECKPOINT,
    "sd_checkpoint_hash": MODELS[0]["sha256"],
    "sd_vae": "Automatic",
    "CLIP_stop_at_last_layers": 1,
    "show_progress_every_n_steps": 10,
    "live_previews_enable": True,
    "live_previews_image_format": "png",
    "face_restoration_model": "CodeFormer",
    "sd_lora": "None",
    "eta_noise_seed_delta": 0,
    "enable_pnginfo": True,
    "img2img_background_color": "#ffffff",
    "quicksettings_list": ["sd_model_checkpoint"],
    "disabled_extensions": [],
    "hide_samplers": [],
    "outdir_samples": "",
    "interrogate_clip_num_beams": 1,
    "multiple_tqdm": True,
    "memmon_poll_rate": 8,
    "upscaler_for_img2img": None,
    "hypernetwork": "None",
    "api_useragent": "",
}
CONFIG = {
    "version": "3.41.2",
    "mode": "blocks",
    "dev_mode": False,
    "components": [
        {"id": 1, "type": "state", "props": {"value": None, "name": "state", "visible": True}},
        {
            "id": 2,
            "type": "dropdown",
            "props": {"label": "Hires upscaler", "choices": ["Latent", "Lanczos"], "value": "Latent"},
        },
    ],
    "dependencies": [],
    "title": "Stable Diffusion",
}
HOME = (
    "<!doctype html>\n<html><head><title>Stable Diffusion</title></head><body><gradio-app></gradio-app></body></html>\n"
)
