"""The conformance suite is whole: every check has a test, and its table names the files that hold them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
TABLE = ROOT / "docs" / "conformance.md"
CHECKS = [f"{number:02}" for number in range(1, 57)]

_NAME = re.compile(r"^(?:async )?def test_check_(\d+(?:_(?:and_)?\d+)*)_", re.MULTILINE)


def checks_in(code: str) -> set[str]:
    """The numbers of the checks that the tests in `code` hold, as their names write them."""
    return {number for numbers in _NAME.findall(code) for number in re.findall(r"\d+", numbers)}


def files_of(cell: str) -> list[str]:
    return re.findall(r"`([\w/]+\.py)`", cell)


HELD = {str(file.relative_to(TESTS)): checks_in(file.read_text("utf-8")) for file in sorted(TESTS.rglob("test_*.py"))}
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in TABLE.read_text("utf-8").splitlines()
    if re.match(r"\|\s*\d+\s*\|", line)
]
NAMED = {row[0].zfill(2): files_of(row[-1]) for row in ROWS}


def test_numbers_are_read_from_names() -> None:
    code = "def test_check_07_a(): ...\nasync def test_check_38_39_and_41_a_5xx(): ...\n    def test_check_1_x(): ...\n"
    code += "def test_check_config(): ...\ndef test_check_17_http_1_0(): ...\n"
    assert checks_in(code) == {"07", "17", "38", "39", "41"}


def test_every_check_has_a_test_in_two_digits_and_there_are_no_others() -> None:
    assert sorted(set().union(*HELD.values())) == CHECKS


def test_the_table_has_a_row_for_every_check() -> None:
    assert [row[0].zfill(2) for row in ROWS] == CHECKS
    assert {len(row) for row in ROWS} == {4}


@pytest.mark.parametrize("number", CHECKS)
def test_the_table_names_the_files_that_hold_a_check(number: str) -> None:
    assert NAMED.get(number) == [file for file, numbers in HELD.items() if number in numbers]
