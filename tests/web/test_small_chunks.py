"""Chunks: a body in many tiny ones is refused before it has cost much, whoever sends it in larger ones is not."""

from __future__ import annotations

import h11
import pytest

from pico_a1111_proxy.web.protocol import TitleCaseConnection

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(*chunks: bytes, at_once: int = 2**16) -> int:
    """How many bytes of a body in these chunks are read. Raises h11.RemoteProtocolError."""
    connection, size = TitleCaseConnection(), 0
    data = HEAD + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    for start in range(0, len(data), at_once):
        connection.receive_data(data[start : start + at_once])
        while (event := connection.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Data):
                size += len(event.data)
            if isinstance(event, h11.EndOfMessage):
                return size
    raise AssertionError("the body has no end")


@pytest.mark.parametrize("chunks", [[b"a"] * 1000, [b"a" * 256] * 4000, [b"a" * 64] * 1300, [b"a" * 2**18, b"a"] * 500])
def test_what_clients_send_is_read(chunks: list[bytes]) -> None:
    assert read(*chunks) == sum(map(len, chunks))


@pytest.mark.parametrize("at_once", [7, 2**18])  # it does not depend on how they arrive
@pytest.mark.parametrize("chunks", [[b"a"] * 1100, [b"a" * 2**20] + [b"a"] * 1100])
def test_many_tiny_chunks_are_refused(chunks: list[bytes], at_once: int) -> None:
    with pytest.raises(h11.RemoteProtocolError, match="too many small chunks"):
        read(*chunks, at_once=at_once)
