"""A1111's request fields, read from a body as leniently as A1111 reads them, and the shapes of its answers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.errors import PictureError, UpstreamRejected, UpstreamUnavailable
from pico_a1111_proxy.jobs import Route, read_json

DEEPEST = 500  # levels of JSON

Table = dict[str, dict[str, Any]]  # name and default of each field, by kind

# In A1111's order within each kind. A default of None is A1111's own null.
_COMMON: Table = {
    "str": {
        "prompt": "",
        "negative_prompt": "",
        "sampler_name": None,
        "sampler_index": "Euler",
        "scheduler": None,
        "refiner_checkpoint": None,
        "script_name": None,
        "force_task_id": None,
        "infotext": None,
    },
    "int": {
        "seed": -1,
        "subseed": -1,
        "seed_resize_from_h": -1,
        "seed_resize_from_w": -1,
        "batch_size": 1,
        "n_iter": 1,
        "steps": 50,
        "width": 512,
        "height": 512,
    },
    "float": {
        "subseed_strength": 0.0,
        "cfg_scale": 7.0,
        "eta": None,
        "s_min_uncond": None,
        "s_churn": None,
        "s_tmax": None,
        "s_tmin": None,
        "s_noise": None,
        "refiner_switch_at": None,
    },
    "bool": {
        "restore_faces": None,
        "tiling": None,
        "do_not_save_samples": False,
        "do_not_save_grid": False,
        "override_settings_restore_afterwards": True,
        "disable_extra_networks": False,
        "send_images": True,
        "save_images": False,
    },
    "strings": {"styles": None},
    "list": {"script_args": []},
    "dict": {"override_settings": None, "comments": None, "alwayson_scripts": {}},
}

_OF_ROUTE: dict[Route, Table] = {
    "txt2img": {
        "str": {
            "hr_upscaler": None,
            "hr_checkpoint_name": None,
            "hr_sampler_name": None,
            "hr_scheduler": None,
            "hr_prompt": "",
            "hr_negative_prompt": "",
            "firstpass_image": None,
        },
        "int": {
            "firstphase_width": 0,
            "firstphase_height": 0,
            "hr_second_pass_steps": 0,
            "hr_resize_x": 0,
            "hr_resize_y": 0,
        },
        "float": {"denoising_strength": None, "hr_scale": 2.0},
        "bool": {"enable_hr": False},
    },
    "img2img": {
        "str": {"mask": None, "latent_mask": None},
        "int": {
            "resize_mode": 0,
            "mask_blur_x": 4,
            "mask_blur_y": 4,
            "mask_blur": None,
            "inpainting_fill": 0,
            "inpaint_full_res_padding": 0,
            "inpainting_mask_invert": 0,
        },
        "float": {"denoising_strength": 0.75, "image_cfg_scale": None, "initial_noise_multiplier": None},
        "bool": {"mask_round": True, "inpaint_full_res": True, "include_init_images": False},
        "list": {"init_images": None},
    },
}


_TRUE = (True, 1, "1", "on", "t", "true", "y", "yes")
_FALSE = (False, 0, "0", "off", "f", "false", "n", "no")


class _Unreadable(Exception):
    """A value is of a wrong kind; holds A1111's words and its name for the fault."""


def read_fields(route: Route, body: bytes) -> dict[str, Any]:
    """Every field of `route` with its value from `body`; see `read_tables`."""
    return read_tables(body, _COMMON, _OF_ROUTE[route])


def read_tables(body: bytes, *tables: Table) -> dict[str, Any]:
    """Every field of `tables` with its value from `body`, or its default where that is absent or null.

    Unknown fields are dropped. A default of `...` marks a field that must be there. Raises UpstreamRejected with
    A1111's own 422 where one is missing or of a wrong kind.
    """
    document = read_object(body)
    fields: dict[str, Any] = {}
    faults = []
    for kind, name, default in [
        (kind, name, default)
        for table in tables
        for kind, defaults in table.items()
        for name, default in defaults.items()
    ]:
        value = document.get(name)
        try:
            fields[name] = _required(default) if value is None else _KINDS[kind](value)
        except _Unreadable as error:
            words, fault = error.args
            faults.append({"loc": ["body", name], "msg": words, "type": fault})
    if faults:
        refuse(*faults)
    return fields


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises UpstreamRejected with A1111's own 422 where there is none."""
    document = read_json(body)
    if not isinstance(document, dict):
        refuse(_body_fault(body))
    # What is read here is echoed, and the parser takes more than can be written.
    if body.count(b"[") + body.count(b"{") > DEEPEST and _depth(document) > DEEPEST:
        refuse({"loc": ["body"], "msg": f"nested deeper than {DEEPEST}", "type": "value_error"})
    return document


