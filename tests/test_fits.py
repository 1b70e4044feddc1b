"""Fitting: light is kept where it is resized as light, edges are sharpened, and what fits is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from fakes.pictures import BLUE, gradient
from pico_a1111_proxy.displays import FITS, Display
from pico_a1111_proxy.fits import fit

tries = settings(deadline=None)

EVERY_FIT = pytest.mark.parametrize("form", FITS)
SIDES = st.integers(1, 50)


def display(size: tuple[int, int], form: Any = "stretch", **more: Any) -> Display:
    return Display("d", *size, fit=form, **more)


def checkerboard(side: int, dark: int = 0, bright: int = 255) -> Image.Image:
    y, x = np.mgrid[:side, :side]
    return Image.fromarray(np.where((x + y) % 2, bright, dark).astype(np.uint8)).convert("RGB")


def light(value: float) -> float:
    """Of the value of an sRGB channel: IEC 61966-2-1."""
    share = value / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


def value(mean: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of light: the way back, not rounded."""
    shares = np.where(mean <= 0.0031308, mean * 12.92, 1.055 * mean ** (1 / 2.4) - 0.055)
    return 255 * shares


# To the nearest value, and in the dark a tenth more: half of one of 16384 steps of light.
NEAREST = 0.61


def inside(image: Image.Image) -> np.ndarray[Any, Any]:
    """Without the edge, where Lanczos sees one side only."""
    return np.asarray(image).astype(int)[4:-4, 4:-4]


@EVERY_FIT
def test_half_the_light_is_188_and_not_128(form: str) -> None:
    board = checkerboard(160)
    assert set(inside(fit(board, display((40, 40), form, linear_light=True))).ravel()) <= {187, 188}
    assert set(inside(fit(board, display((40, 40), form))).ravel()) <= {127, 128}


@pytest.mark.parametrize(("dark", "bright"), [(0, 60), (10, 200), (3, 12), (128, 255)])
def test_the_mean_light_is_kept(dark: int, bright: int) -> None:
    found = inside(fit(checkerboard(160, dark, bright), display((40, 40), linear_light=True)))
    wanted = (light(dark) + light(bright)) / 2
    assert light(found.min() - 0.6) <= wanted <= light(found.max() + 0.6)


def test_the_light_of_two_values_is_mixed_to_the_nearest_value() -> None:
    """Each value above each other: where nothing is resized across, a row of two pixels becomes their mean."""
    above, below = (values.ravel().astype(np.uint8) for values in np.meshgrid(np.arange(256), np.arange(256)))
    picture = Image.fromarray(np.stack([above, below])).convert("RGB")
    found = np.asarray(fit(picture, display((256 * 256, 1), linear_light=True)))[0, :, 0]
    lights = np.array([light(value) for value in range(256)])

    assert np.abs(found - value((lights[above] + lights[below]) / 2)).max() <= NEAREST


def test_light_is_mixed_by_lanczos_too() -> None:
    """Of black and white, whose light is their value, and which goes below none and above all at edges."""
    spots = np.random.default_rng(0).integers(0, 2, (8, 12)).repeat(7, axis=0).repeat(7, axis=1).astype(np.float32)
    found = fit(Image.fromarray(spots.astype(np.uint8) * 255).convert("RGB"), display((41, 27), linear_light=True))
    wanted = np.asarray(Image.fromarray(spots).resize((41, 27), Image.Resampling.LANCZOS))

    assert wanted.min() < 0
    assert wanted.max() > 1
    assert np.abs(np.asarray(found)[..., 0] - value(wanted.clip(0, 1))).max() <= NEAREST


