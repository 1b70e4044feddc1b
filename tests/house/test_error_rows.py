"""Errors: at most a dozen, and every one of them has its row in the table of `web/errors.py`."""

from __future__ import annotations

from collections.abc import Iterator

from pico_a1111_proxy import errors
from pico_a1111_proxy.web.errors import STATUSES

MOST = 12


def family(kind: type[errors.ProxyError]) -> Iterator[type[errors.ProxyError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


def test_every_error_has_a_row_and_every_row_an_error() -> None:
    assert set(STATUSES) == set(family(errors.ProxyError))


def test_they_are_defined_in_one_place() -> None:
    assert {kind.__module__ for kind in family(errors.ProxyError)} == {errors.__name__}


def test_they_are_few() -> None:
    assert len(set(family(errors.ProxyError)) - {errors.ProxyError}) <= MOST


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = [line.replace("│", " ") for line in (errors.__doc__ or "").splitlines() if "── " in line]
    told = {line.split("── ")[1].split()[0] for line in drawn}
    assert told == {kind.__name__ for kind in family(errors.ProxyError)} - {"ProxyError"}
