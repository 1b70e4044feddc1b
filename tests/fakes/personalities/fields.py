"""A1111's request fields, and how the two generations of pydantic read them: lenient, then strict."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any, ClassVar

from fakes.a1111 import Seen
from fakes.personalities.personality import Invalid, Refused

Field = tuple[str, Any]  # its type and its default
_BOTH: dict[str, Field] = {
    **dict.fromkeys(("prompt", "negative_prompt"), ("string", "")),
    **dict.fromkeys(
        ("sampler_name", "scheduler", "refiner_checkpoint", "firstpass_image", "script_name", "force_task_id"),
        ("string", None),
    ),
    "infotext": ("string", None),
    "sampler_index": ("string", "Euler"),
    **dict.fromkeys(("seed", "subseed", "seed_resize_from_h", "seed_resize_from_w"), ("integer", -1)),
    **dict.fromkeys(("batch_size", "n_iter"), ("integer", 1)),
    "steps": ("integer", 50),
    **dict.fromkeys(("width", "height"), ("integer", 512)),
    "subseed_strength": ("float", 0),
    "cfg_scale": ("float", 7.0),
    **dict.fromkeys(
        ("eta", "denoising_strength", "s_min_uncond", "s_churn", "s_tmax", "s_tmin", "s_noise", "refiner_switch_at"),
        ("float", None),
    ),
    **dict.fromkeys(("restore_faces", "tiling"), ("boolean", None)),
    **dict.fromkeys(("do_not_save_samples", "do_not_save_grid", "disable_extra_networks"), ("boolean", False)),
    "override_settings_restore_afterwards": ("boolean", True),
    "send_images": ("boolean", True),
    "save_images": ("boolean", False),
    "styles": ("list", None),
    "override_settings": ("dict", None),
    "comments": ("dict", None),
    "script_args": ("list", []),
    "alwayson_scripts": ("dict", {}),
}
FIELDS: dict[str, dict[str, Field]] = {
    "txt2img": {
        **_BOTH,
        "enable_hr": ("boolean", False),
        "hr_scale": ("float", 2.0),
        **dict.fromkeys(
            ("hr_upscaler", "hr_checkpoint_name", "hr_sampler_name", "hr_scheduler"),
            ("string", None),
        ),
        **dict.fromkeys(("hr_prompt", "hr_negative_prompt"), ("string", "")),
        **dict.fromkeys(
            ("firstphase_width", "firstphase_height", "hr_second_pass_steps", "hr_resize_x", "hr_resize_y"),
            ("integer", 0),
        ),
    },
    "img2img": {
        **_BOTH,
        "denoising_strength": ("float", 0.75),
        "init_images": ("list", None),
        **dict.fromkeys(("mask", "latent_mask"), ("string", None)),
        **dict.fromkeys(("resize_mode", "inpainting_fill", "inpaint_full_res_padding"), ("integer", 0)),
        "inpainting_mask_invert": ("integer", 0),
        **dict.fromkeys(("mask_blur_x", "mask_blur_y"), ("integer", 4)),
        "mask_blur": ("integer", None),
        **dict.fromkeys(("image_cfg_scale", "initial_noise_multiplier"), ("float", None)),
        **dict.fromkeys(("mask_round", "inpaint_full_res"), ("boolean", True)),
        "include_init_images": ("boolean", False),
    },
    "png-info": {"image": ("string", ...)},
    "interrogate": {"image": ("string", ""), "model": ("string", "clip")},
    "extra-single-image": {"image": ("string", ""), "upscaling_resize": ("float", 2), "upscaler_1": ("string", "None")},
    "extra-batch-images": {
        "imageList": ("list", ...),
        "upscaling_resize": ("float", 2),
        "upscaler_1": ("string", "None"),
    },
    "internal/progress": {"id_task": ("string", None), "id_live_preview": ("integer", -1)},
}
_FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "1", "t", "y"), True),
    **dict.fromkeys(("false", "no", "off", "0", "f", "n"), False),
}
_REQUIRED_SINCE_V2 = {"sampler_index", "script_args", "alwayson_scripts", "send_images", "save_images"}


def flag(value: Any) -> bool:
    """A boolean as both pydantics take it. Raises ValueError."""
    if value in (0, 1) and isinstance(value, (int, float)):
        return bool(value)
    if isinstance(value, str) and value.lower() in _FLAGS:
        return _FLAGS[value.lower()]
    raise ValueError("no boolean")


class Lenient:
    """Pydantic v1: text becomes numbers, numbers become text, null is taken everywhere."""

    missing: ClassVar[dict[str, Any]] = {"msg": "field required", "type": "value_error.missing"}
    no_object: ClassVar[dict[str, Any]] = {"msg": "value is not a valid dict", "type": "type_error.dict"}
    _words: ClassVar[dict[str, tuple[str, str]]] = {
        "integer": ("value is not a valid integer", "type_error.integer"),
        "float": ("value is not a valid float", "type_error.float"),
        "string": ("str type expected", "type_error.str"),
        "boolean": ("value could not be parsed to a boolean", "type_error.bool"),
        "list": ("value is not a valid list", "type_error.list"),
        "dict": ("value is not a valid dict", "type_error.dict"),
    }

    def fault(self, about: dict[str, Any], loc: list[Any], value: Any) -> dict[str, Any]:
        return {"loc": loc, **about}

    def bad_json(self, error: json.JSONDecodeError) -> dict[str, Any]:
        context = {"msg": error.msg, "doc": error.doc, "pos": error.pos, "lineno": error.lineno, "colno": error.colno}
        return {"loc": ["body", error.pos], "msg": str(error), "type": "value_error.jsondecode", "ctx": context}

    def take(self, name: str, kind: str, value: Any) -> Any:
        """The value as the field's type. Raises Invalid."""
        readers: dict[str, Callable[[Any], Any]] = {"integer": int, "float": float, "boolean": flag, "string": str}
        try:
            if value is None:
                return None
            if isinstance(value, (list, dict)):
                if type(value).__name__ == kind:
                    return value
            elif kind in readers:
                return readers[kind](value)
        except (ValueError, OverflowError):
            pass
        message, label = self._words[kind]
        raise Invalid(self.fault({"msg": message, "type": label}, ["body", name], value))