@EVERY_FIT
@tries
@given(value=st.integers(0, 255), size=st.tuples(SIDES, SIDES), linear=st.booleans(), sharpen=st.sampled_from([0, 200]))
def test_one_colour_stays_that_colour(form: str, value: int, size: tuple[int, int], linear: bool, sharpen: int) -> None:
    """Also in linear light, whose tables go there and back: black, white and each value between."""
    colour = (value, 255 - value, value // 2)
    panel = display(size, form, linear_light=linear, sharpen=sharpen, background="#" + bytes(colour).hex())

    assert fit(Image.new("RGB", (37, 23), colour), panel).getcolors() == [(size[0] * size[1], colour)]


def test_smooth_pictures_are_alike_in_both_lights() -> None:
    ramp = Image.merge("RGB", [Image.linear_gradient("L").resize((300, 300))] * 3)
    one, other = (fit(ramp, display((100, 100), linear_light=linear)) for linear in (False, True))
    assert np.abs(inside(one) - inside(other)).max() <= 1


@EVERY_FIT
@pytest.mark.parametrize("linear", [True, False])
def test_the_channels_stay_apart(form: str, linear: bool) -> None:
    picture = Image.merge("RGB", [Image.new("L", (60, 40), 200), *gradient((60, 40)).split()[1:]])
    found = np.asarray(fit(picture, display((30, 20), form, linear_light=linear)))
    assert np.all(found[..., 0] == 200)
    assert len(np.unique(found[..., 1])) > 10


@EVERY_FIT
def test_a_picture_of_the_displays_size_is_left_alone(form: str) -> None:
    picture = gradient((48, 32))
    found = fit(picture, display((48, 32), form, linear_light=True, sharpen=200))
    turned = fit(picture, display((32, 48), form, rotate=90, linear_light=True, sharpen=200))
    assert found.tobytes() == turned.tobytes() == picture.tobytes()


@EVERY_FIT
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("linear", [True, False])
def test_the_size_is_the_upright_one(form: str, rotate: int, linear: bool) -> None:
    panel = display((31, 17), form, rotate=rotate, linear_light=linear)
    assert fit(gradient((50, 20)), panel).size == ((31, 17) if rotate in (0, 180) else (17, 31))


@EVERY_FIT
def test_without_linear_light_it_is_lanczos_of_the_values(form: str) -> None:
    picture = gradient((90, 60))
    found = fit(picture, display((45, 30), form))  # the same shape: all fits are one
    assert found.tobytes() == picture.resize((45, 30), Image.Resampling.LANCZOS).tobytes()


@pytest.mark.parametrize("linear", [True, False])
def test_cover_is_the_middle_of_the_picture(linear: bool) -> None:
    picture = gradient((120, 60))
    found = fit(picture, display((30, 30), "cover", linear_light=linear))
    middle = fit(picture.crop((30, 0, 90, 60)), display((30, 30), linear_light=linear))
    assert np.abs(inside(found) - inside(middle)).max() <= 1


@pytest.mark.parametrize(
    ("picture", "panel", "box"),
    [
        ((5, 2), (20, 10), (0.5, 0, 4.5, 2)),
        ((2, 5), (10, 20), (0, 0.5, 2, 4.5)),
        ((7, 7), (9, 8), (0, 7 / 18, 7, 119 / 18)),
    ],
)
def test_cover_cuts_pixels_in_parts_so_that_shapes_stay_what_they_are(picture: Any, panel: Any, box: Any) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*picture[::-1], 3)).astype(np.uint8))
    found = fit(noise, display(panel, "cover"))
    assert found.tobytes() == noise.resize(panel, Image.Resampling.LANCZOS, box).tobytes()


def step() -> Image.Image:
    """Dark on the left, bright on the right."""
    image = Image.new("RGB", (80, 40), (60, 60, 60))
    image.paste((180, 180, 180), (40, 0, 80, 40))
    return image


def overshoot(percent: int) -> int:
    """How far below the dark side and above the bright one an edge goes that a picture was resized to."""
    row = np.asarray(fit(step(), display((40, 20), sharpen=percent)))[10, :, 0].astype(int)
    return int(max(60 - row.min(), row.max() - 180))


def test_sharpening_makes_edges_overshoot_the_more_the_more_of_it() -> None:
    none, some, much = overshoot(0), overshoot(50), overshoot(200)
    plain = step().resize((40, 20), Image.Resampling.LANCZOS)
    assert fit(step(), display((40, 20), sharpen=0)).tobytes() == plain.tobytes()
    assert none + 5 < some
    assert some + 15 < much


@EVERY_FIT
@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("percent", [20, 50, 200])
def test_the_pixels_of_the_display_are_sharpened_by_one_pixel(form: str, linear: bool, percent: int) -> None:
    """Not those of the picture, and also where an edge is faint."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    picture = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2))
    plain = fit(picture, display((45, 30), form, linear_light=linear))
    found = fit(picture, display((45, 30), form, linear_light=linear, sharpen=percent))

    assert found.tobytes() == plain.filter(ImageFilter.UnsharpMask(1, percent, 0)).tobytes()
    assert found.tobytes() != plain.tobytes()


def test_far_from_an_edge_sharpening_changes_nothing() -> None:
    row = np.asarray(fit(step(), display((40, 20), sharpen=200)))[10, :, 0]
    assert set(row[:12]) == {60}
    assert set(row[28:]) == {180}


@pytest.mark.parametrize(
    ("picture", "panel", "box"),
    [
        ((3, 5), (7, 7), (1, 0, 5, 7)),  # 4.2 wide, and one pixel more of the three over on the right
        ((5, 3), (7, 7), (0, 1, 7, 5)),
        ((2, 3), (7, 7), (1, 0, 6, 7)),  # 4.67 wide, to the nearest pixel
        ((3, 2), (7, 7), (0, 1, 7, 6)),
        ((10, 10), (9, 4), (2, 0, 6, 4)),
        ((1, 1), (5, 3), (1, 0, 4, 3)),
        ((1000, 1), (7, 5), (0, 2, 7, 3)),  # never less than one line
        ((1, 1000), (6, 5), (2, 0, 3, 5)),
        ((4, 4), (1, 1), (0, 0, 1, 1)),
    ],
)
@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("sharpen", [0, 200])
def test_contain_to_the_pixel(picture: Any, panel: Any, box: Any, linear: bool, sharpen: int) -> None:
    """Also sharpened: where the picture ends is no edge of it."""
    shape = display(panel, "contain", background="#ff8000", linear_light=linear, sharpen=sharpen)
    expected = Image.new("RGB", panel, (255, 128, 0))
    expected.paste(BLUE, box)
    assert fit(Image.new("RGB", picture, BLUE), shape).tobytes() == expected.tobytes()
