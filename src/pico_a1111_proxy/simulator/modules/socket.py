"""socket as on a Pico: TCP only, with the calls of a MicroPython stream, and without recv_into."""

import _wire

try:
    from uctypes import addressof

    os_error = OSError
except ImportError:  # CPython: a buffer goes over as it is, and an OSError has to be told what its number means
    import errno

    def addressof(buffer):
        """The buffer itself."""
        return buffer

    def os_error(number):
        """An OSError that tells itself as MicroPython's does."""
        error = OSError(number)
        error.errno, error.strerror = number, errno.errorcode.get(number, "")
        return error


AF_INET = 2
AF_INET6 = 10
SOCK_STREAM = 1
SOCK_DGRAM = 2
IPPROTO_TCP = 6
SOL_SOCKET = 1
SO_REUSEADDR = 4
TCP_NODELAY = 1

_EAGAIN = 11
_EBADF = 9
_EAFNOSUPPORT = 97
_NO_NAME = -2  # what a Pico raises for a name that nobody knows
_PIECE = 256


def getaddrinfo(host, port, *_):
    """A list with one address, as connect takes it. Raises OSError -2 for a name that nobody knows."""
    address = _wire.resolve(host)
    if not address:
        raise OSError(_NO_NAME)
    return [(AF_INET, SOCK_STREAM, 0, "", (address, port))]


class socket:  # noqa: N801 - MicroPython's name for it
    """A TCP connection, blocking at first."""

    def __init__(self, family=AF_INET, kind=SOCK_STREAM, protocol=0):
        if family != AF_INET or kind != SOCK_STREAM:
            raise os_error(_EAFNOSUPPORT)
        self.number = _checked(_wire.open())
        self._closed = False

    def _open(self):
        if self._closed:
            raise os_error(_EBADF)
        return self.number

    def connect(self, address):
        """Connect; a socket that does not block raises OSError 115 and is writable once it is connected."""
        host, port = address
        if not _is_address(host):
            raise ValueError("invalid arguments")  # a name: getaddrinfo makes an address of it
        _checked(_wire.connect(self._open(), host, port))

    def setblocking(self, flag):
        """Whether to wait for ever, or not at all."""
        _wire.blocking(self._open(), -1 if flag else 0)

    def settimeout(self, seconds):
        """Wait so long at most; None is for ever, 0 not at all."""
        _wire.blocking(self._open(), -1 if seconds is None else int(seconds * 1000))

    def setsockopt(self, *_):
        """Is taken, and changes nothing."""

    def readinto(self, buffer, count=-1):
        """Fill the buffer, or `count` bytes of it, and tell how many came.

        Fewer come at the end, which is 0, and where a socket does not block: there nothing at all is None.
        """
        view = memoryview(buffer)
        wanted = len(view) if count < 0 else min(count, len(view))
        done = 0
        while done < wanted:
            got = _wire.receive(self._open(), addressof(view[done:wanted]), wanted - done)
            if got == -_EAGAIN:
                return done or None
            if _checked(got) == 0:
                break
            done += got
        return done

    def recv(self, count):
        """What is there, `count` bytes at most; b"" at the end. Raises OSError 11 where it would have to wait."""
        buffer = bytearray(count)
        return bytes(buffer[: _checked(_wire.receive(self._open(), addressof(buffer), count))])

    def read(self, count=-1):
        """`count` bytes, or all to the end; None where nothing is there and the socket does not block."""
        pieces = b""
        while count < 0 or len(pieces) < count:
            buffer = bytearray(_PIECE if count < 0 else count - len(pieces))
            got = self.readinto(buffer)
            if got is None:
                return pieces or None
            pieces += bytes(buffer[:got])
            if got < len(buffer):
                break
        return pieces

    def readline(self):
        """A line with its end, or what is left without one."""
        line, letter = b"", bytearray(1)
        while not line.endswith(b"\n"):
            got = self.readinto(letter)
            if got is None:
                return line or None
            if got == 0:
                break
            line += bytes(letter)
        return line

    def send(self, data):
        """Send what goes at once, and tell how much that is."""
        return _checked(_wire.send(self._open(), addressof(data), len(data)))

    def write(self, data, count=-1):
        """Send all of it; a socket that does not block tells how much went, None where nothing did."""
        view = memoryview(data)
        wanted = len(view) if count < 0 else min(count, len(view))
        done = 0
        while done < wanted:
            sent = _wire.send(self._open(), addressof(view[done:wanted]), wanted - done)
            if sent == -_EAGAIN:
                return done or None
            done += _checked(sent)
        return done

    def sendall(self, data):
        """Send all of it. Raises OSError 11 where that can't be done without waiting."""
        if self.write(data) != len(data):
            raise os_error(_EAGAIN)

    def makefile(self, *_):
        """The socket itself: it is a stream already."""
        return self

    def close(self):
        """Close it; twice is no fault."""
        if not self._closed:
            self._closed = True
            _wire.close(self.number)


def _checked(answer):
    """What `_wire` answered. Raises OSError where that is an error."""
    if answer < 0:
        raise os_error(-answer)
    return answer


def _is_address(host):
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)
