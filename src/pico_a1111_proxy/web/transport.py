"""The transport: asyncio's own, watched for a client that does not read, and closed so that the answer arrives."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import struct
import termios
from contextlib import suppress
from typing import Any, Protocol


class Owner(Protocol):
    """Who is told of what happens to the transport."""

    def is_owed_more(self) -> bool:
        """Whether the client may be in the middle of sending."""

    def on_lingering(self) -> None:
        """All is said; what the client still sends is thrown away until `end`."""

    def on_reading(self, reads: bool) -> None:
        """We read from now on, or do not any more."""


class CarefulTransport:
    """A transport that can be waited for no longer than `seconds` while nothing of what it holds is taken.

    `close` in the middle of a request closes one half only: a socket that is closed with bytes unread sends a RST,
    and that can destroy the answer before the client has read it. `lingering` is whether this has begun.
    """

    def __init__(self, raw: asyncio.Transport, owner: Owner, seconds: float) -> None:
        self.lingering = False
        self._raw = raw
        self._owner = owner
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._watch: asyncio.TimerHandle | None = None
        self._written = 0
        self._taken = 0
        self._moved = 0.0

    def __getattr__(self, name: str) -> Any:
        """What is not watched is the transport's own."""
        return getattr(self._raw, name)

    def write(self, data: bytes) -> None:
        """asyncio's; nothing is written any more when the last has been said."""
        if self.lingering:
            return
        self._written += len(data)
        self._raw.write(data)
        if self._watch is None and self._raw.get_write_buffer_size():
            self._taken, self._moved = self._written - self._held(), self._loop.time()
            self._look_later()

    def is_closing(self) -> bool:
        """asyncio's; a lingering transport is as good as closed."""
        return self.lingering or self._raw.is_closing()

    def pause_reading(self) -> None:
        """asyncio's."""
        self._raw.pause_reading()
        self._owner.on_reading(False)

    def resume_reading(self) -> None:
        """asyncio's."""
        self._raw.resume_reading()
        self._owner.on_reading(True)

    def close(self) -> None:
        """Close when all is written; in the middle of a request only our half, and the owner calls `end`."""
        if self.is_closing():
            return
        if not (self._owner.is_owed_more() and self._raw.can_write_eof()):
            self.end()
            return
        self.lingering = True
        with suppress(OSError):  # who has left already is told to us by the loop
            self._raw.write_eof()
        self._owner.on_lingering()

    def end(self) -> None:
        """Close both halves when all is written."""
        self._raw.close()

    def forget(self) -> None:
        """The connection is lost; nothing is watched any more, and nothing of it waits for the garbage collector."""
        del self._owner
        if self._watch:
            self._watch.cancel()
            self._watch = None

    def _look_later(self) -> None:
        self._watch = self._loop.call_later(self._seconds / 4, self._look)

    def _look(self) -> None:
        self._watch = None
        if not self._raw.get_write_buffer_size():
            return
        taken, now = self._written - self._held(), self._loop.time()
        if taken > self._taken:
            self._taken, self._moved = taken, now
        elif now - self._moved >= self._seconds:
            log = logging.getLogger("uvicorn.error")
            log.warning("A client read nothing of its answer for %.0f seconds and was cut off.", self._seconds)
            self._raw.abort()
            return
        self._look_later()

    def _held(self) -> int:
        """Bytes that the client has not taken yet, here and in the kernel.

        The kernel asks for more only when a third of its megabytes is free: a slow reader would seem to read nothing.
        """
        held = self._raw.get_write_buffer_size()
        with suppress(OSError, AttributeError, ValueError):  # no kernel needs to tell
            sock = self._raw.get_extra_info("socket")
            held += struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        return held
