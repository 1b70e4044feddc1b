"""Strictness: heads, chunks and trailers that two servers could read in two ways are read in none."""

from __future__ import annotations

import re
from typing import NamedTuple

import h11
from h11._receivebuffer import ReceiveBuffer

MOST_HEAD = 32 * 1024  # bytes of request line and headers; browsers keep below 16 kB with all their cookies
MOST_LINES = 100  # headers; a browser behind two front servers sends forty
MOST_REQUEST_LINE = 16 * 1024  # bytes; a prompt in a query is seldom over 2 kB, and nginx takes 8
MOST_CHUNK_LINE = 256  # bytes of a chunk's size and extensions

_HARMLESS = bytes({*range(256)} - {*range(32), 127} | {*b"\t\r\n"})
_FOLD = re.compile(rb"\r\n[ \t]")
_TELLING = re.compile(rb"\r\n(content-length|transfer-encoding|host)[ \t]*:([^\r]*)")
_LENGTH = re.compile(rb"[0-9]{1,19}")
_HOST = re.compile(rb"[a-z0-9._~!$&'()*+,;=%:\[\]-]*")
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_ABSOLUTE = re.compile(rb"(https?)://([^/?#]*)", re.IGNORECASE)
_PORTS = {b"http": b":80", b"https": b":443"}
_CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]{1,16}(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")


class Fault(NamedTuple):
    """Why a request is refused: the status and the two sentences of the answer."""

    status: int
    error: str
    detail: str = ""


NOT_HTTP = Fault(400, "The request is not valid HTTP")
TOO_SLOW = Fault(408, "The request came too slowly")
LONG_HEAD = Fault(431, f"The headers are over {MOST_HEAD // 1024} kB or {MOST_LINES} lines")
SMALL_CHUNKS = 1000  # in a row, each of which costs as much as a large one
FULL_CHUNK = 256  # bytes; so many make up for one chunk that was small
SMALL_PIECES = Fault(400, "The body comes in too many small chunks")
LONG_LINE = Fault(414, f"The request line is over {MOST_REQUEST_LINE // 1024} kB")
OTHER_VERSION = Fault(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here")


def fault_in_head(head: bytes) -> Fault | None:
    """What is wrong with a whole head, empty line included; what h11 itself refuses may pass here."""
    line, _, _ = head.partition(b"\r\n")
    if len(line) > MOST_REQUEST_LINE:
        return LONG_LINE
    fault = fault_in_lines(head)
    if fault:
        return fault
    version = line[-8:]
    if version not in (b"HTTP/1.1", b"HTTP/1.0") and _VERSION.fullmatch(version):
        return OTHER_VERSION
    return _fault_in_framing(line.split(b" ")[1:2], version, _TELLING.findall(head.lower()))


def fault_in_lines(lines: bytes) -> Fault | None:
    """What is wrong with how a head or trailers are written."""
    if len(lines) > MOST_HEAD or lines.count(b"\n") > MOST_LINES + 2:  # the request line and the empty one
        return LONG_HEAD
    if not lines.count(b"\r\n") == lines.count(b"\r") == lines.count(b"\n"):
        return _not_http("Every line must end with CR LF, and neither may stand alone")
    if lines.translate(None, _HARMLESS):
        return _not_http("There is a control character in a header")
    if _FOLD.search(lines):
        return _not_http("A header goes on in a second line")
    return None


def fault_in_chunk_line(line: bytes | bytearray) -> Fault | None:
    """What is wrong with the line before a chunk."""
    if len(line) > MOST_CHUNK_LINE or not _CHUNK_LINE.fullmatch(line):
        return _not_http("The size of a chunk makes no sense")
    return None


def _not_http(detail: str) -> Fault:
    return NOT_HTTP._replace(detail=detail)


def _fault_in_framing(target: list[bytes], version: bytes, told: list[tuple[bytes, bytes]]) -> Fault | None:
    """Where the body ends and whom the request is for must be told once, in one way; `told` is in small letters."""
    said = {name: value.strip(b" \t") for name, value in told}
    if len(said) < len(told):
        return _not_http("Content-Length, Transfer-Encoding or Host is there twice")
    length, coding, host = (said.get(name) for name in (b"content-length", b"transfer-encoding", b"host"))
    if coding is not None and length is not None:
        return _not_http("There is a Content-Length as well as a Transfer-Encoding")
    if length is not None and not _LENGTH.fullmatch(length):
        return _not_http("The Content-Length is no number")
    if coding is not None and (coding != b"chunked" or version == b"HTTP/1.0"):
        return _not_http("The only Transfer-Encoding is chunked, in HTTP/1.1")
    return _fault_in_host(target, host)


def _fault_in_host(target: list[bytes], host: bytes | None) -> Fault | None:
    if host is None:  # h11 knows when that is allowed
        return None
    if not _HOST.fullmatch(host):
        return _not_http("The Host is none")
    if target and _names_another(target[0], host):
        return _not_http("The request line and Host name two hosts")
    return None


def _names_another(target: bytes, host: bytes) -> bool:
    absolute = _ABSOLUTE.match(target)
    if not absolute:
        return False
    scheme, authority = absolute.groups()
    port = _PORTS[scheme.lower()]
    return authority.lower().removesuffix(port) != host.removesuffix(port)


class StrictBuffer(ReceiveBuffer):
    """h11's buffer, which looks at lines before h11 does: there they have lost their ends and folds.

    `in_head` is whether the next lines are a head; otherwise they are trailers. A `fault` that was found stays.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fault: Fault | None = None
        self.in_head = True
        self._small_chunks = 0.0  # that the body has had so far, and has not made up for

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """h11's own method. Raises h11.LocalProtocolError, as do all of h11's readers."""
        before = bytes(self)
        lines = super().maybe_extract_lines()
        if lines is None:
            self._refuse(self._fault_in_part(before))
            return None
        self._small_chunks = 0.0
        taken = before[: len(before) - len(self)]
        self._refuse(fault_in_head(taken) if self.in_head else fault_in_lines(taken))
        return lines

    def maybe_extract_next_line(self) -> bytearray | None:
        """h11's own method, which it calls for the lines before chunks. Raises h11.LocalProtocolError."""
        line = super().maybe_extract_next_line()
        if line is not None:
            self._refuse(fault_in_chunk_line(line) or self._fault_in_chunks(int(line.partition(b";")[0], 16)))
        elif len(self) > MOST_CHUNK_LINE:
            self._refuse(fault_in_chunk_line(bytes(self)))  # its end is not even there
        return line

    def _fault_in_chunks(self, size: int) -> Fault | None:
        """What is wrong with how many there are, with one more of `size` bytes."""
        self._small_chunks = max(self._small_chunks + 1 - size / FULL_CHUNK, 0.0)
        return SMALL_PIECES if self._small_chunks > SMALL_CHUNKS else None

    def _fault_in_part(self, part: bytes) -> Fault | None:
        if self.in_head and len(part) > MOST_REQUEST_LINE and b"\r\n" not in part[:MOST_REQUEST_LINE]:
            return LONG_LINE
        return LONG_HEAD if len(part) > MOST_HEAD else None

    def _refuse(self, fault: Fault | None) -> None:
        if fault:
            self.fault = fault
            raise h11.LocalProtocolError(fault.detail or fault.error, fault.status)
