"""worker: it draws until it is told to end, and what keeps it from starting is one sentence."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.commands import COMMAND, enter, environment, refused, run, run_alone
from fakes.redis import RedisServer, open_redis
from fakes.worker import open_asking
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.jobs import Job

WITHOUT_CELERY = """
import sys

sys.modules["celery"] = None
from pico_a1111_proxy.cli import main
main(["worker"])
"""


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(tmp_path, monkeypatch)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with open_redis(tmp_path, "--requirepass", "hidden") as server:
        yield server


def test_without_a_redis_it_says_what_to_set() -> None:
    refused(run("worker"), 1, "Error: A worker takes its jobs from a Redis: set REDIS_URL to that of the proxies.")


def test_it_draws_with_one_web_ui(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    done = run("worker", "--upstream", "http://127.0.0.1:1,http://127.0.0.1:2")
    refused(done, 1, "Error: A worker draws with one web UI: choose it with --upstream.")


def test_what_is_wrong_with_a_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    done = run("worker", "--upstream", "ftp://a")
    assert done.exit_code == 1
    assert "A1111_BASE_URL: " in done.stderr


async def test_without_the_extra_it_says_what_to_install() -> None:
    env = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WITHOUT_CELERY, env=env, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert "pip install 'pico-a1111-proxy[fleet]'" in errors.decode()
    assert "Traceback" not in errors.decode()


def test_its_help_says_what_it_needs() -> None:
    done = run_alone("worker", "--help")
    assert done.returncode == 0
    assert b"REDIS_URL" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_draws_until_it_is_told_to_end(server: RedisServer, number: signal.Signals) -> None:
    url = server.url.replace("redis://", "redis://:hidden@")
    process = await asyncio.create_subprocess_exec(
        *(COMMAND[0], "-m", "pico_a1111_proxy", "worker", "--upstream", "demo:", "--name", "gpu 1"),
        env=environment(REDIS_URL=url, LOG_FORMAT="json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with open_asking(url) as asking:
            await asking.until_taking("gpu 1")
            body = b'{"prompt": "a", "steps": 1, "width": 64, "height": 64}'
            job = Job("txt2img", body, default_display(8, 8, invert=True))
            assert (await asking.fleet.generate(job)).pictures
        process.send_signal(number)
        said, errors = (each.decode() for each in await asyncio.wait_for(process.communicate(), 30))
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    assert said.startswith("Worker gpu 1 draws with the demo painter. Ctrl+C ends it when the job in hand is done.\n")
    assert "Traceback" not in errors
    assert "hidden" not in errors + said