class Strict:
    """Pydantic v2: an integer has no fraction, text is text, null only where the field allows it."""

    missing: ClassVar[dict[str, Any]] = {"type": "missing", "msg": "Field required"}
    no_object: ClassVar[dict[str, Any]] = {
        "type": "model_attributes_type",
        "msg": "Input should be a valid dictionary or object to extract fields from",
    }

    def fault(self, about: dict[str, Any], loc: list[Any], value: Any) -> dict[str, Any]:
        said = {"type": about["type"], "loc": loc, "msg": about["msg"], "input": value}
        return {**said, "url": f"https://errors.pydantic.dev/2.8/v/{about['type']}"}

    def bad_json(self, error: json.JSONDecodeError) -> dict[str, Any]:
        said = {"type": "json_invalid", "loc": ["body", error.pos], "msg": "JSON decode error", "input": {}}
        return {**said, "ctx": {"error": error.msg}}

    def take(self, name: str, kind: str, value: Any) -> Any:
        """The value as the field's type. Raises Invalid."""
        if value is None and name not in _REQUIRED_SINCE_V2:
            return None
        label, message, result = _READERS[kind](value)
        if label:
            raise Invalid(self.fault({"type": label, "msg": message}, ["body", name], value))
        return result


def read_body(seen: Seen, rules: Lenient | Strict, route: str) -> dict[str, Any]:
    """The fields of `route` with their defaults; unknown keys are dropped. Raises Invalid."""
    given = read_object(seen, rules)
    fields, faults = {}, []
    for name, (kind, default) in FIELDS[route].items():
        if name not in given:
            if default is ...:
                faults.append(rules.fault(rules.missing, ["body", name], given))
            fields[name] = copy.copy(default)
            continue
        try:
            fields[name] = rules.take(name, kind, given[name])
        except Invalid as invalid:
            faults += invalid.faults
    if faults:
        raise Invalid(*faults)
    return fields


def read_object(seen: Seen, rules: Lenient | Strict) -> dict[str, Any]:
    """The body as FastAPI takes it: no Content-Type is JSON, another kind of body is no object. Raises Invalid."""
    kind = (seen.header("content-type") or "application/json").partition(";")[0].strip().lower()
    if not seen.body:
        raise Invalid(rules.fault(rules.missing, ["body"], None))
    document: Any = seen.body.decode("utf-8", "replace")
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        try:
            document = json.loads(seen.body)
        except json.JSONDecodeError as error:
            raise Invalid(rules.bad_json(error)) from error
        except UnicodeDecodeError as error:
            raise Refused(400, "There was an error parsing the body") from error
    if not isinstance(document, dict):
        raise Invalid(rules.fault(rules.no_object, ["body"], document))
    return document


Read = tuple[str, str, Any]  # what is wrong, in a word and in words, or the value


def _read_integer(value: Any) -> Read:
    if isinstance(value, float) and not value.is_integer():
        return "int_from_float", "Input should be a valid integer, got a number with a fractional part", None
    if isinstance(value, (int, float)):
        return "", "", int(value)
    if not isinstance(value, str):
        return "int_type", "Input should be a valid integer", None
    try:
        return "", "", int(value)
    except ValueError:
        return "int_parsing", "Input should be a valid integer, unable to parse string as an integer", None


def _read_float(value: Any) -> Read:
    if isinstance(value, (list, dict)) or value is None:
        return "float_type", "Input should be a valid number", None
    try:
        return "", "", float(value)
    except ValueError:
        return "float_parsing", "Input should be a valid number, unable to parse string as a number", None


def _read_boolean(value: Any) -> Read:
    if isinstance(value, (list, dict)) or value is None:
        return "bool_type", "Input should be a valid boolean", None
    try:
        return "", "", flag(value)
    except ValueError:
        return "bool_parsing", "Input should be a valid boolean, unable to interpret input", None


def _read_kind(kind: type, label: str, words: str) -> Callable[[Any], Read]:
    return lambda value: (
        ("", "", value) if isinstance(value, kind) else (label, f"Input should be a valid {words}", None)
    )


_READERS: dict[str, Callable[[Any], Read]] = {
    "integer": _read_integer,
    "float": _read_float,
    "boolean": _read_boolean,
    "string": _read_kind(str, "string_type", "string"),
    "list": _read_kind(list, "list_type", "list"),
    "dict": _read_kind(dict, "dict_type", "dictionary"),
}
