"""Pictures: an encoded picture becomes an RGB image, its header read first and nothing decoded but its pixels."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

# Registered by name, else the first WebP makes Pillow import every plugin it has.
import PIL.WebPImagePlugin  # noqa: F401
from PIL import Image

from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.pictures import bmp, gif, jpeg, png, webp
from pico_a1111_proxy.pictures.exif import turn_upright

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PIXELS = 64_000_000


class FileFormat(Protocol):
    """What the module of each kind of file knows, without decoding and without Pillow."""

    LABEL: str

    def recognise(self, data: bytes) -> bool:
        """Whether these first bytes, 18 or more, are of this kind."""

    def read_size(self, data: bytes) -> tuple[int, int]:
        """Width and height in pixels; zeros, IndexError or struct.error where the header is damaged."""

    def only_pixels(self, data: bytes, *, keep_alpha: bool) -> bytes:
        """Leave out of the file what makes no pixels. LookupError or ValueError where that can't be told."""

    def find_exif(self, data: bytes) -> bytes:
        """Return the EXIF record, empty where there is none."""


_FORMATS: dict[str, FileFormat] = {"png": png, "jpeg": jpeg, "webp": webp, "gif": gif, "bmp": bmp}
KINDS = tuple(_FORMATS)

# What Pillow and the readers here raise on bad bytes. TypeError, AttributeError and AssertionError stay bugs.
_BAD_BYTES = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    ArithmeticError,
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
    return next((kind for kind, form in _FORMATS.items() if form.recognise(data)), None)


def read_header(data: bytes) -> Header:
    """Read kind and size, without decoding and without Pillow, some of whose openers allocate the canvas.

    Raises PictureError for another kind of file, a damaged header, or more than MAX_PIXELS. Pillow's own limit
    (`Image.MAX_IMAGE_PIXELS`: 89 megapixels, and a warning) is wider, belongs to the whole process, and is left alone.
    """
    kind = kind_of(data)
    if kind is None:
        raise _refusal("unsupported format")
    try:
        width, height = _FORMATS[kind].read_size(data)
    except (struct.error, IndexError) as error:
        raise _refusal("its header is damaged") from error
    if width < 1 or height < 1:
        raise _refusal("its header is damaged")
    if width * height > MAX_PIXELS:
        raise _refusal(f"{width}x{height} is more than {MAX_PIXELS // 1_000_000} megapixels")
    return Header(kind, width, height)


def decode(data: bytes, background: tuple[int, int, int] | None = None) -> Image.Image:
    """Decode a picture (of an animation the first frame) to an image of mode RGB.

    Without a `background` the pixels are those of Pillow's `convert("RGB")`: alpha is dropped and EXIF ignored.
    With one (red, green, blue; 0 to 255) alpha is composited over it and the EXIF orientation applied. Samples of
    16 bits give their high byte. Raises PictureError for what can't be read, or is too large.
    """
    return _decode(data, background, fast=True)


def decode_with_pillow(data: bytes, background: tuple[int, int, int] | None = None) -> Image.Image:
    """Do what `decode` does by Pillow alone, the judge of the fast reader."""
    return _decode(data, background, fast=False)


def _decode(data: bytes, background: tuple[int, int, int] | None, *, fast: bool) -> Image.Image:
    header = read_header(data)
    form = _FORMATS[header.kind]
    try:
        pixels = form.only_pixels(data, keep_alpha=background is not None)
        image = _read_fast(pixels, header) if fast else None
        if image is None:
            image = _read_with_pillow(pixels, header, background)
    except MemoryError as error:
        raise _refusal(f"there is not enough memory for {header.width}x{header.height} pixels") from error
    except _BAD_BYTES as error:
        raise _refusal(f"the {form.LABEL} is damaged or cut off") from error
    turn = None if background is None else turn_upright(form.find_exif(data))
    return image if turn is None else image.transpose(turn)


def _refusal(why: str) -> PictureError:
    return PictureError(f"Failed to process image: {why}")


@cache
def _kornia() -> Callable[[bytes, tuple[int, int], str], Any] | None:
    try:
        import kornia_rs.io  # noqa: PLC0415  optional
    except ImportError:
        return None
    reader: Callable[[bytes, tuple[int, int], str], Any] = kornia_rs.io.decode_image_png_u8
    return reader


def _read_fast(data: bytes, header: Header) -> Image.Image | None:
    """Read a plain PNG, as upstreams send them, with kornia-rs; None leaves the picture to Pillow.

    kornia-rs checks every chunk's CRC, so what was damaged on the way is refused here, and Pillow judges. One thing
    it takes that Pillow refuses: a pixel stream whose end mark or Adler sum is wrong, under right CRCs. Only who wrote
    the file can bring that about, and to check it would take a second inflate, as long as the whole fast read.
    """
    read = _kornia()
    if read is None or header.kind != "png" or not png.is_plain(data):
        return None
    try:
        pixels = read(data, (header.height, header.width), "rgb")
    except Exception:  # noqa: BLE001  whatever it has against the file: Pillow judges
        return None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # a panic in Rust is no Exception
            raise
        return None
    return Image.frombytes("RGB", (header.width, header.height), pixels)


def _read_with_pillow(data: bytes, header: Header, background: tuple[int, int, int] | None) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(data), formats=[header.kind])
    if image.size != (header.width, header.height):
        raise ValueError(f"the header says {header.width}x{header.height}, the decoder {image.size}")
    image.load()
    if image.mode.startswith("I;16"):  # Pillow would clip it
        grey = Image.frombytes("L", image.size, image.tobytes()[1::2])
        grey.info = image.info
        image = grey
    if background is not None and image.has_transparency_data:
        if header.kind == "png":
            _fit_colour_key(image, png.depth(data))
        image = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, background)
        canvas.paste(image, mask=image)
        return canvas
    return image if image.mode == "RGB" else image.convert("RGB")


def _fit_colour_key(image: Image.Image, depth: int) -> None:
    """Bring a PNG's transparent colour from the file's depth, where Pillow leaves it, to the 8 bits of the samples."""

    def fit(sample: int) -> int:
        most = (1 << depth) - 1
        return sample >> 8 if depth == 16 else (sample & most) * 255 // most

    key = image.info.get("transparency")
    if isinstance(key, tuple):
        image.info["transparency"] = tuple(map(fit, key))
    elif isinstance(key, int) and image.mode == "L":
        image.info["transparency"] = fit(key)
