"""The protocol: uvicorn's HTTP/1.1 over h11, with Title-Case header names, deadlines and one reading of a request."""

from __future__ import annotations

import asyncio
from functools import cache
from http import HTTPStatus
from random import random
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from pico_a1111_proxy.web.deadlines import Patience, ReceiveClock
from pico_a1111_proxy.web.errors import error_response
from pico_a1111_proxy.web.strictness import MOST_HEAD, NOT_HTTP, TOO_SLOW, Fault, StrictBuffer
from pico_a1111_proxy.web.transport import CarefulTransport

HEAD_SECONDS = 8.0  # for a whole head, from the connection or its first byte on
BODY_SECONDS = 8.0  # without a byte of the body; also how long its rate is not looked at
SLOWEST_BODY = 1000.0  # bytes a second, on average
MOST_SPREAD = 1 / 10  # of a deadline, by which it may be looked at later
SEND_SECONDS = 30.0  # in which a client takes nothing of its answer
LINGER_SECONDS = 30.0  # in which what comes after an early last answer is read and thrown away
LINGER_SILENCE = 2.0  # without a byte of that
MOST_THROWN_AWAY = 64_000_000  # bytes of it

_SPELT_OTHERWISE = {b"Etag": b"ETag", b"Www-Authenticate": b"WWW-Authenticate"}


def _recase(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    title = name.title()
    return _SPELT_OTHERWISE.get(title, title) + colon + value


@cache
def _last_answer(fault: Fault) -> tuple[bytes, bytes]:
    """The status line, and all after the server's own headers: many may be refused at once, so it is made once."""
    answer = error_response(fault.status, fault.error, fault.detail)
    headers = [*answer.raw_headers, (b"connection", b"close")]
    lines = [_recase(b"%b: %b\r\n" % header) for header in headers]
    first = f"HTTP/1.1 {fault.status} {HTTPStatus(fault.status).phrase}\r\n"
    return first.encode(), b"".join([*lines, b"\r\n", bytes(answer.body)])


class TitleCaseConnection(h11.Connection):
    """An h11 connection that writes `Content-Type` where it is told `content-type`, and reads strictly.

    MicroPython's requests keeps the case it receives, and its users look up `Content-Type`. Done here,
    below uvicorn, it also covers the answers and headers that uvicorn makes itself.
    """

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MOST_HEAD)
        self._receive_buffer: StrictBuffer = StrictBuffer()

    @property
    def holds_some(self) -> bool:
        """Whether something came that is not understood yet, such as half a head."""
        return bool(self._receive_buffer)

    @property
    def fault(self) -> Fault:
        """What was wrong with the request, once h11 has raised."""
        return self._receive_buffer.fault or NOT_HTTP

    def next_event(self) -> Any:
        """h11's own method."""
        self._receive_buffer.in_head = self.their_state is h11.IDLE
        return super().next_event()

    def send(self, event: Any) -> Any:
        """h11's own method, with the names recased in what it wrote."""
        # Not in the event: h11 would check every header of a new one once more.
        data = super().send(event)
        if isinstance(event, h11.Response):
            status, *lines = data.split(b"\r\n")
            data = b"\r\n".join([status, *(_recase(line) for line in lines)])
        return data


