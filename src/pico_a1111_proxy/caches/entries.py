"""Entries: the file of one answer, which says itself what it is, whose it is and whether it is whole.

    8 bytes    the magic
    2 bytes    the version of the format
    4 bytes    length of the description
    8 bytes    length of the body
    16 bytes   BLAKE2b of all the others, in their order
    …          the description: JSON of the file's name, the key, the time, the status and the headers
    …          the body

Numbers are big-endian. The name and the key stand inside, so that a file in another's place is no answer.
"""

from __future__ import annotations

import hashlib
import json
import struct

from pico_a1111_proxy.answers import Answer
from pico_a1111_proxy.caches.ages import Found

VERSION = 1
_MAGIC = b"PicoAnsw"
_START = struct.Struct(">8sHIQ")
_DIGEST_BYTES = 16
_FIXED_BYTES = _START.size + _DIGEST_BYTES


def pack_entry(name: str, key: str, found: Found) -> list[bytes]:
    """The content of the file `name`, in pieces: a body of megabytes is not copied."""
    answer, stored = found
    said = {"name": name, "key": key, "stored": stored, "status": answer.status, "headers": answer.headers}
    # As ASCII, where what was no UTF-8 in a header survives.
    description = json.dumps(said).encode("ascii")
    start = _START.pack(_MAGIC, VERSION, len(description), len(answer.body))
    return [start, _digest(start, description, answer.body), description, answer.body]


def unpack_entry(data: bytes, name: str, key: str) -> Found | None:
    """The answer and its age; None where `data` is damaged, of another version, or of another file or key."""
    if len(data) < _FIXED_BYTES:
        return None
    magic, version, description_bytes, body_bytes = _START.unpack_from(data)
    if (magic, version) != (_MAGIC, VERSION) or len(data) != _FIXED_BYTES + description_bytes + body_bytes:
        return None
    start, digest = data[: _START.size], data[_START.size : _FIXED_BYTES]
    description, body = data[_FIXED_BYTES : _FIXED_BYTES + description_bytes], data[_FIXED_BYTES + description_bytes :]
    if _digest(start, description, body) != digest:
        return None
    said = json.loads(description)
    if (said["name"], said["key"]) != (name, key):
        return None
    headers = tuple((header, value) for header, value in said["headers"])
    return Found(Answer(said["status"], headers, body), said["stored"])


def _digest(*pieces: bytes) -> bytes:
    # It finds damage, not forgery: who can write into the folder is the one whom the service runs as.
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for piece in pieces:
        digest.update(piece)
    return digest.digest()
