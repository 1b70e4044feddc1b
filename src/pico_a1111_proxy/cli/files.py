"""Files, folders and pipes: what is read, where what is made of it goes, and how a long run is told."""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from pico_a1111_proxy.cli.writing import PIPE, write
from pico_a1111_proxy.errors import PictureError
from pico_a1111_proxy.pictures import kind_of, read_header
from pico_a1111_proxy.pixels import FORMATS

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"})
FRAMES = frozenset({".rgb565", *(f".{name}" for name in FORMATS)})
HEAD = 64  # bytes of a file that tell what it is


@dataclass(frozen=True)
class Product:
    """What a command makes of each source.

    `make` takes the source's bytes and gives those of the target, or raises PictureError. `suffix` ends the names of
    the targets in a folder. `takes` says whether a file of a folder is a source. `size` is that of the PNGs that are
    made, in pixels; None where frames are.
    """

    suffix: str
    make: Callable[[bytes], bytes]
    takes: Callable[[Path], bool]
    size: tuple[int, int] | None = None


def make_each(names: Sequence[str], target: str, product: Product) -> None:
    """Make the product of every source, be it a file, a folder or a pipe, and end with status 1 where one failed.

    One that fails is told and does not stop the others. Raises UsageError where something would be lost.
    """
    if names.count(PIPE) > 1:
        raise click.UsageError("Standard input can be read only once")
    faults: list[str] = []  # in the order in which they are told
    sources = list(_find_sources(names, product, faults))
    several = len(names) > 1 or any(map(_is_folder, names))
    targets = _name_targets(sources, target, product.suffix, several=several)
    _refuse_losses(sources, targets, product)
    for told in faults:
        click.echo(told, err=True)
    with click.progressbar(targets, file=sys.stderr, hidden=len(targets) < 2, label="Converting") as bar:
        for source, into in zip(sources, bar, strict=True):
            fault = _make(source, into, product)
            if fault:
                faults.append(fault)
                lead = "\n" if len(targets) > 1 and sys.stderr.isatty() else ""  # the bar stands on this line
                click.echo(lead + fault, err=True)
    if faults:
        sys.exit(1)


def make_one(name: str, data: bytes, target: str, product: Product) -> None:
    """Make the product of `data`; `name` is what it is called in a folder. Ends and raises as `make_each` does."""
    [into] = _name_targets([name], target, product.suffix, several=False)
    _refuse_losses([], [into], product)
    fault = _make(name, into, product, data)
    if fault:
        raise click.ClickException(fault)


def _find_sources(names: Sequence[str], product: Product, faults: list[str]) -> Iterator[str]:
    """The names with each folder replaced by what `product` takes of it, in the order of names; `faults` grows."""
    for name in names:
        if not _is_folder(name):
            yield name
            continue
        try:
            found = [str(file) for file in sorted(Path(name).iterdir()) if _is_taken(file, product)]
        except OSError as error:
            faults.append(f"{_show(name)}: {error.strerror}")
            continue
        if not found:
            faults.append(f"{_show(name)}: holds nothing to work on")
        yield from found


def _is_folder(name: str) -> bool:
    return name != PIPE and Path(name).is_dir()


def _is_taken(file: Path, product: Product) -> bool:
    """Not what is hidden: half-written files are, and what macOS leaves beside each picture."""
    if file.name.startswith(".") or not file.is_file():
        return False
    try:
        return product.takes(file)
    except OSError:
        return False


def _name_targets(sources: Sequence[str], target: str, suffix: str, *, several: bool) -> list[str]:
    """Where each source goes. Raises UsageError where there is no place for it."""
    if target == PIPE:
        if several:
            raise click.UsageError("Standard output takes one file: name a folder for several")
        if sys.stdout and sys.stdout.isatty():
            raise click.UsageError("Standard output is a terminal: name a file, or send it into a pipe")
        return [PIPE]
    if target.endswith("/"):
        try:
            Path(target).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise click.UsageError(f"The folder {_show(target)} can't be made: {error.strerror}") from error
    if Path(target).is_dir():
        stems = ["stdin" if source == PIPE else Path(source).stem for source in sources]
        return [str(Path(target) / (stem + suffix)) for stem in stems]
    if several:
        raise click.UsageError(f"There is no folder {_show(target)} for several files; {_show(target)}/ makes it")
    return [target]


def _refuse_losses(sources: Sequence[str], targets: Sequence[str], product: Product) -> None:
    """Raise UsageError where something would be lost that nobody meant to lose."""
    files = [_real(file) for file in targets if file != PIPE]
    twice = [file for file, times in Counter(files).items() if times > 1]
    if twice:
        raise click.UsageError(f"Two of the files would get the same name, {_show(twice[0].name)}")
    read = {_real(source) for source in sources if source != PIPE}
    for file in files:
        suffix = file.suffix.lower()
        if file in read:
            raise click.UsageError(f"{_show(file.name)} would be written over itself")
        if product.size is None and suffix in PICTURES:
            raise click.UsageError(f"{_show(file.name)} is a picture's name, and this is a frame: a preview is a PNG")
        if product.size and suffix in (PICTURES | FRAMES) - {product.suffix}:
            raise click.UsageError(f"{_show(file.name)} is no name for a PNG")
        if product.size and _is_another_picture(file, product.size):
            raise click.UsageError(f"{_show(file.name)} is a picture of another size: delete it first if it may go")


def _is_another_picture(file: Path, size: tuple[int, int]) -> bool:
    """Whether there is a picture that can be no earlier preview: by accident people name a photograph."""
    if not file.is_file():
        return False
    try:
        with file.open("rb") as opened:
            head = opened.read(HEAD)
        if kind_of(head) in (None, "png"):
            header = read_header(head)
            return (header.width, header.height) != size
    except (OSError, PictureError):
        return False
    return True


def _make(source: str, target: str, product: Product, data: bytes | None = None) -> str | None:
    """Make one file, of `data` where it is given; a sentence where that fails."""
    read = "standard input" if source == PIPE else source
    written = "standard output" if target == PIPE else target
    try:
        made = product.make(_read(source) if data is None else data)
    except PictureError as error:
        return f"{_show(read)}: {error}"
    except OSError as error:
        return f"{_show(read)}: {error.strerror or error}"
    try:
        write(target, made)
    except OSError as error:
        return f"{_show(written)}: {error.strerror or error}"
    return None


def _read(source: str) -> bytes:
    if source != PIPE:
        return Path(source).read_bytes()
    if sys.stdin is None:  # the shell's <&-
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return sys.stdin.buffer.read()


def _real(name: str) -> Path:
    """Without symbolic links; Path.resolve raises RuntimeError where they go in a circle."""
    return Path(os.path.realpath(name))


def _show(name: str) -> str:
    """A name as it is, or quoted where it could make a second line or colours in the terminal."""
    return name if name.isprintable() else repr(name)
