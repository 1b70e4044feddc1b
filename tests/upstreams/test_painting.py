"""The painter: the same words and seed give the same picture, at every size, and words steer it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pico_a1111_proxy.upstreams.demo.painting.denoising import half_done
from pico_a1111_proxy.upstreams.demo.painting.label import add_label
from pico_a1111_proxy.upstreams.demo.painting.painter import paint, repaint
from pico_a1111_proxy.upstreams.demo.painting.palettes import COLOUR_WORDS, PALETTES
from pico_a1111_proxy.upstreams.demo.painting.prompts import Prompt
from pico_a1111_proxy.upstreams.demo.painting.styles import STYLES

Picture = npt.NDArray[np.uint8]

SUBJECTS = [
    "mountains", "a lake", "the sea", "a forest", "snow", "dunes", "aurora", "portrait of a woman", "a bearded man",
    "a cat", "a fox", "an owl", "a robot", "city in the rain", "planet with rings", "galaxy", "nebula", "crystals",
    "stained glass", "a flower", "mandala", "wind", "ink", "silk",
]  # fmt: skip

SAME, OTHER = 8.0, 8.0  # levels of 255, on average over all pixels; one size from another, one seed from another


def apart(one: Picture, other: Picture) -> float:
    """How many levels two pictures differ by, on average."""
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())


def shrunk(picture: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def means(picture: Picture) -> tuple[float, float, float]:
    red, green, blue = picture.reshape(-1, 3).mean(axis=0).tolist()
    return red, green, blue


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_prompt_and_a_seed_give_one_picture(subject: str) -> None:
    first = paint(subject, "", 3, 96, 96)
    assert first.tobytes() == paint(subject, "", 3, 96, 96).tobytes()
    assert apart(first, paint(subject, "", 4, 96, 96)) > OTHER
    assert first.std() > 10


def test_another_process_paints_the_same() -> None:
    line = (
        "import hashlib; from pico_a1111_proxy.upstreams.demo.painting.painter import paint;"
        "print(hashlib.sha256(paint('a castle made of glass', '', 9, 96, 64).tobytes()).hexdigest())"
    )
    here = hashlib.sha256(paint("a castle made of glass", "", 9, 96, 64).tobytes()).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    there = subprocess.run([sys.executable, "-c", line], env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_picture_is_the_same_at_every_size(subject: str) -> None:
    large = paint(subject, "", 11, 384, 288)
    assert apart(shrunk(large, (192, 144)), paint(subject, "", 11, 192, 144)) < SAME


@pytest.mark.parametrize(
    ("width", "height"),
    [(8, 8), (8, 2048), (2048, 8), (16, 24), (135, 240), (240, 240), (320, 240), (333, 77), (2048, 1024)],
)
def test_any_size(width: int, height: int) -> None:
    for style in STYLES:
        picture = paint(min(style.words), "", 1, width, height)
        assert picture.shape == (height, width, 3)
        assert picture.dtype == np.uint8
        if width * height > 1_000_000:
            break  # one that large says enough


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_every_word_of_a_style_asks_for_it(style: Any) -> None:
    assert style.words
    for word in style.words | style.hints:
        assert Prompt(f"A very {word.upper()}, 4k", "", 1).style is style
    assert set(style.palettes) <= set(PALETTES)


def test_words_without_meaning_reach_every_style() -> None:
    names = {Prompt(f"qwx {number:x}", "", 1).style.name for number in range(300)}
    assert names == {style.name for style in STYLES}


@pytest.mark.parametrize(
    ("prompt", "negative", "style"),
    [
        ("a cat in the mountains", "", "animal"),
        ("mountains behind a cat", "", "landscape"),
        ("sunset over the city", "", "skyline"),  # a noun counts before a mood, wherever it stands
        ("sunset", "", "landscape"),
        ("(masterpiece:1.3), 1girl, <lora:robot_v2:0.8>", "", "portrait"),
        ("a cat and a robot", "cat", "robot"),
        ("portrait of a woman", "bad face, ugly, blurry", "portrait"),
        ("Galaxy", "", "cosmos"),
    ],
)
def test_the_style_that_is_asked_for(prompt: str, negative: str, style: str) -> None:
    assert Prompt(prompt, negative, 1).style.name == style


def test_an_unknown_prompt_keeps_style_and_palette_for_every_seed() -> None:
    wishes = [Prompt("lorem ipsum dolor", "", seed) for seed in range(20)]
    assert len({(wish.style.name, wish.palette.name) for wish in wishes}) == 1


def test_an_empty_prompt_leaves_it_to_the_seed() -> None:
    assert len({Prompt(" ", "", seed).style.name for seed in range(60)}) > 6


def test_a_style_without_a_colour_has_many() -> None:
    assert len({Prompt("mountains", "", seed).palette.name for seed in range(40)}) >= 5


def test_the_negative_prompt_drops_styles_and_colours() -> None:
    for number in range(60):
        wish = Prompt(f"qwx {number}", "", 1)
        word = min(wish.style.words)
        assert Prompt(wish.text, word, 1).style is not wish.style
    unwanted = {Prompt("mountains", "blue, sunset", seed).palette.name for seed in range(60)}
    assert unwanted
    assert not unwanted & {"blue", "dusk"}


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_colour_words_colour_the_picture(style: Any) -> None:
    word = min(style.words - set(COLOUR_WORDS))
    red = means(paint(f"{word}, red", "", 5, 96, 96))
    blue = means(paint(f"{word}, blue", "", 5, 96, 96))
    green = means(paint(f"{word}, green", "", 5, 96, 96))
    assert red[0] - red[2] > blue[0] - blue[2] + 20
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert green[1] > green[2]
    grey = paint(f"{word}, black and white", "", 5, 96, 96).astype(int)
    assert np.ptp(grey, axis=2).max() < 24


def test_two_colours_are_mixed() -> None:
    both = Prompt("mandala, blue and golden", "", 1).palette
    assert both.tones[0] == PALETTES["blue"].tones[0]
    assert both.tones[4] == PALETTES["golden"].tones[4]


@pytest.mark.parametrize(("width", "height"), [(64, 64), (240, 240), (512, 768), (1024, 240)])
def test_the_label_is_in_the_corner_and_can_be_read(width: int, height: int) -> None:
    bare = Image.new("RGB", (width, height), (120, 120, 120))
    image = bare.copy()
    add_label(image)
    changed = np.argwhere(np.asarray(image) != np.asarray(bare))
    assert changed[:, 0].min() > height * 0.6
    assert changed[:, 1].min() > width * (0.3 if width < 100 else 0.6)
    rows, columns = np.nonzero(np.asarray(image).min(axis=2) > 235)
    assert 7 <= np.ptp(rows) + 1 <= 0.2 * min(width, height)
    assert np.ptp(columns) > 1.5 * np.ptp(rows)
    assert np.asarray(image).max(axis=2).min() < 45  # the outline


@pytest.mark.parametrize("subject", ["snow", "a black cat", "black and white flow"])
def test_every_painting_has_the_label(subject: str) -> None:
    bare = Image.new("RGB", (240, 240))
    add_label(bare)
    letters = np.asarray(bare).min(axis=2) == 250  # where nothing of what is below shows through
    assert letters.sum() > 40
    assert (paint(subject, "", 1, 240, 240)[letters] >= 250).all()


def test_repainting_goes_from_the_original_to_the_painting() -> None:
    original = np.asarray(Image.linear_gradient("L").resize((160, 120)).convert("RGB"))
    steps = [repaint(original, strength, "red flower", "", 2) for strength in (0.0, 0.25, 0.5, 0.75, 1.0)]
    labelled = Image.fromarray(original)
    add_label(labelled)
    assert steps[0].tobytes() == np.asarray(labelled).tobytes()
    assert apart(steps[-1], paint("red flower", "", 2, 160, 120)) < 1
    to_painting = [apart(step, steps[-1]) for step in steps]
    assert to_painting == sorted(to_painting, reverse=True)
    assert repaint(original, 7.0, "red flower", "", 2).tobytes() == steps[-1].tobytes()


@pytest.mark.parametrize("size", [(64, 64), (8, 8), (97, 40)])
def test_previews_come_out_of_noise(size: tuple[int, int]) -> None:
    picture = paint("a cat", "", 1, *size)
    stages = [np.asarray(half_done(picture, part / 8, 5)) for part in range(9)]
    left = [apart(stage, picture) for stage in stages]
    assert left == sorted(left, reverse=True)
    assert left[0] > 30
    assert stages[-1].tobytes() == picture.tobytes()
    assert stages[3].tobytes() == np.asarray(half_done(picture, 3 / 8, 5)).tobytes()
    assert stages[3].tobytes() != np.asarray(half_done(picture, 3 / 8, 6)).tobytes()


def test_a_preview_of_img2img_begins_with_its_picture() -> None:
    start, picture = paint("city", "", 1, 96, 96), paint("a cat", "", 1, 96, 96)
    first = shrunk(np.asarray(half_done(picture, 0.05, 5, start)), (6, 6))
    assert apart(first, shrunk(start, (6, 6))) < apart(first, shrunk(picture, (6, 6)))
