"""Headers, bombs and lies: what is no picture, too large or not what it says is refused before it costs anything."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import pytest

from fakes.pictures import encode
from fakes.pngs import bomb, chunk, ihdr, png, rows
from fakes.samples import MAPS, PICTURES, bmp, noise, outcome, why_refused
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.pictures import KINDS, MAX_PIXELS, Header, decode, kind_of, read_header

IHDR = ihdr(17, 13)
PLAIN = png(IHDR)


NO_PICTURES = [
    b"",
    b"\x89PNG",
    b"GIF88a" + bytes(20),
    b"RIFF\x24\0\0\0WAVEfmt " + bytes(16),
    b"RIFF\x24\0\0\0WEBPJUNK" + bytes(16),
    b"BM is no bitmap just because it begins so",
    b"\xff\xd8 a JPEG goes on otherwise",
    b"\0\0\0\x20ftypavif" + bytes(20),
    b"/file=outputs/grid-0001.png",
]


@pytest.mark.parametrize("data", NO_PICTURES)
def test_what_is_no_picture(data: bytes) -> None:
    assert kind_of(data) is None
    with pytest.raises(PictureError, match=r"^Failed to process image: unsupported format$"):
        decode(data)


@pytest.mark.parametrize(
    "name", ["png RGB", "jpeg RGB", "gif P", "webp lossy", "webp lossless", "webp animated", "bmp RGB"]
)
def test_a_header_cut_off(name: str) -> None:
    assert {kind.split()[0] for kind in PICTURES} == set(KINDS)
    with pytest.raises(PictureError, match=r"^Failed to process image: its header is damaged$"):
        read_header(PICTURES[name][:20])


def sized(width: int, height: int) -> dict[str, bytes]:
    """The headers of pictures of this size, and nothing after."""
    sides = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
    less = struct.pack("<I", width - 1 & 0xFFFFFF)[:3] + struct.pack("<I", height - 1 & 0xFFFFFF)[:3]
    return {
        "png": png(ihdr(width, height), pixels=b""),
        "jpeg": b"\xff\xd8\xff\xc0\0\x11\x08" + sides + b"\3\1\x11\0\2\x11\1\3\x11\1",
        "webp": b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + less,
        "gif": b"GIF89a" + struct.pack("<HH", width, height) + bytes(3) + b"," + bytes(9),
        "bmp": bmp(24, (width, -height), b""),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_is_64_megapixels(kind: str) -> None:
    assert MAX_PIXELS == 8000 * 8000
    assert read_header(sized(8000, 8000)[kind]) == Header(kind, 8000, 8000)
    with pytest.raises(PictureError, match=r"^Failed to process image: 8001x8000 is more than 64 megapixels$"):
        decode(sized(8001, 8000)[kind])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "webp"])  # which tells its size less one
def test_no_pixels_is_no_size(kind: str) -> None:
    for size in ((0, 5), (5, 0)):
        with pytest.raises(PictureError, match="its header is damaged"):
            read_header(sized(*size)[kind])


# --- Bombs


def peak_of(data: bytes, script: str) -> int:
    """Run `script` over `data` in a process of its own; the MB by which its memory grew at the most."""
    measured = f"""
