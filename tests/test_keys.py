"""Keys: equal for what gives the same pictures, different for all that changes them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pico_a1111_proxy.jobs import read_json
from pico_a1111_proxy.keys import is_repeatable, job_key

REPEATABLE = [
    {"seed": 7},
    {"seed": 0},
    {"seed": 2**63},
    {"seed": 7, "subseed": -1},
    {"seed": 7, "subseed": -1, "subseed_strength": 0.0},
    {"seed": 7, "subseed": 3, "subseed_strength": 0.5},
    {"seed": 7, "script_name": None, "alwayson_scripts": {}},
    {"seed": 7, "alwayson_scripts": None},
    {"seed": 7, "alwayson_scripts": {"controlnet": {"args": [{"weight": 1}]}}},
    {"seed": 7, "save_images": False},
    {"seed": 7, "override_settings": {"sd_model_checkpoint": "b"}, "override_settings_restore_afterwards": True},
    {"seed": 7, "override_settings": {}, "override_settings_restore_afterwards": False},
]
LEFT_TO_CHANCE = [
    {},
    {"seed": -1},
    {"seed": -2},
    {"seed": None},
    {"seed": ""},
    {"seed": "7"},
    {"seed": 7.5},
    {"seed": True},
    {"seed": [7]},
    {"seed": 7, "subseed_strength": 0.5},
    {"seed": 7, "subseed": -1, "subseed_strength": 1},
    {"seed": 7, "script_name": "prompts from file or textbox"},
    {"seed": 7, "alwayson_scripts": {"Seed": {"args": [-1]}}},
    {"seed": 7, "alwayson_scripts": ["?"]},
    {"seed": 7, "save_images": True},
    {"seed": 7, "override_settings": {"sd_model_checkpoint": "b"}, "override_settings_restore_afterwards": False},
]


@pytest.mark.parametrize("document", REPEATABLE, ids=json.dumps)
def test_nothing_is_left_to_chance(document: dict[str, Any]) -> None:
    assert is_repeatable(document)


@pytest.mark.parametrize("document", LEFT_TO_CHANCE, ids=json.dumps)
def test_something_is_left_to_chance(document: dict[str, Any]) -> None:
    assert not is_repeatable(document)


def key(document: Any, realm: str = "a", route: str = "txt2img", query: str = "") -> str | None:
    return job_key(realm, route, document, query)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=5)


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same JSON with its names in another order, on every level."""
    if isinstance(value, dict):
        names = list(value)
        chance.shuffle(names)
        return {name: shuffled(value[name], chance) for name in names}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


@given(DOCUMENTS, st.randoms(use_true_random=False), st.sampled_from([None, 2]))
def test_the_order_of_names_and_white_space_change_nothing(
    document: dict[str, Any], chance: random.Random, indent: int | None
) -> None:
    written = json.dumps(shuffled(document, chance), indent=indent)
    assert key(read_json(written)) == key(read_json(json.dumps(document)))


@given(DOCUMENTS, DOCUMENTS)
def test_another_document_has_another_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (key(one) == key(other)) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": None}, {}),
        ({"a": float("nan")}, {"a": None}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": True}),
        ({"a": 2**64}, {"a": 2**64 + 1}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": "\ud800"}, {"a": "?"}),
        ({"a": {"b": 1}}, {"a": {"b": 2}}),
    ],
)
def test_what_looks_alike_is_not_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert key(one) != key(other)


def test_all_that_changes_pictures_beside_the_document_is_in_the_key() -> None:
    document = {"prompt": "a", "seed": 7}
    keys = [
        key(document),
        key(document, realm="b"),
        key(document, route="img2img"),
        key(document, query="a=1"),
        key(document, realm="", query="a"),
        key(document, realm="", route="a"),
    ]
    assert len(set(keys)) == len(keys)


def test_what_is_nested_too_deeply_has_no_key() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert key({"a": deep}) is None
    while deep:  # taken apart here, since Python would do it all at once
        deep = deep[0]
