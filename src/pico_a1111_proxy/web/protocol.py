"""The protocol: uvicorn's HTTP/1.1 over h11, with Title-Case header names, which it would not send by itself."""

from __future__ import annotations

from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from pico_a1111_proxy.web.errors import error_response

_SPELT_OTHERWISE = {b"Etag": b"ETag", b"Www-Authenticate": b"WWW-Authenticate"}


def _recase(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    title = name.title()
    return _SPELT_OTHERWISE.get(title, title) + colon + value


class TitleCaseConnection(h11.Connection):
    """An h11 connection that writes `Content-Type` where it is told `content-type`.

    MicroPython's requests keeps the case it receives, and its users look up `Content-Type`. Done here,
    below uvicorn, it also covers the answers and headers that uvicorn makes itself.
    """

    def send(self, event: Any) -> Any:
        """h11's own method, with the names recased in what it wrote."""
        # Not in the event: h11 would check every header of a new one once more.
        data = super().send(event)
        if isinstance(event, h11.Response):
            status, *lines = data.split(b"\r\n")
            data = b"\r\n".join([status, *(_recase(line) for line in lines)])
        return data


class TitleCaseProtocol(H11Protocol):
    """uvicorn's h11 protocol on a TitleCaseConnection; for `uvicorn --http` by its full name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limit = self.config.h11_max_incomplete_event_size
        sizes = {} if limit is None else {"max_incomplete_event_size": limit}
        self.conn = TitleCaseConnection(h11.SERVER, **sizes)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets our shape as well. uvicorn's own method."""
        answer = error_response(400, "The request is not valid HTTP")
        headers = [*answer.raw_headers, (b"connection", b"close")]
        events = (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        )
        # It may be the rest of a request whose answer is out already.
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(b"".join(self.conn.send(event) for event in events))
        self.transport.close()
