"""What the documents say of a wrong test card is what the code says."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

from pico_a1111_proxy.displays import Display
from pico_a1111_proxy.testcards import Row, legend

ROOT = Path(__file__).parents[2]
DISPLAY = Display("x", 240, 240)


def table(file: str, head: str) -> list[list[str]]:
    """The cells of the table that begins with a cell `head`, without its head."""
    text = (ROOT / file).read_text(encoding="utf-8")
    (lines,) = re.findall(rf"^\| {re.escape(head)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines.splitlines()]


def queries(text: str) -> list[dict[str, str]]:
    """The parameters of each address between backticks."""
    return [dict(parse_qsl(query)) for query in re.findall(r"`\?([^`]+)`", text)]


def row_of_red(display: Display, looks: str) -> Row:
    """The one row of the legend in which RED looks so."""
    (row,) = [row for row in legend(display) if row.looks.startswith(f"RED is {looks},")]
    return row


def test_the_page_of_the_test_card_has_the_words_of_the_legend() -> None:
    rows = [[row.looks, row.wrong, row.todo, row.query and f"`{row.query}`"] for row in legend(DISPLAY)]
    assert table("docs/testcard.md", "you see") == rows


def test_the_page_of_the_test_card_tells_of_what_is_sent_otherwise() -> None:
    text = (ROOT / "docs" / "testcard.md").read_text(encoding="utf-8")
    prose = text.partition("## What it means")[2].partition("## The route")[0].rpartition("|")[2]
    negative = row_of_red(replace(DISPLAY, invert=True), "cyan")
    (steps,) = [row for row in legend(replace(DISPLAY, dither="none")) if "steps" in row.looks]
    assert queries(prose) == [negative.change, steps.change]


def test_the_readme_advises_what_the_legend_does() -> None:
    told = {looks.partition(",")[0]: queries(then) for looks, then in table("README.md", "RED on the card looks")}
    right = {looks: [row_of_red(DISPLAY, looks).change] for looks in ("cyan", "blue", "yellow", "a dull blue")}
    right["cyan"].append(row_of_red(replace(DISPLAY, invert=True), "cyan").change)
    assert told == {"red": [], **right}
    assert row_of_red(DISPLAY, "red").change == {}