import sys
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.pictures import decode
data = sys.stdin.buffer.read()
peak = lambda: int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
before = peak()
{script}
print((peak() - before) // 1024)
"""
    # A backtrace of a panic in Rust takes memory too, and how much depends on the machine.
    quiet = {**os.environ, "RUST_BACKTRACE": "0"}
    program = [sys.executable, "-c", measured]
    run = subprocess.run(program, input=data, capture_output=True, env=quiet, timeout=60, check=False)
    assert run.returncode == 0, run.stderr.decode()
    return int(run.stdout)


REFUSE = """
try: decode(data)
except PictureError: pass
else: raise SystemExit("taken")
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells the peak on Linux")
def test_refusing_a_bomb_costs_no_memory() -> None:
    data = bomb(12000, 12000)
    assert len(data) < 450_000
    assert why_refused(data) == "12000x12000 is more than 64 megapixels"
    assert peak_of(data, REFUSE) < 10
    assert peak_of(bomb(4000, 4000), "decode(data)") > 40  # so the measure can tell


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_picture_that_does_not_fit_in_memory_is_refused() -> None:
    script = f"""
from pico_a1111_proxy.pictures import decode_with_pillow
for reader in (decode, decode_with_pillow):
    reader({PLAIN!r})  # what is imported at first use now is
import resource
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 100_000_000,) * 2)
try: decode(data)
except PictureError as error: assert str(error).endswith("not enough memory for 8000x8000 pixels"), error
else: raise SystemExit("taken")
"""
    peak_of(bomb(8000, 8000), script)


def test_texts_and_profiles_that_inflate_are_left_alone() -> None:
    inflated = zlib.compress(bytes(30_000_000), 9)
    bombs = [
        chunk(b"zTXt", b"parameters\0\0" + inflated) * 3,
        chunk(b"iTXt", b"parameters\0\1\0\0\0" + inflated) * 3,
        chunk(b"iCCP", b"profile\0\0" + inflated),
        chunk(b"tEXt", b"parameters\0" + b"x" * 3_000_000),
    ]
    for before in bombs:
        for header in (IHDR, ihdr(17, 13, colour=6)):  # the one for the fast reader, the other for Pillow
            data, plain = png(header, before, zlib.compress(rows(header))), png(header)
            tracemalloc.start()
            image = decode(data, (1, 2, 3))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert image.tobytes() == decode(plain, (1, 2, 3)).tobytes()
            assert peak < 1_000_000


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    data = encode(noise("RGB"), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert decode(data[:-2] + scan * 10 + data[-2:]).size == (23, 19)
    assert why_refused(data[:-2] + scan * 1000 + data[-2:]) == "the JPEG is damaged or cut off"


def test_a_bmp_of_run_lengths_has_a_limit_of_its_own() -> None:
    jumps = b"\0\2\1\0\0\0" * 4000  # one pixel on, and the rest of the row: Pillow fills it byte by byte
    assert why_refused(bmp(8, (4000, 4000), MAPS + jumps, compression=1)) == "the BMP is damaged or cut off"
    assert decode(bmp(8, (40, 4000), MAPS + jumps, compression=1)).size == (40, 4000)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:33] + chunk(b"tEXt", b"a\0b") * 200_000 + PLAIN[33:],
        PLAIN[:33] + chunk(b"IDAT", b"") * 200_000 + PLAIN[33:],
        b"\xff\xd8" + b"\xff\xfe\0\2" * 200_000 + PICTURES["jpeg RGB"][2:],
        b"\xff\xd8" + b"\xff" * 200_000 + PICTURES["jpeg RGB"][2:],
        PICTURES["gif L"][:13] + b"!\xfe\1a\0" * 200_000 + PICTURES["gif L"][13:],
    ],
    ids=["texts", "pixels", "comments", "padding", "extensions"],
)
def test_endless_blocks_are_not_followed(data: bytes) -> None:
    assert why_refused(data) in {"its header is damaged", "the PNG is damaged or cut off"}


# --- Files that lie


def test_a_second_header_is_not_believed() -> None:
    data = png(IHDR, chunk(b"IHDR", ihdr(20000, 20000)))
    assert outcome(decode, data) == outcome(decode, PLAIN)


def test_of_two_jpeg_frames_the_last_counts_as_it_does_for_pillow() -> None:
    data = PICTURES["jpeg RGB"]
    place = data.index(b"\xff\xc0")
    frame = bytearray(data[place : place + 19])
    frame[5:9] = struct.pack(">HH", 10000, 9500)  # Pillow would warn
    assert (
        why_refused(data[: place + 19] + bytes(frame) + data[place + 19 :]) == "9500x10000 is more than 64 megapixels"
    )


def test_a_gif_frame_beyond_the_limit() -> None:
    data = bytearray(PICTURES["gif L"])
    frame = data.index(b",\0\0\0\0")
    data[frame + 5 : frame + 9] = struct.pack("<HH", 10000, 9500)
    assert why_refused(bytes(data)) == "10000x9500 is more than 64 megapixels"


def test_a_bmp_whose_height_pillow_reads_otherwise() -> None:
    assert why_refused(bmp(24, (1, -(2**24) - 1), bytes(64))) == "the BMP is damaged or cut off"


def test_a_webp_whose_frame_is_not_its_canvas() -> None:
    data = bytearray(PICTURES["webp animated"])
    data[24:30] = b"\x05\0\0\x05\0\0"
    assert why_refused(bytes(data)) == "the WebP is damaged or cut off"
