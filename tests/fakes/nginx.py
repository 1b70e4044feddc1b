"""A real nginx with the configuration of deploy/, rendered for loopback."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from missing import missing

CONFIG = Path(__file__).parents[2] / "deploy" / "nginx.conf"
PROXIES = ("proxy-1:8080", "proxy-2:8080")
STARTING_SECONDS = 20
_NEVER_THE_SAME = "It is not in deploy/nginx.conf any more: "


def find_nginx() -> str:
    """The program; without it the test is skipped, or fails in CI."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    return found or missing("nginx is not installed")


def render(folder: Path, port: int, proxies: tuple[int, int]) -> Path:
    """The configuration with its files in `folder`, listening on `port`, before those two ports of loopback."""
    text = CONFIG.read_text(encoding="utf-8")
    places = {"listen 8080;": f"listen 127.0.0.1:{port};", " /tmp/": f" {folder}/"}
    places |= {f"server {old} ": f"server 127.0.0.1:{new} " for old, new in zip(PROXIES, proxies, strict=True)}
    # All of it in one process, which has all there is to know of who is down.
    places["worker_processes auto;"] = "worker_processes 1;" + " user root;" * (os.geteuid() == 0)
    for old, new in places.items():
        assert old in text, _NEVER_THE_SAME + old
        text = text.replace(old, new)
    file = folder / "nginx.conf"
    file.write_text(text, encoding="utf-8")
    return file


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def open_nginx(folder: Path, *proxies: int) -> AsyncIterator[int]:
    """nginx before these two ports; gives its own."""
    first, second = proxies
    port = free_port()
    file = render(folder, port, (first, second))
    command = (find_nginx(), "-e", "stderr", "-p", str(folder), "-c", str(file), "-g", "daemon off;")
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        await asyncio.wait_for(_listens(port, process), STARTING_SECONDS)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(port: int, process: asyncio.subprocess.Process) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert process.returncode is None, "nginx does not start"
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return
