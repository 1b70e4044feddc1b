"""A board with CircuitPython as far as code.py sees one: its modules over real sockets, its panel in the simulator."""

from __future__ import annotations

import builtins
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from pico_a1111_proxy.simulator.chip import Chip

_SPI_CLOCK, _SPI_DATA = 10, 11
_ALLOWED = {"json": json}


class PowerCut(BaseException):
    """The board lost its power: raised by a test's `sleep` to end the program."""


class Pins:
    """Who holds which pin: CircuitPython refuses one that is in use."""

    def __init__(self) -> None:
        self.held: dict[int, object] = {}

    def claim(self, number: int, holder: object) -> int:
        if number in self.held:
            raise ValueError(f"GP{number} in use")
        self.held[number] = holder
        return number

    def release(self, kind: type) -> None:
        self.held = {number: holder for number, holder in self.held.items() if not isinstance(holder, kind)}


class Socket:
    """What socketpool's sockets can do, and no more."""

    def __init__(self) -> None:
        self._socket = socket.socket()

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def settimeout(self, seconds: float | None) -> None:
        self._socket.settimeout(seconds)

    def connect(self, address: tuple[str, int]) -> None:
        self._socket.connect(address)

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(data)

    def recv_into(self, buffer: Any, size: int = 0) -> int:
        return self._socket.recv_into(buffer, size)


class Radio:
    """`wifi.radio`: knows one network. `tries` counts the connections."""

    def __init__(self, ssid: str, password: str) -> None:
        self.connected = False
        self.tries = 0
        self._known = (ssid, password)

    def connect(self, ssid: str, password: str) -> None:
        self.tries += 1
        if (ssid, password) != self._known:
            raise ConnectionError("No network with that ssid")
        self.connected = True


class Board:
    """A Pico W under CircuitPython, on whose pins is `chip`. `sleep` is told of every sleep, in seconds."""

    def __init__(self, chip: Chip, sleep: Callable[[float], None], password: str = "its password") -> None:
        self.chip, self.sleep = chip, sleep
        self.pins, self.radio = Pins(), Radio("your Wi-Fi", password)
        self.pins.held = dict.fromkeys((8, 9, 12, _SPI_CLOCK, _SPI_DATA), _LastRun())

    def run(self, program: str) -> list[str]:
        """Run the program until its power is cut. Returns the lines that it printed."""
        printed: list[str] = []
        modules = {**_ALLOWED, **self._modules()}

        def fake_import(name: str, *_: Any) -> Any:
            if name not in modules:
                raise ImportError(f"no module named '{name}'")
            return modules[name]

        def fake_print(*words: object) -> None:
            printed.append(" ".join(map(str, words)))

        names = {**vars(builtins), "__import__": fake_import, "print": fake_print}
        with suppress(PowerCut):
            exec(program, {"__builtins__": names, "__name__": "__main__"})
        return printed

    def _modules(self) -> dict[str, Any]:
        def release_displays() -> None:
            self.pins.release(_LastRun)

        def make_pool(radio: Radio) -> Any:
            assert radio is self.radio
            return SimpleNamespace(AF_INET=2, SOCK_STREAM=1, socket=self._open_socket)

        return {
            "board": SimpleNamespace(**{f"GP{number}": number for number in range(29)}),
            "busio": SimpleNamespace(SPI=lambda **pins: _Spi(self, **pins)),
            "digitalio": SimpleNamespace(DigitalInOut=lambda pin: _DigitalInOut(self, pin)),
            "displayio": SimpleNamespace(release_displays=release_displays),
            "fourwire": SimpleNamespace(FourWire=lambda spi, **pins: _FourWire(self, spi, **pins)),
            "socketpool": SimpleNamespace(SocketPool=make_pool),
            "time": SimpleNamespace(sleep=self.sleep),
            "wifi": SimpleNamespace(radio=self.radio),
        }

    def _open_socket(self, family: int, kind: int) -> Socket:
        assert (family, kind) == (2, 1)
        if not self.radio.connected:
            raise OSError(118, "EHOSTUNREACH")
        return Socket()


class _LastRun:
    """The bus of the program that ran before: CircuitPython keeps it."""


class _Spi:
    def __init__(self, board: Board, clock: int, MOSI: int, MISO: int | None = None) -> None:  # noqa: N803
        for pin in (clock, MOSI) if MISO is None else (clock, MOSI, MISO):
            board.pins.claim(pin, self)
        assert (clock, MOSI) == (_SPI_CLOCK, _SPI_DATA)


class _DigitalInOut:
    def __init__(self, board: Board, pin: int) -> None:
        self._board, self._pin = board, board.pins.claim(pin, self)

    def switch_to_output(self, value: bool) -> None:
        self._board.chip.pin(self._pin, 1, int(value))


class _FourWire:
    """Sends a command with DC low and its data with DC high, CS low around both."""

    def __init__(
        self, board: Board, spi: _Spi, *, command: int, chip_select: int, reset: int, baudrate: int = 24_000_000
    ) -> None:
        assert isinstance(spi, _Spi)
        self._chip = board.chip
        self._dc, self._cs, self._rst = (board.pins.claim(pin, self) for pin in (command, chip_select, reset))
        self._chip.spi(1, baudrate, _SPI_CLOCK, _SPI_DATA, -2)
        for pin in (self._dc, self._cs, self._rst):
            self._chip.pin(pin, 1, 1)
        self._chip.set(self._rst, 0)
        self._chip.set(self._rst, 1)

    def send(self, command: int, data: Any) -> None:
        self._chip.set(self._cs, 0)
        self._chip.set(self._dc, 0)
        self._chip.transfer(bytes([command]))
        self._chip.set(self._dc, 1)
        self._chip.transfer(bytes(data))
        self._chip.set(self._cs, 1)
