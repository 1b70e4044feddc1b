"""select as on a Pico: poll() over the sockets of the module beside."""

from socket import os_error

import _wire

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16

_CUT = -1000  # the power was cut
_TURN_MS = 5  # of each socket, where there are several
_ENOENT = 2


class _Poll:
    def __init__(self):
        self._watched = []  # [socket, events]

    def _find(self, sock):
        for pair in self._watched:
            if pair[0] is sock:
                return pair
        return None

    def register(self, sock, events=POLLIN | POLLOUT):
        """Watch a socket."""
        pair = self._find(sock)
        if pair is None:
            self._watched.append([sock, events])
        else:
            pair[1] = events

    def modify(self, sock, events):
        """Watch it for something else. Raises OSError where it is not watched."""
        pair = self._find(sock)
        if pair is None:
            raise os_error(_ENOENT)
        pair[1] = events

    def unregister(self, sock):
        """Watch it no more; one that is not watched is no fault."""
        pair = self._find(sock)
        if pair is not None:
            self._watched.remove(pair)

    def poll(self, timeout=-1):
        """A list of (socket, events) with those that are ready, after `timeout` milliseconds an empty one."""
        if timeout is None:
            timeout = -1
        if len(self._watched) == 1:
            return self._ask(timeout)
        begin = _wire.ticks_ms()
        while True:
            ready = self._ask(0)
            left = timeout - (_wire.ticks_ms() - begin)
            if ready or (timeout >= 0 and left <= 0):
                return ready
            turn = _TURN_MS if timeout < 0 else min(_TURN_MS, left)
            if _wire.sleep_ms(int(turn)):
                raise KeyboardInterrupt

    def _ask(self, timeout):
        ready = []
        for sock, events in self._watched:
            told = _wire.poll(sock.number, events, timeout)
            if told == _CUT:
                raise KeyboardInterrupt
            if told:
                ready.append((sock, told))
        return ready

    def ipoll(self, timeout=-1, flags=0):
        """The same, as an iterator, which has waited already; with `flags` 1 who was ready is not watched any more."""
        ready = self.poll(timeout)
        if flags & 1:
            for sock, _ in ready:
                self.modify(sock, 0)
        return iter(ready)


def poll():
    """A new poll object."""
    return _Poll()
