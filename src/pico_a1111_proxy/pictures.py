"""An encoded picture becomes an RGB image: the header is read first, and only what makes pixels is decoded."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

# Registered by name, else the first WebP makes Pillow import every plugin it has.
import PIL.WebPImagePlugin  # noqa: F401
from PIL import Image

from pico_a1111_proxy.errors import PictureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_PIXELS = 64_000_000
MAX_BLOCKS = 100_000  # PNG chunks, JPEG segments or GIF extensions: no encoder writes as many
MAX_SCANS = 100  # of a progressive JPEG, each of which visits every pixel; encoders write about ten
KINDS = ("png", "jpeg", "webp", "gif", "bmp")

_NAMES = {"png": "PNG", "jpeg": "JPEG", "webp": "WebP", "gif": "GIF", "bmp": "BMP"}
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes: the versions of the header that Pillow knows
_JPEG_BARE = frozenset((0x00, 0x01, *range(0xD0, 0xDA)))  # markers without a payload
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xDE}  # markers that tell a size
_JPEG_SCAN = 0xDA
# Comments, previews and metadata. APP0 and APP14 stay: they tell the colour space.
_JPEG_NO_PIXELS = frozenset(range(0xE1, 0xF0)) - {0xEE} | {0xFE}

# EXIF's Orientation, as the turn that undoes it.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What Pillow and the readers below raise on bad bytes. TypeError, AttributeError and AssertionError stay bugs.
_BAD_BYTES = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True)
class Header:
    """What a picture says of itself: `kind` is one of KINDS, `width` and `height` are pixels as stored."""

    kind: str
    width: int
    height: int


def kind_of(data: bytes) -> str | None:
    """Name the kind of a picture, one of KINDS, by its first 18 bytes or more; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"RIFF") and data[8:16] in {b"WEBPVP8 ", b"WEBPVP8L", b"WEBPVP8X"}:
        return "webp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    return None


def read_header(data: bytes) -> Header:
    """Read kind and size without decoding anything and without Pillow, whose openers may allocate the canvas.

    Raises PictureError for another kind of file, a damaged header, or more than MAX_PIXELS. This gate is stricter
    than Pillow's own (`Image.MAX_IMAGE_PIXELS`, 89 megapixels and only a warning), which is global and left alone.
    """
    kind = kind_of(data)
    if kind is None:
        raise _refusal("unsupported format")
    try:
        width, height = _SIZES[kind](data)
    except (struct.error, IndexError) as error:
        raise _refusal("its header is damaged") from error
    if width < 1 or height < 1:
        raise _refusal("its header is damaged")
    if width * height > MAX_PIXELS:
        raise _refusal(f"{width}x{height} is more than {MAX_PIXELS // 1_000_000} megapixels")
    return Header(kind, width, height)


def decode(data: bytes, background: tuple[int, int, int] | None = None) -> Image.Image:
    """Decode a picture (of an animation, the first frame) to an image of mode RGB.

    Without a `background` the pixels are those of Pillow's `convert("RGB")`: alpha is dropped and EXIF ignored.
    With one (red, green, blue, 0 to 255) alpha is composited over it and the EXIF orientation applied. Samples of
    16 bits give their high byte. Raises PictureError for what can't be read, or is too large.
    """
    return _decode(data, background, fast=True)


def decode_with_pillow(data: bytes, background: tuple[int, int, int] | None = None) -> Image.Image:
    """Do what `decode` does by Pillow alone, the judge of the fast reader."""
    return _decode(data, background, fast=False)


def _decode(data: bytes, background: tuple[int, int, int] | None, *, fast: bool) -> Image.Image:
    header = read_header(data)
    try:
        pixels = _without_metadata(header.kind, data, keep_alpha=background is not None)
        image = _read_fast(pixels, header) if fast and header.kind == "png" else None
        if image is None:
            image = _read_with_pillow(pixels, header, background)
    except _BAD_BYTES as error:
        raise _refusal(f"the {_NAMES[header.kind]} is damaged or cut off") from error
    turn = None if background is None else _TURNS.get(_orientation(_exif(header.kind, data)))
    return image if turn is None else image.transpose(turn)


def _refusal(why: str) -> PictureError:
    return PictureError(f"Failed to process image: {why}")


# --- Two readers: a fast one for the PNGs that upstreams send, and Pillow for the rest --------------------------


@cache
def _kornia() -> Callable[[bytes, tuple[int, int], str], Any] | None:
    try:
        from kornia_rs.io import decode_image_png_u8  # noqa: PLC0415  optional, and 6 ms to import
    except ImportError:
        return None
    return decode_image_png_u8


