"""Visits: what the command line does with a cache on disk, also while a service works with it."""

from __future__ import annotations

from dataclasses import dataclass

from pico_a1111_proxy.caches.folder import Folder
from pico_a1111_proxy.caches.index import Index, open_index
from pico_a1111_proxy.caches.shelf import remove_all_of


@dataclass(frozen=True)
class Inventory:
    """How many answers there are, how many bytes they and the index take, and when the oldest was stored."""

    entries: int = 0
    bytes: int = 0
    oldest: float | None = None


def take_inventory(path: str) -> Inventory | None:
    """What is in the cache at `path`; None where there is none. Changes nothing; raises OSError, sqlite3.Error."""
    try:
        folder = Folder(path, make=False)
    except FileNotFoundError:
        return None
    try:
        size = sum(folder.files().values()) + folder.measure_index()
        try:
            index = Index(folder, make=False)
        except FileNotFoundError:
            return None
        try:
            holdings = index.holdings()
        finally:
            index.close()
    finally:
        folder.close()
    return Inventory(holdings.entries, size, holdings.oldest)


def empty(path: str) -> Inventory:
    """Remove every answer from the cache at `path`, and say what that was. Raises OSError, sqlite3.Error."""
    try:
        folder = Folder(path, make=False)
    except FileNotFoundError:
        return Inventory()
    try:
        if not folder.files() and not folder.measure_index():
            return Inventory()  # a person's folder, perhaps: nothing is left behind there
        index = open_index(folder)
        try:
            return Inventory(*remove_all_of(folder, index))
        finally:
            index.close()
    finally:
        folder.close()
