"""The page of a test card: the card as it should look, the legend whose links step through the faults, the facts."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import quote, urlencode

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.fields import DisplayFields
from pico_a1111_proxy.testcards import Row, legend
from pico_a1111_proxy.web.options import FrameOptions
from pico_a1111_proxy.web.representations import Representation

LARGEST_SHOWN = 480  # pixels of the enlarged card's longer side, where the card itself is not larger

_PAGE = Template((files(__package__) / "page" / "testcard.html").read_text(encoding="utf-8"))
_STYLE = (files(__package__) / "page" / "testcard.css").read_text(encoding="utf-8")

# Nothing but this very style, and pictures of ours.
_POLICY = (
    "default-src 'none'; img-src 'self'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def testcard_page(display: Display, options: FrameOptions, base_url: str, *, needs_key: bool) -> Representation:
    """The page for `display`, which `options` have changed already; with `needs_key` its command sends one."""
    said = options.model_dump(mode="json", exclude_none=True, include=set(DisplayFields.model_fields))
    query = {name: str(value).lower() for name, value in said.items()}
    width, height = display.upright_size
    enlarged = max(1, LARGEST_SHOWN // max(width, height))
    values = {
        "name": display.name,
        "shape": "round" if display.round else "square",
        "preview": urlencode({**query, "answer": "preview"}),
        "width": str(width * enlarged),
        "height": str(height * enlarged),
        "command": _command(display, query, base_url, needs_key),
        "parameters": f": ?{urlencode(query)}" if query else "",
    }
    html = _PAGE.substitute(
        {name: escape(value) for name, value in values.items()},
        style=_STYLE,
        legend="\n".join(_row(row, query) for row in legend(display)),
        facts="\n".join(f"<dt>{escape(name)}<dd>{escape(value)}" for name, value in _facts(display)),
    )
    return Representation(html.encode("utf-8", "replace"), "text/html; charset=utf-8", _HEADERS)


def _command(display: Display, query: dict[str, str], base_url: str, needs_key: bool) -> str:
    """A line for a shell that fetches the frame."""
    key = "-H 'X-API-Key: YOUR_KEY' " if needs_key else ""
    address = f"{base_url.rstrip('/')}/displays/{quote(display.name, safe='')}/testcard"
    address += f"?{urlencode(query)}" if query else ""
    return f"curl -f {key}-o testcard.{display.format} {shlex.quote(address)}"


def _row(row: Row, query: dict[str, str]) -> str:
    swatches = "".join(
        f'<rect x="{at * 26}" width="24" height="16" fill="#{bytes(colour).hex()}"/>'
        for at, colour in enumerate(row.seen)
    )
    seen = f'<svg width="76" height="16" aria-hidden="true">{swatches}</svg>' if swatches else ""
    link = f'<br><a href="?{escape(urlencode({**query, **row.change}))}">{escape(row.query)}</a>' if row.change else ""
    return f"<tr><td>{seen}{escape(row.looks)}<td>{escape(row.wrong)}<td>{escape(row.todo)}{link}</tr>"


def _facts(display: Display) -> Iterator[tuple[str, str]]:
    """What a driver has to know, and what is sent to it now."""
    if display.label:
        yield "panel", display.label
    yield "size", f"{display.width}x{display.height}" + (", round" if display.round else "")
    yield "format", f"{display.format}, {display.frame_bytes:,} bytes"
    yield "sent", f"{'as a negative' if display.invert else 'not inverted'}, rotate {display.rotate}, {display.dither}"
    panel = display.panel
    if panel is None:
        return
    yield "controller", f"{panel.controller}, {panel.bus}"
    yield (
        "INVON",
        {True: "the driver has to send it", False: "no", None: "it depends, or is not known: try both"}[panel.invon],
    )
    yield "MADCTL", panel.madctl_in_hex or "not known here, or set by the maker's library"
    yield (
        "offsets",
        "{}, {}".format(*panel.offsets) if panel.offsets else "not known here, or set by the maker's library",
    )
    yield "how sure", panel.sure
    if panel.source:
        yield "source", panel.source
    if panel.note:
        yield "note", panel.note
