"""The application as `uvicorn --factory` serves it, without what our own server adds. Section 7 of the interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn

from fakes.a1111 import ScriptedA1111
from fakes.clients import micropython_request
from pico_a1111_proxy.web.server import open_socket
from service import RAW, TXT2IMG, open_client

FACTORY = "pico_a1111_proxy.web.app:create_app"
OURS = "pico_a1111_proxy.web.protocol:TitleCaseProtocol"


@asynccontextmanager
async def uvicorn_serves(http: str) -> AsyncIterator[int]:
    """What `uvicorn --factory FACTORY --http HTTP` runs, on a free port."""
    listener = open_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(FACTORY, factory=True, http=http, ws="none", log_config=None))
    running = asyncio.create_task(server.serve([listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await running


@pytest.mark.parametrize("http", ["h11", "httptools", OURS])
async def test_it_answers(upstream: ScriptedA1111, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, http: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A1111_BASE_URL", upstream.url)
    monkeypatch.setenv("TARGET_WIDTH", "32")
    async with uvicorn_serves(http) as port, open_client(port) as service:
        got = await service.frame(query="?invert=false&x=%2F")
        assert (got.status, got.body) == (200, b"\xf8\x00" * 32 * 240)
        headers = {name.lower(): value for name, value in got.headers.items()}
        assert headers["content-length"] == str(len(got.body))
        assert "transfer-encoding" not in headers
        assert upstream.seen[0].target == f"{TXT2IMG}?x=%2F"
        assert (await service.txt2img(b"{bad")).json()["code"] == 422
        assert (await service.ask("GET", "/health")).json()["upstream"]["state"] in ("usable", "not looked at yet")


async def test_title_case_can_be_had_by_name(
    upstream: ScriptedA1111, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A1111_BASE_URL", upstream.url)
    async with uvicorn_serves(OURS) as port, open_client(port):
        got = await micropython_request(port, "POST", TXT2IMG, {}, {"Accept": RAW}, old=True)
    assert got.headers["Content-Type"] == RAW
