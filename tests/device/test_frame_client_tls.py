"""The client without a simulator, on CPython's own sockets: over http, and over https with a certificate of its own."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import shutil
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from device.asking import DISPLAY, JOB, PIXELS, ask, each, frame, open_scripted
from fakes.a1111 import Reply
from missing import missing
from pico_a1111_proxy.simulator.runner import device_folder

# Written so that no library is needed to make one.
_CERTIFICATE = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=pico"


@dataclass
class Panel:
    """The least that the client asks of a panel; `shown` is what was written to it."""

    width: int = DISPLAY.width
    height: int = DISPLAY.height
    format: str = DISPLAY.format
    display: str = DISPLAY.name
    band: bytearray = field(default_factory=lambda: bytearray(12 * 2 * DISPLAY.width))
    shown: bytes = b""

    def begin(self, rows: int, top: int = 0) -> None:
        assert (rows, top) == (self.height, 0)
        self.shown = b""

    def write(self, band: Any) -> None:
        self.shown += bytes(band)


@pytest.fixture(scope="module")
def client() -> ModuleType:
    """The module, as any program on CPython imports it."""
    found = importlib.util.spec_from_file_location("frame_client", device_folder() / "frame_client.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 in one file; without openssl a test is skipped, and in CI it fails."""
    if shutil.which("openssl") is None:
        missing("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    named = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key"), "-out", str(folder / "one")]
    subprocess.run([*_CERTIFICATE.split(), *named], check=True, capture_output=True, timeout=60)
    both = folder / "both"
    both.write_bytes((folder / "key").read_bytes() + (folder / "one").read_bytes())
    return both


@pytest.fixture(scope="module")
def identity(certificate: Path) -> ssl.SSLContext:
    """The server's side."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


REPLIES = {"a": [Reply(mute=True), frame(cut=9000), frame(x_image_seed="5"), Reply(304)], "b": [JOB, frame()]}


async def test_over_http(client: ModuleType) -> None:
    panel, fed = Panel(), []
    async with open_scripted(REPLIES) as server:
        one = client.FrameClient(server.url + "/a", panel, feed=lambda: fed.append(1))
        with pytest.raises(client.FrameError, match="hung up"):
            await asyncio.to_thread(_without_retries, one)
        with pytest.raises(client.FrameError, match="cut off after 9000 of 25600 bytes"):
            await asyncio.to_thread(_without_retries, one)
        assert await asyncio.to_thread(one.newest) is True
        assert (panel.shown, one.seed) == (PIXELS, 5)
        assert await asyncio.to_thread(one.newest) is False
        other = client.FrameClient(server.url + "/b", panel)
        await asyncio.to_thread(other.txt2img, "a")
    assert panel.shown == PIXELS
    assert fed
    gc.collect()  # what a socket left open says when it goes would be an error here


def _without_retries(one: Any) -> bool:
    one.retries = 0
    return bool(one.newest())


@pytest.mark.parametrize("verified", [True, False])
async def test_over_https(client: ModuleType, identity: ssl.SSLContext, certificate: Path, verified: bool) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate)) if verified else unverified()
    panel = Panel()
    async with open_scripted({"a": [JOB, frame(x_image_seed="5"), Reply(304)]}, tls=identity) as server:
        url = server.url.replace("http:", "https:") + "/a"
        one = client.FrameClient(url, panel, tls=trusting)
        await asyncio.to_thread(one.txt2img, "a" * 5000)
        assert await asyncio.to_thread(one.newest) is False
        assert [seen.method for seen in server.seen] == ["POST", "GET", "GET"]
    assert (panel.shown, one.seed) == (PIXELS, 5)
    gc.collect()


async def test_who_is_not_known_is_not_asked(client: ModuleType, identity: ssl.SSLContext) -> None:
    panel = Panel()
    async with open_scripted({"a": frame()}, tls=identity) as server:
        url = server.url.replace("http:", "https:") + "/a"
        one = client.FrameClient(url, panel, tls=ssl.create_default_context(), retries=0)
        with pytest.raises(client.FrameError) as told:
            await asyncio.to_thread(one.newest)
        assert server.seen == []
    assert "127.0.0.1" in str(told.value)
    assert len(str(told.value)) <= 100
    assert panel.shown == b""
    gc.collect()


async def test_who_speaks_no_tls_is_told(client: ModuleType) -> None:
    async def speak_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(speak_http, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    one = client.FrameClient(f"https://{place}", Panel(), tls=unverified(), retries=0)
    with pytest.raises(client.FrameError, match=place) as told:
        await asyncio.to_thread(one.newest)
    server.close()
    assert len(str(told.value)) <= 100
    gc.collect()


async def test_a_board_without_tls_tells_so_at_once(vm: str) -> None:
    """Neither of these has it: the VM is built without, and the simulator's sockets are none that CPython encrypts."""
    async with open_scripted({"a": frame()}) as server:
        asked = await ask(vm, each(["a"], server.url.replace("http:", "https:"), "newest()"))
        assert server.seen == []
    assert "ssl" in asked["a"].error or "TLS" in asked["a"].error
    assert (asked["a"].status, asked["a"].again) == (0, None)
