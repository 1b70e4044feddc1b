"""convert, preview and testcard: pictures become frames, and frames become what the panel shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pico_a1111_proxy.cli.displays import choose_display, display_options
from pico_a1111_proxy.cli.files import FRAMES, HEAD, PICTURES, Product, make_each, make_one
from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.frames import convert as convert_picture
from pico_a1111_proxy.frames import preview as preview_frame
from pico_a1111_proxy.frames import read_frame
from pico_a1111_proxy.pictures import kind_of


@click.command()
@click.argument("sources", nargs=-1, required=True)
@click.argument("target")
@display_options
def convert(sources: tuple[str, ...], target: str, **options: Any) -> None:
    """Make pictures the frames of a display.

    SOURCES are PNG, JPEG, WebP, GIF or BMP files, folders with such files, or - for standard input. TARGET is a
    file, a folder, or - for standard output. The default display is the one of the settings.
    """
    display = choose_display(options)
    make_each(sources, target, _frame_of(display))


@click.command()
@click.argument("sources", nargs=-1, required=True)
@click.argument("target")
@display_options
def preview(sources: tuple[str, ...], target: str, **options: Any) -> None:
    """Make PNGs of what the panel shows.

    SOURCES are frames, or pictures that become frames first; SOURCES and TARGET are otherwise as in convert.
    """
    display = choose_display(options)
    make_each(sources, target, _preview_of(display))


@click.command()
@click.argument("target", default="-")
@click.option("--preview", "as_preview", is_flag=True, help="A PNG of what the panel has to show.")
@display_options
def testcard(target: str, as_preview: bool, **options: Any) -> None:
    """Make the test card of a display, which shows whether colours and edges are right.

    TARGET is as in convert; without one it is standard output.
    """
    from pico_a1111_proxy.testcards import draw_testcard  # noqa: PLC0415 - it loads a font

    display = choose_display(options)
    product = _preview_of(display) if as_preview else _frame_of(display)
    make_one("testcard", draw_testcard(display), target, product)


def _frame_of(display: Display) -> Product:
    return Product(
        suffix=f".{display.format}",
        make=lambda picture: convert_picture(picture, display).data,
        takes=_looks_like_a_picture,
    )


def _preview_of(display: Display) -> Product:
    size = display.frame_bytes

    def show(data: bytes) -> bytes:
        if kind_of(data):
            try:
                return preview_frame(convert_picture(data, display), display)
            except PictureError:
                if len(data) != size:  # else it is a frame, whose first pixels look like the start of a picture
                    raise
        return preview_frame(read_frame(data, display), display)

    def takes(file: Path) -> bool:
        # A frame of the wrong size is taken by its name, so that whoever has one is told.
        named = file.suffix.lower() == f".{display.format}"
        return named or file.stat().st_size == size or _looks_like_a_picture(file)

    return Product(suffix=".png", make=show, takes=takes, size=display.upright_size)


def _looks_like_a_picture(file: Path) -> bool:
    """By its name, so that a broken one is told; or by its first bytes, but for frames, which may begin like one."""
    suffix = file.suffix.lower()
    if suffix in PICTURES or suffix in FRAMES:
        return suffix in PICTURES
    with file.open("rb") as opened:
        return kind_of(opened.read(HEAD)) is not None