def refuse(*faults: dict[str, Any]) -> NoReturn:
    """Raise UpstreamRejected as A1111 does: status 422, and each fault with `loc`, `msg` and `type`."""
    first = faults[0]
    sentence = ": ".join([*map(str, first["loc"][1:]), first["msg"]])
    raise UpstreamRejected(sentence, answer=json_answer({"detail": list(faults)}, 422))


def refuse_value(name: str, words: str) -> NoReturn:
    """Refuse the value of field `name`, of which `words` say what is wrong. Raises UpstreamRejected."""
    refuse({"loc": ["body", name], "msg": words, "type": "value_error"})


def json_answer(document: Any, status: int = 200) -> Answer:
    """An answer that holds `document` as JSON, in ASCII: a prompt may hold what UTF-8 can't."""
    return Answer(status, (("Content-Type", "application/json"),), json.dumps(document).encode("ascii"))


def error_answer(status: int, error: str, detail: str = "", errors: str = "") -> Answer:
    """A1111's other shape of an error: of an HTTPException with its `detail`, of any other with its `errors`."""
    return json_answer({"error": error, "detail": detail, "body": "", "errors": errors}, status)


def invalid_image(name: str, error: PictureError) -> UpstreamUnavailable:
    """What A1111 says of a picture in field `name` that it can't read: its 500."""
    words = "Invalid encoded image"
    return UpstreamUnavailable(words, f"{name}: {error}", error_answer(500, "HTTPException", words))


def read_truth(value: Any) -> bool | None:
    """What A1111 takes `value` for, true or false; None where for neither."""
    plain = value.lower() if isinstance(value, str) else value
    if plain in _TRUE:
        return True
    return False if plain in _FALSE else None


def _depth(document: Any) -> int:
    """How deep `document` is nested; more than DEEPEST is not counted."""
    level, depth = [document], 0
    while level and depth <= DEEPEST:
        depth += 1
        inner = [list(item.values()) if isinstance(item, dict) else item for item in level]
        level = [value for values in inner for value in values if isinstance(value, (dict, list))]
    return depth


def _required(default: Any) -> Any:
    if default is ...:
        raise _Unreadable("field required", "value_error.missing")
    return default


def _body_fault(body: bytes) -> dict[str, Any]:
    if not body.strip() or body.strip() == b"null":
        return {"loc": ["body"], "msg": "field required", "type": "value_error.missing"}
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        return {"loc": ["body", error.pos], "msg": error.msg, "type": "value_error.jsondecode"}
    except (ValueError, RecursionError):
        return {"loc": ["body", 0], "msg": "it can't be read", "type": "value_error.jsondecode"}
    return {"loc": ["body"], "msg": "value is not a valid dict", "type": "type_error.dict"}


def _read_int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise _Unreadable("value is not a valid integer", "type_error.integer") from None


def _read_float(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):  # A1111 takes it, and then can't write its answer
        raise _Unreadable("value is not a valid float", "type_error.float")
    return number


def _read_bool(value: Any) -> bool:
    truth = read_truth(value)
    if truth is None:
        raise _Unreadable("value could not be parsed to a boolean", "type_error.bool")
    return truth


def _read_str(value: Any) -> str:
    if isinstance(value, (str, int, float)):
        return str(value)
    raise _Unreadable("str type expected", "type_error.str")


def _read_strings(value: Any) -> list[str]:
    return [_read_str(item) for item in _read_list(value)]


def _read_list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise _Unreadable("value is not a valid list", "type_error.list")


def _read_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise _Unreadable("value is not a valid dict", "type_error.dict")


_KINDS: dict[str, Callable[[Any], Any]] = {
    "str": _read_str,
    "int": _read_int,
    "float": _read_float,
    "bool": _read_bool,
    "strings": _read_strings,
    "list": _read_list,
    "dict": _read_dict,
}