def _read_fast(png: bytes, header: Header) -> Image.Image | None:
    """Read a PNG of 8-bit RGB, neither interlaced nor with a transparent colour; None leaves it to Pillow.

    kornia-rs checks the CRC of every chunk, so what was damaged on the way goes to Pillow and is refused or mended
    there. One difference remains: it does not check the Adler sum at the end of the pixels, which Pillow does unless
    the sum lies in a read of its own. Only an encoder that gives wrong pixels right CRCs can bring that about;
    checking it costs a second inflate, as much as the whole fast read.
    """
    read = _kornia()
    if read is None or png[24:29] != b"\x08\x02\0\0\0" or png[37:41] != b"IDAT":
        return None
    try:
        pixels = read(png, (header.height, header.width), "rgb")
    except Exception:  # noqa: BLE001  whatever it says against a file, Pillow is the judge
        return None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's panic is no Exception
            raise
        return None
    return Image.frombytes("RGB", (header.width, header.height), pixels)


def _read_with_pillow(data: bytes, header: Header, background: tuple[int, int, int] | None) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(data), formats=[header.kind])
    if image.size != (header.width, header.height):
        raise ValueError(f"the header says {header.width}x{header.height}, the decoder {image.size}")
    image.load()
    if image.mode.startswith("I;16"):  # Pillow's own conversion would clip
        grey = Image.frombytes("L", image.size, image.tobytes()[1::2])
        grey.info = image.info
        image = grey
    if background is not None and image.has_transparency_data:
        _fit_colour_key(image, depth=data[24] if header.kind == "png" else 8)
        image = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, background)
        canvas.paste(image, mask=image)
        return canvas
    return image if image.mode == "RGB" else image.convert("RGB")


def _fit_colour_key(image: Image.Image, depth: int) -> None:
    """A PNG tells its transparent colour in its own depth, and Pillow has made the samples 8 bits."""

    def fit(sample: int) -> int:
        return sample >> 8 if depth == 16 else (sample % (1 << depth)) * 255 // ((1 << depth) - 1)

    key = image.info.get("transparency")
    if isinstance(key, tuple):
        image.info["transparency"] = tuple(map(fit, key))
    elif image.mode == "L" and key is not None:
        image.info["transparency"] = fit(key)


# --- What the headers say: width and height --------------------------------------------------------------------


def _png_size(data: bytes) -> tuple[int, int]:
    if data[8:16] != b"\0\0\0\x0dIHDR":
        return 0, 0
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    width = height = 0
    for marker, start, _ in _jpeg_segments(data):
        if marker in _JPEG_FRAMES:  # the last one counts, for Pillow too
            height, width = struct.unpack_from(">HH", data, start + 5)
    return width, height


def _webp_size(data: bytes) -> tuple[int, int]:
    form = data[12:16]
    if form == b"VP8X":
        return (struct.unpack_from("<I", data, 24)[0] & 0xFFFFFF) + 1, (struct.unpack_from("<I", data, 26)[0] >> 8) + 1
    if form == b"VP8L" and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    _, frame = _gif_first_frame(data)
    left, top, across, down = struct.unpack_from("<4H", data, frame + 1)
    return max(width, left + across), max(height, top + down)  # Pillow widens the canvas to what hangs over it


def _bmp_size(data: bytes) -> tuple[int, int]:
    old = data[14] == 12
    width, height = struct.unpack_from("<HH" if old else "<ii", data, 18)
    return width, abs(height)  # a negative height: the rows go from top to bottom


_SIZES: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "png": _png_size,
    "jpeg": _jpeg_size,
    "webp": _webp_size,
    "gif": _gif_size,
    "bmp": _bmp_size,
}


# --- The blocks of a file ---------------------------------------------------------------------------------------


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk, its length and CRC included; the end may lie beyond that of a cut file."""
    start = 8
    for _ in range(MAX_BLOCKS):
        if start + 8 > len(data):
            return
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        yield data[start + 4 : start + 8], start, end
        start = end


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment, up to and with the first scan's header."""
    start = 2
    for _ in range(MAX_BLOCKS):
        start = data.find(b"\xff", start)
        if start < 0 or start + 4 > len(data):
            return
        marker = data[start + 1]
        if marker == 0xFF:
            start += 1
        elif marker in _JPEG_BARE:
            start += 2
        else:
            end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
            yield marker, start, end
            if marker == _JPEG_SCAN:
                return
            start = end
