"""Wire: the module `_wire` for CPython, with real sockets, a clock that can be moved on, and a power cord."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from pico_a1111_proxy.simulator.chip import Chip
from pico_a1111_proxy.simulator.clock import Clock
from pico_a1111_proxy.simulator.endings import BoardReset, Hangs, PowerCut, WatchdogReset
from pico_a1111_proxy.simulator.radio import Radio

CUT = -1000  # what `poll` answers without power
_SLICE_MS = 20  # after which a wait looks again whether anybody has cut the power
_LAST_CALLS = 1000  # a program that goes on without power is ended after so many calls
_NOT_OURS = select.POLLNVAL  # no such socket


class Wire:
    """What `modules` call, below MicroPython's own; numbers, short strings and buffers only, errors as -errno.

    Times are in milliseconds of the simulated clock. `on_sleep` is called with the time after each sleep, which takes
    no time itself. `cut_power_at` is when the power goes. With `realtime` a sleep really takes its time. All but the
    methods that `_wire` names can be called from another thread.
    """

    def __init__(self, chip: Chip, radio: Radio | None = None, realtime: bool = False) -> None:
        self.chip = chip
        self.radio = radio or Radio()
        self.realtime = realtime
        self.clock = Clock()
        self.on_sleep: Callable[[int], Any] = lambda _: None
        self.cut_power_at: float | None = None
        self.fed = 0  # how often the watchdog was
        self._down: set[int] = set()
        self._start()

    def _start(self) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._patience: dict[int, int] = {}  # of each socket, in milliseconds; -1 for ever
        self._cut = self._interrupted = False
        self._calls_without_power = 0
        self._over: BoardReset | None = None
        self._timeout = 0  # of the watchdog; 0 without one
        self._deadline: int | None = None

    # --- from outside ---

    def start(self) -> None:
        """The power is on: what is in the chip begins anew, the clock goes on, buttons stay as they are."""
        self.close_all()
        self._start()
        self.radio.start()
        self.chip.reset()

    def press(self, number: int, down: bool = True) -> None:
        """Hold the button at a pin down, or let it go."""
        (self._down.add if down else self._down.discard)(number)

    def cut_power(self) -> None:
        """Pull the plug now."""
        self._cut = True

    def interrupt(self) -> None:
        """Press Ctrl-C: the program's next sleep, or wait for a socket, ends with KeyboardInterrupt."""
        self._interrupted = True

    @property
    def is_cut(self) -> bool:
        """Whether there is no power."""
        if self.cut_power_at is not None and self.clock.now() >= self.cut_power_at:
            self.cut_power_at = None  # once
            self._cut = True
        return self._cut

    @property
    def open_sockets(self) -> int:
        """How many the program has open."""
        return len(self._sockets)

    def close_all(self) -> None:
        """Close what the program left open."""
        while self._sockets:
            self._sockets.popitem()[1].close()

    # --- pins ---

    def pin(self, number: int, output: int, level: int) -> None:
        """A Pin was made."""
        if self._alive():
            self.chip.pin(number, output, level)

    def set(self, number: int, level: int) -> None:
        """An output is set."""
        if self._alive():
            self.chip.set(number, level)

    def get(self, number: int) -> int:
        """An input is read: 0 where its button is held down, else 1."""
        self._alive()
        return int(number not in self._down)

    def spi(self, *settings: int) -> None:
        """An SPI was made: number, baudrate, and the pins of SCK, MOSI and MISO."""
        if self._alive():
            self.chip.spi(*settings)

    def transfer(self, where: Any, length: int) -> None:
        """SPI sends."""
        if self._alive():
            self.chip.transfer(bytes(memoryview(where).cast("B")[:length]))

    def pwm(self, number: int, duty: int) -> None:
        """A PWM was set, `duty` from 0 to 65535."""
        if self._alive():
            self.chip.pwm(number, duty)

    # --- time and power ---

    def watchdog(self, ms: int) -> None:
        """A watchdog was made."""
        if self._alive():
            self._timeout = ms
            self._deadline = self.clock.now() + ms

    def feed(self) -> None:
        """It was fed. Raises WatchdogReset where that was too late, as every call does then."""
        if self._alive():
            self.fed += 1
            self._deadline = self.clock.now() + self._timeout

    def reset(self) -> None:
        """Raises BoardReset."""
        if self._alive():
            self._over = BoardReset("machine.reset()")
            raise self._over

    def wifi(self, what: str, a: int | str, b: int | str) -> int:
        """The module network asks or tells; the status, or 0."""
        return self.radio.tell(what, a, b, self.clock.now()) if self._alive() else 0

    def ticks_ms(self) -> int:
        """The clock."""
        self._alive()
        return self.clock.now()

    def sleep_ms(self, ms: int) -> int:
        """Sleep; 1 where the power was cut, or Ctrl-C was pressed."""
        if self._alive():
            until = self.clock.now() + ms
            if self.realtime:
                self._wait_until(until)
            else:
                self._skip_to(until)
            with self.clock.stopped():
                self.on_sleep(self.clock.now())
        return int(not self._alive() or self._is_interrupted())

    def _alive(self) -> bool:
        """Whether there is power. Raises WatchdogReset, and again what has ended the program already."""
        if self._over is not None:
            raise self._over
        if self.is_cut:
            self._calls_without_power += 1
            if self._calls_without_power > _LAST_CALLS:
                raise PowerCut
            return False
        if self._deadline is not None and self.clock.now() >= self._deadline:
            self._over = WatchdogReset(f"The watchdog was not fed for {self._timeout} ms")
            raise self._over
        return True

    def _is_interrupted(self) -> bool:
        """Whether Ctrl-C was pressed; it is told once."""
        if not self._interrupted:
            return False  # and is not forgotten where another thread presses it just now
        self._interrupted = False
        return True

    def _skip_to(self, until: float) -> None:
        """Move the clock on, though not past what happens before."""
        stops = [stop for stop in (self._deadline, self.cut_power_at) if stop is not None]
        self.clock.move(min([until, *stops]) - self.clock.now())

    def _wait_until(self, until: int) -> None:
        while self._alive() and not self._interrupted and (left := until - self.clock.now()) > 0:
            time.sleep(min(left, _SLICE_MS) / 1000)

    # --- sockets ---

    def resolve(self, host: str) -> str:
        """The IPv4 address of a name; "" where it is not known."""
        if not self._alive() or not self.radio.reaches(self.clock.now()):
            return ""
        try:
            return str(socket.getaddrinfo(host, None, socket.AF_INET)[0][4][0])
        except (OSError, UnicodeError):
            return ""

    def open(self) -> int:
        """A new TCP socket."""
        if not self._alive():
            return -errno.EINTR
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setblocking(False)
        number = made.fileno()
        self._sockets[number] = made
        self._patience[number] = -1
        return number

    def connect(self, number: int, address: str, port: int) -> int:
        """Connect; -115 where the socket does not block and it takes a while."""
        if not self._alive():
            return -errno.EINTR
        if not self.radio.reaches(self.clock.now()):
            return -errno.EHOSTUNREACH
        if not 0 <= port <= 0xFFFF:
            return -errno.EINVAL
        sock = self._sockets[number]
        told = sock.connect_ex((address, port))
        if told != errno.EINPROGRESS or self._patience[number] == 0:
            return -told
        ready = self.poll(number, select.POLLOUT, self._patience[number])
        if ready <= 0:
            return -errno.EINTR if ready else -errno.ETIMEDOUT
        return -sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def blocking(self, number: int, timeout_ms: int) -> None:
        """How long the socket's calls may take: -1 for ever, 0 not at all."""
        self._patience[number] = timeout_ms

    def send(self, number: int, where: Any, count: int) -> int:
        """Send at most `count` bytes, and tell how many went."""
        data = memoryview(where)[:count]
        return self._transmit(number, select.POLLOUT, lambda sock: sock.send(data))

    def receive(self, number: int, where: Any, count: int) -> int:
        """Receive at most `count` bytes, and tell how many came; 0 at the end."""
        return self._transmit(number, select.POLLIN, lambda sock: sock.recv_into(where, count))

    def _transmit(self, number: int, event: int, call: Callable[[socket.socket], int]) -> int:
        if not self._alive():
            return -errno.EINTR
        patience = self._patience[number]
        while True:
            try:
                if self.radio.reaches(self.clock.now()):
                    return call(self._sockets[number])
            except BlockingIOError:
                pass
            except OSError as error:
                return -(error.errno or errno.EIO)
            if patience == 0:
                return -errno.EAGAIN
            ready = self.poll(number, event, patience)
            if ready <= 0:
                return -errno.EINTR if ready else -errno.ETIMEDOUT

    def poll(self, number: int, events: int, timeout_ms: int) -> int:
        """Wait for events of a socket, and tell which came: 0 after `timeout_ms`, CUT without power or after Ctrl-C."""
        if number not in self._sockets:
            return _NOT_OURS
        asked = select.poll()
        asked.register(self._sockets[number], events)
        end = None if timeout_ms < 0 else self.clock.now() + timeout_ms
        while self._alive() and not self._is_interrupted():
            now = self.clock.now()
            left = _SLICE_MS if end is None else max(0, end - now)
            if not self.radio.reaches(now):
                self._sit_out(end, now)
            elif ready := asked.poll(min(left, _SLICE_MS)):
                return ready[0][1]
            if end is not None and self.clock.now() >= end:
                return 0
        return CUT

    def _sit_out(self, end: int | None, now: int) -> None:
        """Without a network nothing comes: move on to what happens next. Raises Hangs where that is nothing."""
        if self.realtime:
            time.sleep(_SLICE_MS / 1000)
            return
        stops = [end, self.radio.next_change(now), self._deadline, self.cut_power_at]
        known = [stop for stop in stops if stop is not None]
        if not known:
            raise Hangs("The Wi-Fi is gone, and the program waits for it for ever")
        self._skip_to(min(known))

    def close(self, number: int) -> None:
        """Close a socket, with power or without."""
        sock = self._sockets.pop(number, None)
        if sock is not None:
            sock.close()
