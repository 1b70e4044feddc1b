"""Pictures: every kind and mode as Pillow's definition has it, transparency, orientation, and what the header says."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from fakes.pictures import corners, encode
from fakes.pngs import DEPTHS, chunk, ihdr, png, rows
from fakes.samples import PALETTE, PICTURES, noise
from pico_a1111_proxy.pictures import Header, decode, decode_with_pillow, kind_of, read_header

SIDES = st.integers(1, 64)
SEEDS = st.integers(0, 2**32 - 1)
GREY = (90, 100, 110)


def as_defined(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about palettes
        return Image.open(io.BytesIO(data)).convert("RGB")


def same(one: Image.Image, other: Image.Image) -> bool:
    return (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_and_mode_as_defined(name: str) -> None:
    data = PICTURES[name]
    kind = name.split(maxsplit=1)[0]
    expected = as_defined(data)
    assert kind_of(data[:24]) == kind
    assert read_header(data) == Header(kind, *expected.size)
    assert same(decode(data), expected)
    assert same(decode_with_pillow(data), expected)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    colour = draw(st.sampled_from(sorted(DEPTHS)))
    depth = draw(st.sampled_from(DEPTHS[colour]).filter(lambda depth: (colour, depth) != (0, 16)))
    return ihdr(draw(SIDES), draw(SIDES), depth, colour, draw(st.integers(0, 1)))


@given(headers(), SEEDS, st.integers(0, 9))
def test_a_png_of_any_size_and_mode_as_defined(header: bytes, seed: int, level: int) -> None:
    data = png(header, PALETTE, zlib.compress(rows(header, seed), level))
    assert same(decode(data), as_defined(data))


@given(SIDES, SIDES, SEEDS, st.integers(0, 9), st.sampled_from([b"", PALETTE, chunk(b"gAMA", b"\0\1\0\0")]))
def test_the_fast_reader_and_pillow_agree(width: int, height: int, seed: int, level: int, before: bytes) -> None:
    header = ihdr(width, height)
    data = png(header, before, zlib.compress(rows(header, seed), level))
    assert same(decode(data), as_defined(data))
    assert same(decode(data, GREY), as_defined(data))


OTHERS = {
    "JPEG": ("L", "RGB", "CMYK"),
    "GIF": ("1", "L", "P", "RGB", "RGBA"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
}


@given(st.sampled_from([(form, mode) for form, modes in OTHERS.items() for mode in modes]), SIDES, SIDES, SEEDS)
def test_other_kinds_of_any_size_and_mode_as_defined(kind: tuple[str, str], width: int, height: int, seed: int) -> None:
    data = encode(noise(kind[1], (width, height), seed), kind[0])
    assert same(decode(data), as_defined(data))


def test_an_rgb_image_is_not_copied() -> None:
    assert decode(PICTURES["jpeg RGB"]).format == "JPEG"  # a copy would have forgotten


@pytest.mark.parametrize("interlace", [0, 1])
def test_grey_of_16_bits_gives_its_high_byte(interlace: int) -> None:
    values = [0, 1, 255, 256, 257, 32767, 32768, 65535]
    if interlace:  # its first pass holds the first value alone
        values = values[:1] * 8
    header = ihdr(8, 1, 16, 0, interlace)
    lines = [1, 1, 2, 4] if interlace else [8]
    pixels = b"".join(b"\0" + struct.pack(f">{n}H", *values[:n]) for n in lines)
    assert decode(png(header, pixels=zlib.compress(pixels))).tobytes() == bytes(v >> 8 for v in values for _ in "rgb")


def test_colour_of_16_bits_gives_its_high_byte() -> None:
    pixels = b"\0" + struct.pack(">6H", 0, 255, 256, 32768, 65280, 65535)
    assert decode(png(ihdr(2, 1, 16, 2), pixels=zlib.compress(pixels))).tobytes() == bytes([0, 0, 1, 128, 255, 255])


def test_a_gif_s_first_frame_may_hang_over_its_canvas() -> None:
    data = bytearray(PICTURES["gif P"])
    data[6:10] = struct.pack("<HH", 5, 30)
    assert read_header(bytes(data)) == Header("gif", 23, 30)
    assert same(decode(bytes(data)), as_defined(bytes(data)))


# --- Transparency


def over(image: Image.Image, background: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    rgba = np.asarray(image.convert("RGBA")).astype(float)
    alpha = rgba[..., 3:] / 255
    result: np.ndarray[Any, Any] = rgba[..., :3] * alpha + np.array(background) * (1 - alpha)
    return result


@pytest.mark.parametrize(
    "name",
    ["png LA", "png RGBA", "png palette with alpha", "png palette with a key", "webp lossless with alpha", "gif RGBA"],
)
def test_alpha_is_composited_over_the_background(name: str) -> None:
    with Image.open(io.BytesIO(PICTURES[name])) as image:
        expected = over(image, GREY)
    assert np.abs(np.asarray(decode(PICTURES[name], GREY)) - expected).max() <= 1


@pytest.mark.parametrize("alpha", [0, 255])
def test_alpha_all_or_nothing_is_exact(alpha: int) -> None:
    image = noise("RGB")
    image.putalpha(alpha)
    expected = image.convert("RGB") if alpha else Image.new("RGB", image.size, GREY)
    assert same(decode(encode(image), GREY), expected)
    assert same(decode(encode(image)), image.convert("RGB"))


OPAQUE = [name for name in PICTURES if not name.endswith(("LA", "RGBA", "alpha", "key")) or name.startswith("bmp")]


@pytest.mark.parametrize("name", OPAQUE)
def test_a_background_changes_nothing_that_is_opaque(name: str) -> None:
    assert same(decode(PICTURES[name], GREY), as_defined(PICTURES[name]))


@pytest.mark.parametrize(("depth", "colour"), [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2)])
def test_a_transparent_colour_counts_in_the_depth_of_the_file(depth: int, colour: int) -> None:
    most = (1 << depth) - 1
    samples = 3 if colour else 1
    bits = "".join(f"{value:0{depth}b}" * samples for value in (most, 0)).ljust(8, "0")
    pixels = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    key = chunk(b"tRNS", struct.pack(">H", most) * samples)
    data = png(ihdr(2, 1, depth, colour), key, zlib.compress(pixels))
    assert decode(data, GREY).tobytes() == bytes(GREY) + bytes(3)
    assert decode(data).tobytes() == b"\xff\xff\xff\0\0\0"


# --- Orientation


def exif(orientation: int, order: str = ">") -> bytes:
    mark = b"MM\0*" if order == ">" else b"II*\0"
    maker = struct.pack(order + "HHII", 0x010F, 2, 4, 0x41424300)
    turn = struct.pack(order + "HHIHHI", 0x0112, 3, 1, orientation, 0, 0)
    return mark + struct.pack(order + "IH", 8, 2) + maker + turn


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_exif_orientation(form: str, order: str, orientation: int) -> None:
    data = encode(corners((32, 16)), form, exif=b"Exif\0\0" + exif(orientation, order))
    with Image.open(io.BytesIO(data)) as image:
        assert same(decode(data, GREY), ImageOps.exif_transpose(image).convert("RGB"))
    assert same(decode(data), as_defined(data))


def test_an_alpha_picture_is_turned_with_its_background() -> None:
    image = corners((32, 16)).convert("RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    turned = decode(encode(image, exif=b"Exif\0\0" + exif(6)), GREY)
    assert turned.size == (16, 32)
    assert turned.getpixel((15, 0)) == GREY


RECORDS = [b"", b"MM", b"junk" * 9, exif(6)[:20], exif(6).replace(b"\0\3", b"\0\7"), b"MM\0*\xff\xff\xff\xff\0\0"]


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_damaged_exif_record_loses_no_picture(form: str, record: bytes) -> None:
    data = encode(corners((32, 16)), form, exif=b"Exif\0\0" + record)
    assert same(decode(data, GREY), decode(encode(corners((32, 16)), form)))
