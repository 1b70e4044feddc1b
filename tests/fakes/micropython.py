"""A Pico as far as the README's example sees one: `machine`, `time` and the old `requests`, over real sockets."""

from __future__ import annotations

import builtins
import json as _json
import socket
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Panel:
    """What the controller saw: each command, in order, with the bytes that followed while CS was low."""

    commands: list[tuple[int, bytes]] = field(default_factory=list)
    levels: dict[int, int] = field(default_factory=dict)
    taken_by_spi: set[int] = field(default_factory=set)

    CS, DC, MISO = 9, 8, 8

    def take(self, data: bytes) -> None:
        if self.levels.get(self.CS):
            return
        if not self.levels.get(self.DC):
            self.commands += [(byte, b"") for byte in data]
        else:
            command, before = self.commands[-1]
            self.commands[-1] = (command, before + data)

    def data_of(self, command: int) -> bytes:
        return next(data for code, data in reversed(self.commands) if code == command)


class Response:
    """What the `requests` of MicroPython up to 2026 gives: header names as they came, the socket as `raw`."""

    def __init__(self, stream: Any) -> None:
        self.raw = stream
        self.status_code = int(stream.readline().split(None, 2)[1])
        self.headers: dict[str, str] = {}
        while (line := stream.readline()) != b"\r\n":
            name, _, value = line.decode().partition(": ")
            if line.startswith(b"Transfer-Encoding:") and b"chunked" in line:
                raise ValueError("Unsupported " + value)
            self.headers[name] = value.rstrip()

    @property
    def text(self) -> str:
        with self.raw:  # a program that raises with it never closes it
            return str(self.raw.read().decode())

    def close(self) -> None:
        self.raw.close()


def post(url: str, headers: dict[str, str], json: Any) -> Response:
    """HTTP/1.0, as written in the micropython-lib of the time."""
    parts = urlsplit(url)
    body = _json.dumps(json).encode()
    connection = socket.create_connection((parts.hostname, parts.port), timeout=10)
    stream = connection.makefile("rwb")
    connection.close()
    lines = [f"POST {parts.path}?{parts.query} HTTP/1.0", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close"]
    stream.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
    stream.flush()
    return Response(stream)


def run(program: str) -> Panel:
    """Run a MicroPython program and give back what its panel saw."""
    panel = Panel()

    class Pin:
        OUT = 1

        def __init__(self, number: int, mode: int | None = None, value: int = 0) -> None:
            self.number = number
            if mode == self.OUT:
                panel.levels[number] = value

        def __call__(self, value: int) -> None:
            panel.levels[self.number] = value

    class SPI:
        def __init__(self, _: int, __: int, **pins: Pin | None) -> None:
            # Before firmware 1.25 the default MISO is taken even when none is asked for: a pin that was
            # made before belongs to the SPI block from now on, and the panel never hears of it again.
            panel.taken_by_spi = {Panel.MISO} & set(panel.levels)

        def write(self, data: bytes) -> None:
            if not panel.taken_by_spi:
                panel.take(bytes(data))

    modules = {
        "machine": SimpleNamespace(Pin=Pin, SPI=SPI),
        "time": SimpleNamespace(sleep_ms=lambda _: None),
        "requests": SimpleNamespace(post=post),
    }

    def fake_import(name: str, *_: Any) -> Any:
        return modules[name]

    exec(program, {"__builtins__": {**vars(builtins), "__import__": fake_import}})
    return panel
