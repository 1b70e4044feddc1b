"""What Title-Case header names cost: CPU time a frame of 115,200 bytes takes in uvicorn, three ways.

Run `python bench/header_case.py`. Prints the median of interleaved rounds, compared with httptools.
"""

from __future__ import annotations

import http.client
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 7
REQUESTS = 600
FRAME = bytes(115200)
WAYS = {
    "httptools (lower case)": "httptools",
    "h11 (lower case)": "h11",
    "h11, Title-Case (ours)": "pico_a1111_proxy.web.protocol:TitleCaseProtocol",
}


async def app(scope, receive, send):  # type: ignore[no-untyped-def]
    """A frame from memory, with the headers that frames have."""
    if scope["type"] != "http":
        return
    names = ("etag", "x-image-width", "x-image-height", "x-image-format", "x-image-count", "x-cache", "x-image-seed")
    headers = [(name.encode(), b"12345678") for name in names]
    headers += [(b"content-type", b"application/octet-stream"), (b"content-length", str(len(FRAME)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": FRAME})


def serve(way: str) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "header_case:app", "--http", way, "--port", str(port)]
    options = ["--log-level", "critical", "--no-access-log", "--lifespan", "off", "--loop", "asyncio"]
    return subprocess.Popen([*command, *options], cwd=Path(__file__).parent), port


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(port: int, times: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(times):
        connection.request("GET", "/")
        if len(connection.getresponse().read()) != len(FRAME):
            raise SystemExit("a frame was cut short")
    connection.close()


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            return ask(port, 20)
        except OSError:
            time.sleep(0.05)
    raise SystemExit("uvicorn did not start")


def main() -> None:
    servers = {name: serve(way) for name, way in WAYS.items()}
    spent: dict[str, list[float]] = {name: [] for name in WAYS}
    try:
        for _, port in servers.values():
            wait_for(port)
        for _ in range(ROUNDS):
            for name, (process, port) in servers.items():
                before = cpu_seconds(process.pid)
                ask(port, REQUESTS)
                spent[name].append((cpu_seconds(process.pid) - before) / REQUESTS * 1e6)
    finally:
        for process, _ in servers.values():
            process.terminate()
            process.wait(10)
    medians = {name: statistics.median(values) for name, values in spent.items()}
    base = next(iter(medians.values()))
    print(f"{'way':<26} {'µs of CPU a frame':>18} {'more than httptools':>20}")
    for name, median in medians.items():
        print(f"{name:<26} {median:>18.0f} {median - base:>17.0f} µs")


if __name__ == "__main__":
    main()
