"""Bombs: pictures and answers that are small on the wire, and want to be large or slow where they are opened."""

from __future__ import annotations

import base64
import json
import struct
import zlib

GIGABYTE = 2**30


def small_pictures_that_grow() -> dict[str, bytes]:
    """Each is under 10 MB, and is no picture that has to be shown."""
    return {
        "PNG of 12000x12000": png(12000, 12000, pixels=zeros(12000 * 36001)),
        "PNG of 30000x30000": png(30000, 30000, pixels=zeros(30000 * 90001)),
        "PNG, JPEG's largest side squared": png(65535, 65535),
        "PNG of 2^31-1 squared": png(2**31 - 1, 2**31 - 1),
        "JPEG of 65500x65500": b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 65500, 65500) + JPEG_REST,
        "WebP of 2^24 squared": webp(2**24, 2**24),
        "WebP, animated, 60,000 frames": webp(16000, 16000, b"ANMF\x10\0\0\0" + bytes(16), 60_000),
        "GIF of 65535x65535": gif(65535, 65535, FRAME),
        "GIF whose frame is larger than its screen": gif(1, 1, b"," + struct.pack("<4HB", 0, 0, 65535, 65535, 0)),
        "GIF of 200,000 extensions": gif(8, 8, b"!\xfe\1a\0" * 200_000 + FRAME),
        "BMP of 2^31-1 squared": bmp(2**31 - 1, 2**31 - 1),
        "BMP of run lengths, 8000x8000": bmp(8000, 8000, 1),
        "PNG of 50,000 chunks": png(8, 8, chunk(b"tEXt", b"a\0b") * 50_000),
        "PNG, 8000x8000, nothing in it": png(8000, 8000, pixels=zlib.compress(b"")),
        "JPEG of 50,000 segments": b"\xff\xd8" + b"\xff\xfe\0\2" * 50_000,
    }


def pictures_with_baggage() -> dict[str, bytes]:
    """Each is a picture of 8 by 8 pixels with something along that inflates to a gigabyte, or has a million frames."""
    inflated = zeros(GIGABYTE)
    return {
        "PNG, zTXt inflates to 1 GB": png(8, 8, chunk(b"zTXt", b"parameters\0\0" + inflated)),
        "PNG, iTXt inflates to 1 GB": png(8, 8, chunk(b"iTXt", b"parameters\0\1\0\0\0" + inflated)),
        "PNG, iCCP inflates to 1 GB": png(8, 8, chunk(b"iCCP", b"profile\0\0" + inflated)),
        "PNG, 8x8, pixels inflate to 1 GB": png(8, 8, pixels=inflated),
        "APNG of 2^31-1 frames": png(8, 8, chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
        "GIF of 100,000 frames": gif(8, 8, FRAME * 100_000),
    }


def bodies_that_grow() -> dict[str, bytes]:
    """No JSON that anybody needs: each is what a client may send, and what an upstream may answer."""
    return {
        "100,000 brackets": b"[" * 100_000,
        "100,000 brackets, closed": b'{"images": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "a number of a million digits": b'{"images": ' + b"9" * 1_000_000 + b"}",
        "an exponent of a million digits": b'{"images": 1e' + b"9" * 1_000_000 + b"}",
        "NaN, so the slow parser, and brackets": b'{"a": NaN, "images": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "not JSON, 1 MB of quotes": b'"' * 1_000_000,
    }


def answers_of(pictures: dict[str, bytes]) -> dict[str, bytes]:
    """A1111's answers with these in `images`."""
    return {name: answer(picture) for name, picture in pictures.items()}


def answer(picture: bytes, count: int = 1) -> bytes:
    images = [base64.b64encode(picture).decode()] * count
    return json.dumps({"images": images, "parameters": {}, "info": "{}"}).encode()


def gzip_bomb(size: int) -> bytes:
    """A gzip of A1111's answer, whose picture is so many letters: a thousandth of them."""
    deflate = zlib.compressobj(9, wbits=31)
    million = b"A" * 1_000_000
    parts = [deflate.compress(b'{"images": ["'), *(deflate.compress(million) for _ in range(size // 1_000_000))]
    return b"".join([*parts, deflate.compress(b'"]}'), deflate.flush()])


# --- How they are made

FRAME = b"," + struct.pack("<4HB", 0, 0, 8, 8, 0) + b"\2\2\x4c\1\0"
JPEG_REST = b"\3\1\x11\0\2\x11\1\3\x11\1\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0?\0"


def zeros(size: int) -> bytes:
    """So many zeros, deflated: one million of them, again and again, and the sum that belongs to them."""
    deflate = zlib.compressobj(9, wbits=-15)
    million = deflate.compress(bytes(1_000_000)) + deflate.flush(zlib.Z_FULL_FLUSH)
    rest = deflate.compress(bytes(size % 1_000_000)) + deflate.flush()
    return b"\x78\xda" + million * (size // 1_000_000) + rest + struct.pack(">HH", size % 65521, 1)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, before: bytes = b"", pixels: bytes | None = None) -> bytes:
    """An RGB picture; `pixels` is the deflated stream, black of 8 by 8 where it is None."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    stream = zlib.compress(bytes(8 * 25)) if pixels is None else pixels
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", stream) + chunk(b"IEND", b"")


def webp(width: int, height: int, frame: bytes = b"", count: int = 0) -> bytes:
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X\x0a\0\0\0\2\0\0\0" + sides + frame * count
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif(width: int, height: int, blocks: bytes) -> bytes:
    palette = b"\0\0\0\xff\xff\xff"
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + palette + blocks + b";"


def bmp(width: int, height: int, compression: int = 0) -> bytes:
    bits = 8 if compression else 24
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 0, 0, 0, 54 + 1024) + header + bytes(1024) + b"\0\2\1\0\0\0" * 4000
