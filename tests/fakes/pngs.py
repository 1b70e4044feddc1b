"""PNGs made chunk by chunk: what Pillow does not write, and what is wrong with them."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # a pixel's, by colour type
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Name and data of each chunk, as far as the file goes."""
    found, place = [], 8
    while place + 8 <= len(png):
        (length,) = struct.unpack_from(">I", png, place)
        found.append((png[place + 4 : place + 8], png[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def join(parts: list[tuple[bytes, bytes]]) -> bytes:
    return SIGNATURE + b"".join(chunk(*part) for part in parts)


def ihdr(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)


def rows(header: bytes, seed: int = 0) -> bytes:
    """Noise for the rows that `header` asks for, under every filter there is."""
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    noise = random.Random(seed)

    def lengths() -> Iterator[int]:
        for left, top, across, down in ADAM7 if interlace else ((0, 0, 1, 1),):
            columns, lines = -(-(width - left) // across), -(-(height - top) // down)
            if columns > 0:
                yield from [(columns * SAMPLES[colour] * depth + 7) // 8] * max(0, lines)

    return b"".join(bytes([noise.randrange(5)]) + noise.randbytes(length) for length in lengths())


def png(header: bytes, before: bytes = b"", pixels: bytes | None = None) -> bytes:
    """A PNG of noise; `before` are chunks that go before the pixels, `pixels` another stream of them."""
    stream = zlib.compress(rows(header)) if pixels is None else pixels
    return SIGNATURE + chunk(b"IHDR", header) + before + chunk(b"IDAT", stream) + chunk(b"IEND", b"")


def bomb(width: int, height: int, before: bytes = b"") -> bytes:
    """A black RGB picture that takes a thousandth of its pixels' bytes."""
    size = height * (3 * width + 1)
    deflate = zlib.compressobj(9, wbits=-15)
    million = deflate.compress(bytes(1_000_000)) + deflate.flush(zlib.Z_FULL_FLUSH)
    rest = deflate.compress(bytes(size % 1_000_000)) + deflate.flush()
    adler = struct.pack(">HH", size % 65521, 1)  # of nothing but zeros
    return png(ihdr(width, height), before, b"\x78\xda" + million * (size // 1_000_000) + rest + adler)
