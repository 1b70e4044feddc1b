"""Programs under test: each started in a process of its own on loopback, watched, and ended by its own id."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

Request = tuple[str, str, "bytes | None"]

HERE = Path(__file__).parent
PATIENCE = 30.0  # seconds that a program may take to answer
FRAME = ("POST", "/sdapi/v1/txt2img", b'{"prompt": "a lighthouse at sunset"}')
HEALTH = ("GET", "/health", None)
HEADERS = {"Content-Type": "application/json", "Accept": "application/octet-stream"}


@dataclass(frozen=True)
class Program:
    """What to start. `command` holds PORT where the port goes; `environment` is added to what programs need."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    name: str
    port: int
    pid: int
    started: float

    def memory(self, what: str) -> float:
        """VmRSS or VmHWM in megabytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024 / 1e6
        raise LookupError(what)

    def processor_seconds(self) -> float:
        """What it has used up to now, in itself and in the kernel."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self) -> None:
        """Let VmHWM begin again at what is resident now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def proxy(name: str, upstream: int, *, kornia: bool = True) -> Program:
    start = ("-m", "pico_a1111_proxy") if kornia else (str(HERE / "without_kornia.py"),)
    command = (sys.executable, *start, "serve", "--host", "127.0.0.1", "--port", "PORT")
    return Program(name, command, {"A1111_BASE_URL": f"http://127.0.0.1:{upstream}"})


def plan(name: str, upstream: int) -> Program:
    command = (sys.executable, "-m", "uvicorn", "--app-dir", str(HERE), "--port", "PORT", "plan_service:app")
    return Program(name, command, {"A1111_BASE_URL": f"http://127.0.0.1:{upstream}"})


def fake_a1111(name: str, bodies: list[Path]) -> Program:
    return Program(name, (sys.executable, str(HERE / "upstream.py"), "PORT", *map(str, bodies)))


def find(name: str) -> str | None:
    """The program of this name; nginx is not on everybody's PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def nginx(name: str, upstream: int, folder: Path) -> Program | None:
    """nginx straight through, with connections to the upstream kept; None where it is not installed."""
    program = find("nginx")
    if program is None:
        return None
    temporary = " ".join(f"{kind}_temp_path {folder};" for kind in ("client_body", "fastcgi", "uwsgi", "scgi"))
    site = f"""
    daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr; events {{ worker_connections 512; }}
    http {{ access_log off; {temporary} proxy_temp_path {folder};
      upstream a1111 {{ server 127.0.0.1:{upstream}; keepalive 32; }}
      server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://a1111; proxy_http_version 1.1;
        proxy_set_header Connection ""; proxy_buffers 64 32k; }} }} }}"""
    # The shell puts the port into the file and then becomes nginx, so that its id stays nginx's.
    start = f'printf "%s" "$1" > "$2" && exec "$3" -p "{folder}" -c "$2"'
    return Program(name, ("sh", "-c", start, "sh", site, str(folder / "nginx.conf"), program))


def stop_when_told() -> None:
    """Let a signal end the run by an exception, so that on the way out every program is ended."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit("Stopped."))


@contextmanager
def running(program: Program, first: Request = FRAME) -> Iterator[Running]:
    """Start it, wait until it has answered the `first` request, and end it whatever happens."""
    port = _free_port()
    command = [part.replace("PORT", str(port)) for part in program.command]
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    # From a folder without .env, so that nobody's own settings are measured.
    with subprocess.Popen(
        command,
        env={**environment, **program.environment},
        cwd=HERE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        started = time.perf_counter()
        try:
            wait_for(first, program.name, port, process)
            yield Running(program.name, port, process.pid, time.perf_counter() - started)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for(first: Request, name: str, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline:
        if process.poll() is not None:
            sys.exit(f"{name} ended with status {process.returncode}: {' '.join(map(str, process.args))}")
        try:
            if ask(port, first) == 200:
                return
        except ConnectionError:
            pass
        time.sleep(0.005)
    sys.exit(f"{name} gave no good answer within {PATIENCE:.0f} seconds")


def ask(port: int, request: Request = FRAME) -> int:
    """One request; its status, when the whole answer is here."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(*request, HEADERS)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
