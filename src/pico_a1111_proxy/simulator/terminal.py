"""An image in a terminal: half blocks in 24-bit colour."""

from __future__ import annotations

from PIL import Image

_HALF = "\N{UPPER HALF BLOCK}"
_PLAIN = "\x1b[0m"
_NO_GROUND = "\x1b[49m"  # below the last row of an odd number of rows


def draw(image: Image.Image, columns: int) -> str:
    """Lines of text that show `image` in a terminal of 24-bit colour, two rows of pixels to a line.

    What is wider than `columns` (1 or more) is shrunk to them; nothing is enlarged. Each line ends in plain colours,
    and all but the last in a line feed.
    """
    image = image.convert("RGB")
    if image.width > columns:
        image = image.resize((columns, max(1, round(image.height * columns / image.width))), Image.Resampling.BOX)
    width, height = image.size
    data = image.tobytes()
    pixels = [tuple(data[at : at + 3]) for at in range(0, len(data), 3)]
    rows = [pixels[at : at + width] for at in range(0, width * height, width)]
    lines = []
    for top in range(0, height, 2):
        below: list[tuple[int, ...] | None] = [*rows[top + 1]] if top + 1 < height else [None] * width
        lines.append(_line(rows[top], below))
    return "\n".join(lines)


def _line(upper: list[tuple[int, ...]], lower: list[tuple[int, ...] | None]) -> str:
    """One line, in which a colour is only told where it changes."""
    text, last_ink, last_ground = [], "", ""
    for above, below in zip(upper, lower, strict=True):
        ink = "\x1b[38;2;{};{};{}m".format(*above)
        ground = "\x1b[48;2;{};{};{}m".format(*below) if below else _NO_GROUND
        text.append((ink if ink != last_ink else "") + (ground if ground != last_ground else "") + _HALF)
        last_ink, last_ground = ink, ground
    return "".join(text) + _PLAIN
