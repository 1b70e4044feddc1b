"""The command line as a service: it starts, says where it is, answers, and ends when it is told to."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pico_a1111_proxy.settings import Settings

FLEET = {"REDIS_URL": "redis://127.0.0.1:1", "FLEET": "celery"}
COMMAND = [sys.executable, "-W", "error", "-m", "pico_a1111_proxy"]
PATIENCE = 30  # seconds; reached only by a service that hangs


@dataclass
class Running:
    """A service in a process of its own; `greeting` is what it said on its standard output."""

    process: subprocess.Popen[str]
    greeting: str

    @property
    def address(self) -> str:
        return self.greeting.partition("Listening on ")[2].partition(",")[0]

    def fetch(self, request: urllib.request.Request | str) -> bytes:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return bytes(answer.read())

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send the signal; the exit status, and all that went to standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors


@contextmanager
def running(folder: Path, *arguments: str, **ours: str) -> Iterator[Running]:
    """The command, once it has said the last line of its greeting or ended."""
    env = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*COMMAND, *arguments], text=True, cwd=folder, env={**env, **ours}, **pipes) as process:
        alarm = threading.Timer(PATIENCE, process.kill)
        alarm.start()
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "/sdapi/v1/txt2img" in line:
                    break
            yield Running(process, "".join(lines))
        finally:
            alarm.cancel()
            process.kill()


def test_it_starts_with_the_demo_and_its_first_line_of_curl_makes_a_frame(tmp_path: Path) -> None:
    with running(tmp_path, "serve", "--port", "0") as service:
        assert service.greeting.startswith("DEMO: ")
        words = shlex.split(service.greeting[service.greeting.index("curl") :])
        headers = dict(words[at + 1].split(": ") for at, word in enumerate(words) if word == "-H")
        data = words[words.index("-d") + 1].encode()

        assert words[-1] == f"{service.address}/sdapi/v1/txt2img"
        assert len(service.fetch(urllib.request.Request(words[-1], data, headers))) == 115200

        status, log = service.end(signal.SIGTERM)
    assert status == 0
    assert "Traceback" not in log
    assert "path=/sdapi/v1/txt2img status=200" in log


def test_demo_draws_whatever_the_settings_name(tmp_path: Path) -> None:
    ours = {"A1111_BASE_URL": "http://127.0.0.1:1", "LOG_FORMAT": "json"} | FLEET
    with running(tmp_path, "demo", "--port", "0", "--host", "127.0.0.1", **ours) as service:
        assert service.address.startswith("http://127.0.0.1:")
        assert "DEMO: the built-in painter draws" in service.greeting
        assert json.loads(service.fetch(f"{service.address}/health"))["upstream"]["kind"] == "demo"

        status, log = service.end(signal.SIGINT)
    assert status == 0
    *lines, last = log.splitlines()
    assert last == "Stopped."
    assert "/health" in [json.loads(line).get("path") for line in lines]


def test_an_address_of_version_6_is_written_as_one(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with running(tmp_path, "serve", "--port", "0", "--host", "::1") as service:
        assert service.address.startswith("http://[::1]:")
        assert json.loads(service.fetch(f"{service.address}/health"))["status"]


@pytest.mark.parametrize(
    ("ours", "sentence"),
    [
        ({}, "Error: Can't listen on 127.0.0.1:{port}: Address already in use. Another port: --port or SERVICE_PORT"),
        ({"TARGET_WIDTH": "0"}, "Error: 1 wrong setting:\n  TARGET_WIDTH: is at least 1"),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(tmp_path: Path, ours: dict[str, str], sentence: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with running(tmp_path, "serve", **{"SERVICE_HOST": "127.0.0.1", "SERVICE_PORT": port, **ours}) as service:
            _, errors = service.process.communicate(timeout=PATIENCE)

    assert (service.process.returncode, service.greeting) == (1, "")
    assert errors.strip() == sentence.format(port=port)
