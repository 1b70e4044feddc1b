"""Damaged pictures: refused in one sentence or read in spite of it, and by both readers alike."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.pngs import chunk, chunks, ihdr, join, png, rows
from fakes.samples import PICTURES, outcome, why_refused
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.pictures import decode, decode_with_pillow

IHDR = ihdr(17, 13)
STREAM = zlib.compress(rows(IHDR))
HALF = len(STREAM) // 2
PLAIN = png(IHDR)
TEXT = chunk(b"tEXt", b"parameters\0a cat")


WHOLE = {"png RGB", "png LA", "png P", "jpeg RGB", "gif P", "webp lossy", "webp lossless", "bmp RGB", "bmp P"}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_picture_cut_off_is_refused(name: str) -> None:
    data, label = PICTURES[name], {"webp": "WebP"}.get(name.split(maxsplit=1)[0], name.split(maxsplit=1)[0].upper())
    for part in (0.4, 0.7, 0.9):
        cut = data[: int(len(data) * part)]
        assert why_refused(cut) in {f"the {label} is damaged or cut off", "its header is damaged"}
    with pytest.raises(PictureError) as caught:
        decode(data[: int(len(data) * 0.9)])
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("left_out", ["PLTE", "IDAT"])
def test_a_png_without_a_part_it_needs(left_out: str) -> None:
    parts = [part for part in chunks(PICTURES["png P"]) if part[0] != left_out.encode()]
    for background in (None, (1, 2, 3)):
        assert outcome(decode, join(parts), background)[0] == "refused"


FLAWED = {
    "text with a bad CRC": png(IHDR, TEXT[:-1] + b"?"),
    "gamma too short": png(IHDR, chunk(b"gAMA", b"\0")),
    "profile of no known sort": png(IHDR, chunk(b"iCCP", b"profile\0\7junk")),
    "animation of no frames": png(IHDR, chunk(b"acTL", bytes(8))),
    "frame of an animation cut off": png(IHDR, chunk(b"fcTL", b"\0")),
    "junk behind the end": PLAIN + b"junk",
    "no end": PLAIN[:-12],
}
JPEG, GIF = PICTURES["jpeg RGB"], PICTURES["gif L"]
PICTURE_INDEX = b"\xff\xe2\0\x10MPF\0II*\0\xff\xff\0\0junk"
OTHERS_FLAWED = {
    "jpeg, index of more pictures damaged": (JPEG, JPEG[:2] + PICTURE_INDEX + JPEG[2:]),
    "jpeg, the same after a marker of unknown length": (JPEG, JPEG[:2] + b"\xff\xf0\0\3" + PICTURE_INDEX + JPEG[2:]),
    "jpeg, stray bytes between segments": (JPEG, JPEG[:20] + b"stray" + JPEG[20:]),
    "jpeg, an empty segment": (JPEG, JPEG[:2] + b"\xff\xee\0\0" + JPEG[2:]),
    "gif, an extension without content": (GIF, GIF.replace(b",\0\0\0\0", b"!\xff\0,\0\0\0\0", 1)),
    "gif, stray bytes before the frame": (GIF, GIF.replace(b",\0\0\0\0", b"stray,\0\0\0\0", 1)),
}


@pytest.mark.parametrize("name", FLAWED)
def test_flaws_that_touch_no_pixel_lose_no_picture(name: str) -> None:
    for read in (decode, decode_with_pillow):
        assert outcome(read, FLAWED[name]) == outcome(read, PLAIN)


@pytest.mark.parametrize("name", OTHERS_FLAWED)
def test_nor_do_those_of_other_kinds(name: str) -> None:
    whole, flawed = OTHERS_FLAWED[name]
    assert flawed != whole
    assert outcome(decode, flawed, (1, 2, 3)) == outcome(decode, whole)


def test_what_is_cut_off_is_not_made_up() -> None:
    level, header = 0, ihdr(8, 8)  # not compressed: any byte that came after the cut would pass for a pixel
    data = png(header, pixels=zlib.compress(rows(header), level))
    for missing in range(1, 20):
        assert why_refused(data[: -20 - missing]) == "the PNG is damaged or cut off"


# --- The fast reader and Pillow


def with_stream(*streams: bytes, between: bytes = b"") -> bytes:
    return PLAIN[:33] + between.join(chunk(b"IDAT", stream) for stream in streams) + PLAIN[-12:]


DAMAGED = {
    "whole": PLAIN,
    "in two": with_stream(STREAM[:HALF], STREAM[HALF:]),
    "in two and nothing": with_stream(STREAM[:HALF], b"", STREAM[HALF:]),
    "torn apart": with_stream(STREAM[:HALF], STREAM[HALF:], between=TEXT),
    "a part lost": with_stream(STREAM[:HALF]),
    "parts swapped": with_stream(STREAM[HALF:], STREAM[:HALF]),
    "a part twice": with_stream(STREAM[:HALF], STREAM[:HALF], STREAM[HALF:]),
    "bad CRC of the pixels": PLAIN[:-13] + bytes([PLAIN[-13] ^ 1]) + PLAIN[-12:],
    "bad CRC of the header": PLAIN[:29] + bytes([PLAIN[29] ^ 1]) + PLAIN[30:],
    "a bit turned in the pixels": PLAIN[:300] + bytes([PLAIN[300] ^ 16]) + PLAIN[301:],
    "no Adler sum": with_stream(STREAM[:-4]),
    "stream cut off": with_stream(STREAM[:-8]),
    "junk after the stream": with_stream(STREAM + b"junk"),
    "too many rows": png(IHDR, pixels=zlib.compress(rows(IHDR) * 2)),
    "a row too few": png(IHDR, pixels=zlib.compress(rows(IHDR)[:-52])),
    "a byte too few": png(IHDR, pixels=zlib.compress(rows(IHDR)[:-1])),
    "no such filter": png(IHDR, pixels=zlib.compress(b"\7" + rows(IHDR)[1:])),
    "no such filter in the last row": png(IHDR, pixels=zlib.compress(rows(IHDR)[:-52] + b"\5" + bytes(51))),
    "no such compression": png(IHDR[:10] + b"\1" + IHDR[11:]),
    "no such filtering": png(IHDR[:11] + b"\1" + IHDR[12:]),
    "no such depth": png(IHDR[:8] + b"\7" + IHDR[9:], pixels=STREAM),
    "no pixels": png(IHDR, pixels=b""),
    "end in the last CRC": PLAIN[:-14],
    "end in the pixels": PLAIN[:-20],
    "a length that lies": PLAIN[:33] + struct.pack(">I", len(STREAM) + 5) + PLAIN[37:],
    "a length beyond everything": PLAIN[:33] + b"\xff\xff\xff\xff" + PLAIN[37:],
    "a chunk nobody knows": png(IHDR, chunk(b"ABCD", b"x")),
    "another size": png(ihdr(18, 13), pixels=STREAM),
    "lower": png(ihdr(17, 12), pixels=STREAM),
    "transparent colour": png(IHDR, chunk(b"tRNS", bytes(6))),
    "suggested palette": png(IHDR, chunk(b"PLTE", bytes(9))),
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("background", [None, (9, 90, 200)])
def test_both_readers_give_the_same_pixels_or_the_same_refusal(name: str, background: tuple[int, int, int]) -> None:
    assert outcome(decode, DAMAGED[name], background) == outcome(decode_with_pillow, DAMAGED[name], background)


def ends_well(data: bytes) -> bool:
    """Whether the first run of IDAT chunks holds a whole zlib stream with the right Adler sum."""
    names = [name for name, _ in chunks(data)]
    parts = [part for name, part in chunks(data)[names.index(b"IDAT") :]]
    run = next((n for n, name in enumerate(names[names.index(b"IDAT") :]) if name != b"IDAT"), len(parts))
    stream = zlib.decompressobj()
    try:
        stream.decompress(b"".join(parts[:run]))
    except zlib.error:
        return False
    return stream.eof


def test_the_one_difference_is_a_stream_that_ends_badly_under_right_crcs() -> None:
    pytest.importorskip("kornia_rs")
    data = with_stream(STREAM[:-1] + bytes([STREAM[-1] ^ 1]))
    assert not ends_well(data)
    assert outcome(decode, data) == outcome(decode, PLAIN)
    assert outcome(decode_with_pillow, data) == ("refused", "Failed to process image: the PNG is damaged or cut off")


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """A plain PNG with some mishaps: to its chunks, whose CRCs are made right again, and then to its bytes."""
    header = ihdr(draw(st.integers(1, 24)), draw(st.integers(1, 24)))
    raw = rows(header, draw(st.integers(0, 2**32)))
    stream = zlib.compress(raw, draw(st.integers(0, 9)))
    cut = draw(st.integers(0, len(stream)))
    parts = [(b"IHDR", header), (b"IDAT", stream[:cut]), (b"IDAT", stream[cut:]), (b"IEND", b"")]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(parts) - 1))
        name, data = parts[place]
        match draw(st.sampled_from(["drop", "double", "swap", "rename", "insert", "turn", "shorten"])):
            case "drop" if len(parts) > 1:
                del parts[place]
            case "double":
                parts.insert(draw(st.integers(0, len(parts))), parts[place])
            case "swap":
                parts[place], parts[0] = parts[0], parts[place]
            case "rename":
                parts[place] = (draw(st.sampled_from([b"IDAT", b"iDAT", b"XDAT", b"I\xc1\0T"])), data)
            case "insert":
                known = st.sampled_from([b"tEXt", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"ABCD", b"eXIf"])
                parts.insert(place, (draw(known), draw(st.binary(max_size=30))))
            case "turn" if data:
                where = draw(st.integers(0, len(data) - 1))
                parts[place] = (name, data[:where] + draw(st.binary(min_size=1, max_size=1)) + data[where + 1 :])
            case "shorten":
                parts[place] = (name, data[: draw(st.integers(0, len(data)))])
    whole = bytearray(join(parts))
    for _ in range(draw(st.integers(0, 2))):
        whole[draw(st.integers(8, len(whole) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(whole[: draw(st.one_of(st.just(len(whole)), st.integers(8, len(whole))))])


@settings(max_examples=400, deadline=None)
@given(mutants(), st.sampled_from([None, (9, 90, 200)]))
def test_fuzzed_both_readers_agree(data: bytes, background: tuple[int, int, int] | None) -> None:
    fast, slow = outcome(decode, data, background), outcome(decode_with_pillow, data, background)
    assert fast == slow or (slow[0] == "refused" and not ends_well(data))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(PICTURES)), st.data())
def test_fuzzed_any_kind_gives_an_image_or_a_refusal(name: str, draw: st.DataObject) -> None:
    data = bytearray(PICTURES[name])
    for _ in range(draw.draw(st.integers(1, 4))):
        place = draw.draw(st.one_of(st.integers(0, min(63, len(data) - 1)), st.integers(0, len(data) - 1)))
        data[place : place + 1] = draw.draw(st.binary(max_size=3))
    result = outcome(decode, bytes(data), draw.draw(st.sampled_from([None, (9, 90, 200)])))
    assert result[0] in {"RGB", "refused"}


# --- Around it


def test_all_works_without_the_fast_reader() -> None:
    script = """
import sys
sys.modules["kornia_rs"] = None  # as if it were not installed
from pico_a1111_proxy.pictures import decode
sys.stdout.buffer.write(decode(sys.stdin.buffer.read()).tobytes())
"""
    run = subprocess.run([sys.executable, "-c", script], input=PLAIN, capture_output=True, check=True)
    assert run.stdout == decode(PLAIN).tobytes()


def test_threads_do_not_disturb_each_other() -> None:
    names = sorted(PICTURES) * 4
    expected = [outcome(decode, PICTURES[name], (1, 2, 3)) for name in names]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda name: outcome(decode, PICTURES[name], (1, 2, 3)), names)) == expected