class TitleCaseProtocol(H11Protocol):
    """uvicorn's h11 protocol on a TitleCaseConnection; for `uvicorn --http` by its full name.

    Who sends no whole head in time, or a body that does not keep coming, gets a 408; who has sent nothing at all is
    just let go. Whoever takes nothing of its answer is cut off. None of this runs once the request is complete and
    while the answer is awaited, or while we do not read. A head of over 32 kB or 100 lines is a 431, a request line
    of over 16 kB a 414, and what could be read in two ways a 400: always the last answer on its connection.
    """

    head_patience = Patience(HEAD_SECONDS)
    body_patience = Patience(BODY_SECONDS, silence=BODY_SECONDS, rate=SLOWEST_BODY)
    linger_patience = Patience(LINGER_SECONDS, silence=LINGER_SILENCE)
    most_thrown_away = MOST_THROWN_AWAY
    most_spread = MOST_SPREAD
    send_seconds = SEND_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn: TitleCaseConnection = TitleCaseConnection()
        self._careful: CarefulTransport = None  # type: ignore[assignment]  # until there is a connection
        self._clock = ReceiveClock()
        self._alarm: asyncio.TimerHandle | None = None
        # Many who came at once are not closed all at once, lest somebody else have to wait for that.
        self._spread = random() * self.most_spread  # noqa: S311  # it is no secret
        self._thrown_away = 0

    # --- What asyncio calls ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio's."""
        self._careful = CarefulTransport(transport, self, self.send_seconds)
        super().connection_made(cast("asyncio.Transport", self._careful))
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's."""
        self._expect(None)
        self._careful.forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        self._clock.took(len(data), self.loop.time())
        if self._careful.lingering or self.conn.our_state is h11.DONE:
            self._thrown_away += len(data)
            if self._thrown_away > self.most_thrown_away:
                self._careful.end()
                return
        # After the last request of a connection nothing is listened to: as an error it would cost that one its answer.
        if not self._careful.lingering and self.conn.their_state is not h11.MUST_CLOSE:
            super().data_received(data)

    # --- What uvicorn calls ---------------------------------------------------------------------------------------

    def handle_events(self) -> None:
        """uvicorn's own method."""
        super().handle_events()
        self._watch()

    def on_response_complete(self) -> None:
        """uvicorn's own method."""
        self._thrown_away = 0
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self._watch()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets our shape as well. uvicorn's own method."""
        self._refuse(self.conn.fault)
        self._careful.close()

    def shutdown(self) -> None:
        """uvicorn's own method."""
        if self._careful.is_closing():
            self._careful.end()
        else:
            super().shutdown()

    # --- What the transport calls ---------------------------------------------------------------------------------

    def is_owed_more(self) -> bool:
        """Whether the client may be in the middle of sending."""
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR)

    def on_lingering(self) -> None:
        """All is said."""
        self._thrown_away = 0
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        self._expect(self.linger_patience)

    def on_reading(self, reads: bool) -> None:
        """While we do not read, the client is not to blame."""
        if reads:
            self._clock.go(self.loop.time())
            self._set_alarm()
        else:
            self._clock.stop(self.loop.time())

    # --- Deadlines ------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Look what the client owes us now."""
        theirs, owed = self.conn.their_state, None
        if theirs is h11.SEND_BODY and self.conn.our_state is not h11.SEND_BODY:
            owed = self.body_patience
        elif theirs is h11.IDLE:
            if self.cycle is None or self.conn.holds_some:
                owed = self.head_patience
                self._unset_keepalive_if_required()
            elif self.timeout_keep_alive_task is None:
                # uvicorn forgets it when a body went on after its answer.
                later = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
                self.timeout_keep_alive_task = later
        if owed is not self._clock.patience and not self._careful.is_closing():
            self._expect(owed)

    def _expect(self, patience: Patience | None) -> None:
        self._clock.begin(patience, self.loop.time())
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        if patience:
            self._set_alarm()

    def _set_alarm(self) -> None:
        due, patience = self._clock.due(), self._clock.patience
        if due is not None and patience and self._alarm is None:
            self._alarm = self.loop.call_at(due + self._spread * min(patience.seconds, patience.silence), self._look)

    def _look(self) -> None:
        self._alarm = None
        due = self._clock.due()
        if due is None:
            return
        if self.loop.time() < due:
            self._set_alarm()
        elif self._careful.lingering:
            self._careful.end()
        elif self.conn.our_state is h11.SEND_BODY:
            self._expect(None)  # who hears an answer may well stop sending
        elif self.conn.they_are_waiting_for_100_continue:
            self._expect(self._clock.patience)  # it is us who have not asked for the body
        else:
            self._give_up()

    def _give_up(self) -> None:
        # A browser opens connections that it may never use, and would show its person the 408.
        if self.cycle or self.conn.holds_some:
            self.logger.info(TOO_SLOW.error)
            self._refuse(TOO_SLOW)
        self._careful.end()

    def _refuse(self, fault: Fault) -> None:
        """The last answer of a connection, if none is out already; what is at work on the request sees it leave."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            first, others = _last_answer(fault)
            ours = [_recase(b"%b: %b\r\n" % header) for header in self.server_state.default_headers]
            self._careful.write(b"".join((first, *ours, others)))
            self.conn.send_failed()  # h11 need not know what was said, only that no more will be
        if self.cycle and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
