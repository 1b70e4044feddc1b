"""A1111's request fields: its defaults, its lenience, and its words for what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pico_a1111_proxy.errors import UpstreamRejected
from pico_a1111_proxy.upstreams.demo.fields import read_fields


def read(**fields: Any) -> dict[str, Any]:
    return read_fields("txt2img", json.dumps(fields).encode())


def refusal(**fields: Any) -> UpstreamRejected:
    with pytest.raises(UpstreamRejected) as caught:
        read(**fields)
    return caught.value


def said(error: UpstreamRejected) -> Any:
    assert error.answer is not None
    return json.loads(error.answer.body)


def test_an_empty_body_has_every_default() -> None:
    fields = read()
    assert fields["steps"] == 50
    assert fields["width"] == fields["height"] == 512
    assert fields["seed"] == -1
    assert fields["sampler_index"] == "Euler"
    assert fields["denoising_strength"] is None
    assert fields["hr_scale"] == 2.0
    assert fields["alwayson_scripts"] == {}
    assert "init_images" not in fields


def test_img2img_has_its_own_fields() -> None:
    fields = read_fields("img2img", b"{}")
    assert fields["denoising_strength"] == 0.75
    assert fields["init_images"] is None
    assert fields["mask_blur_x"] == 4
    assert "hr_scale" not in fields


def test_what_is_unknown_is_dropped() -> None:
    assert "clip_skip" not in read(clip_skip=2, prompt="x")


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("steps", "2", 2),
        ("steps", 2.9, 2),
        ("seed", " 7 ", 7),
        ("n_iter", True, 1),
        ("cfg_scale", "5.5", 5.5),
        ("cfg_scale", 4, 4.0),
        ("save_images", "yes", True),
        ("restore_faces", "OFF", False),
        ("tiling", 0, False),
        ("prompt", 5, "5"),
        ("styles", ["a", 3], ["a", "3"]),
        ("override_settings", {"a": 1}, {"a": 1}),
        ("steps", None, 50),
        ("prompt", None, ""),
        ("width", None, 512),
    ],
)
def test_values_are_read_as_leniently_as_a1111_does(name: str, value: Any, taken: Any) -> None:
    fields = read(**{name: value})
    assert fields[name] == taken
    assert type(fields[name]) is type(taken)


@pytest.mark.parametrize(
    ("name", "value", "words", "fault"),
    [
        ("steps", "many", "value is not a valid integer", "type_error.integer"),
        ("steps", "2.5", "value is not a valid integer", "type_error.integer"),
        ("seed", [1], "value is not a valid integer", "type_error.integer"),
        ("cfg_scale", "high", "value is not a valid float", "type_error.float"),
        ("cfg_scale", "nan", "value is not a valid float", "type_error.float"),
        ("send_images", "maybe", "value could not be parsed to a boolean", "type_error.bool"),
        ("send_images", {}, "value could not be parsed to a boolean", "type_error.bool"),
        ("prompt", ["a"], "str type expected", "type_error.str"),
        ("styles", "a", "value is not a valid list", "type_error.list"),
        ("alwayson_scripts", [], "value is not a valid dict", "type_error.dict"),
    ],
)
def test_a_wrong_kind_is_refused_in_a1111s_words(name: str, value: Any, words: str, fault: str) -> None:
    error = refusal(**{name: value})
    assert error.answer is not None
    assert error.answer.status == 422
    assert said(error) == {"detail": [{"loc": ["body", name], "msg": words, "type": fault}]}
    assert str(error) == f"{name}: {words}"


def test_all_faults_are_told_at_once() -> None:
    faults = said(refusal(steps="a", width="b", send_images="c"))["detail"]
    assert [fault["loc"][1] for fault in faults] == ["steps", "width", "send_images"]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "value_error.missing"),
        (b"null", "value_error.missing"),
        (b"{bad", "value_error.jsondecode"),
        (b"\xff\xfe\xfd", "value_error.jsondecode"),
        (b"[" * 100_000, "value_error.jsondecode"),
        (b"[1]", "type_error.dict"),
    ],
)
def test_a_body_that_is_no_object_is_refused(body: bytes, fault: str) -> None:
    with pytest.raises(UpstreamRejected) as caught:
        read_fields("txt2img", body)
    assert said(caught.value)["detail"][0]["type"] == fault
