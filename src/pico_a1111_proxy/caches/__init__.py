"""Caches: what remembers answers; every member keeps the promise of `Cache` in archive.py."""
