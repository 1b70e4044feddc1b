"""fleet status: what a person and a program are told, and its exit status."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from fakes.commands import PATIENCE, enter, environment, refused, run, run_alone
from fakes.failures import closed_port
from fakes.redis import RedisServer, open_redis
from pico_a1111_proxy.displays import default_display
from pico_a1111_proxy.fleet.line import Line
from pico_a1111_proxy.fleet.link import Link, key, open_link
from pico_a1111_proxy.fleet.roll import Signature, sign
from pico_a1111_proxy.jobs import Job, Priority

DISPLAY = default_display(8, 8, invert=True)
WITHOUT_REDIS = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, *where):
        return None if name.partition(".")[0] == "redis" else self.finder.find_spec(name, *where)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
from pico_a1111_proxy.cli import main
main(["fleet", "status"])
"""


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(tmp_path, monkeypatch)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RedisServer]:
    """REDIS_URL names it."""
    async with open_redis(tmp_path) as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        yield server


@pytest.fixture
async def link(server: RedisServer) -> AsyncIterator[Link]:
    async with open_link(server.url, time.monotonic) as link:
        yield link


async def status(*arguments: str) -> Result:
    """The command has an event loop of its own."""
    return await asyncio.to_thread(run, "fleet", "status", *arguments)


async def wait(link: Link, name: str, priority: Priority, seconds: float = 0) -> None:
    """Stand in line, for so long already."""
    await Line(link).enter(name, Job("txt2img", b"{}", DISPLAY, priority=priority), "me", 60, 60)
    await link.redis.zincrby(key("line"), -seconds * 1000, name)


def worker(name: str, state: Any, seconds: float, words: str = "", **more: Any) -> Signature:
    now = time.time() + more.get("clock", 0)
    counts, version = more.get("counts", (0, 0)), more.get("version", "1.0")
    return Signature(name, state, words, now - seconds, counts, version, now)


# --- All is well ------------------------------------------------------------------------------------------------


async def test_workers_and_their_line_in_a_table(link: Link) -> None:
    await sign(link, worker("gpu-1", "busy", 65, counts=(120, 3)))
    await sign(link, worker("gpu-20", "busy", 2 * 3600))
    await sign(link, worker("gpu-3", "stopping", 2 * 86400))
    await link.redis.set(key("job_seconds"), "4.25")
    for name, priority in (("one", "interactive"), ("two", "interactive"), ("three", "background")):
        await wait(link, name, priority, 120)  # type: ignore[arg-type]  # mypy sees str
    done = await status()
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "Line     3 waiting: 2 interactive, 1 background; the oldest for 2 min",
        "Jobs     4.2 s each; a new one would wait for about 8 s",
        "Workers  3, of which 2 take jobs",
        "",
        "WORKER  STATE     FOR    DRAWN  FAILED",
        "gpu-1   busy      1 min  120    3",
        "gpu-20  busy      2 h    0      0",
        "gpu-3   stopping  2 d    0      0",
    ]


async def test_when_nobody_waits(link: Link) -> None:
    await sign(link, worker("gpu-1", "idle", 0))
    assert (await status()).stdout.splitlines()[:3] == [
        "Line     nobody waits",
        "Jobs     5.0 s each; a new one would begin at once",
        "Workers  1, of which 1 takes jobs",
    ]


async def test_a_program_reads_json(link: Link) -> None:
    await sign(link, worker("gpu-1", "paused", 3, "It refuses connections: is it running?"))
    await sign(link, worker("gpu-2", "idle", 3, counts=(7, 1)))
    await wait(link, "job", "background", 5)
    done = await status("--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, 5 <= told.pop("oldest_seconds") < 60) == (0, True)
    assert [3 <= each.pop("seconds") < 60 for each in told["workers"]] == [True, True]
    paused = {"state": "paused", "drawn": 0, "failed": 0, "words": "It refuses connections: is it running?"}
    assert told == {
        "redis": "up",
        "workers": [
            {"name": "gpu-1", **paused, "version": "1.0"},
            {"name": "gpu-2", "state": "idle", "drawn": 7, "failed": 1, "version": "1.0"},
        ],
        "states": {"idle": 1, "busy": 0, "paused": 1, "stuck": 0, "stopping": 0},
        "taking": 1,
        "waiting": 1,
        "background": 1,
        "job_seconds": 5.0,
    }


# --- What is the matter, and what to do -------------------------------------------------------------------------


async def test_without_workers(link: Link) -> None:
    done = await status()
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1:] == [
        "Jobs     5.0 s each; a new one would find nobody",
        "Workers  0, of which 0 take jobs",
        "",
        "No worker is there: start one beside each GPU with pico-a1111-proxy worker --upstream URL.",
    ]


async def test_when_all_are_paused(link: Link) -> None:
    await sign(link, worker("gpu-1", "paused", 180, "It refuses connections"))
    done = await status()
    assert done.exit_code == 1
    assert done.stdout.splitlines()[4:] == [
        "WORKER  STATE   FOR    DRAWN  FAILED",
        "gpu-1   paused  3 min  0      0       It refuses connections",
        "",
        "Nobody takes jobs.",
        "A paused worker takes jobs again by itself, once its upstream can be used: see to that one.",
    ]


async def test_when_one_is_stuck(link: Link) -> None:
    await sign(link, worker("gpu-1", "idle", 200))
    await sign(link, worker("gpu-2", "busy", 2))
    await wait(link, "job", "interactive", 30)
    done = await status()
    assert done.exit_code == 1
    assert "gpu-1   stuck  3 min  0      0       idle, while a job has waited for 3" in done.stdout
    assert done.stdout.splitlines()[-1] == "A stuck worker says that it is idle and leaves the line alone: restart it."


async def test_when_clocks_or_versions_differ(link: Link) -> None:
    await sign(link, worker("gpu-1", "idle", 2, clock=63))
    await sign(link, worker("gpu-2", "idle", 2, version="0.9"))
    done = await status()
    assert done.exit_code == 0  # they draw
    assert re.search("its clock is [56][0-9] s ahead of that of Redis", done.stdout)
    assert done.stdout.splitlines()[-2:] == [
        "Clocks that differ throw jobs away, or have them drawn twice: let NTP set them all.",
        "The workers are of several versions: 0.9, 1.0.",
    ]


# --- Redis ------------------------------------------------------------------------------------------------------


def test_without_redis_there_is_no_fleet() -> None:
    refused(run("fleet", "status"), 1, "Error: REDIS_URL is not set: it names the Redis that brings a fleet together")


def test_when_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as url:
        port = url.rpartition(":")[2].strip("/")
        monkeypatch.setenv("REDIS_URL", f"redis://:s3cret@127.0.0.1:{port}/0")
        sentence = f"Error: The fleet's Redis can't be reached. REDIS_URL names 127.0.0.1:{port}"
        refused(run("fleet", "status"), 1, sentence)
        done = run("fleet", "status", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"redis": "down", "words": "The fleet's Redis can't be reached"}


async def test_when_redis_wants_another_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_redis(tmp_path, "--requirepass", "right") as server:
        monkeypatch.setenv("REDIS_URL", server.url.replace("//", "//:wrong@"))
        done = await status()
    assert "it refuses the password of REDIS_URL" in done.stderr
    assert "wrong@" not in done.stderr


async def test_as_from_a_shell(server: RedisServer) -> None:
    done = await asyncio.to_thread(run_alone, "fleet", "status", REDIS_URL=server.url)
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.startswith(b"Line     nobody waits")


def test_without_the_extra_it_says_what_to_install() -> None:
    env = environment(REDIS_URL="redis://127.0.0.1:1/0")
    command = [sys.executable, "-c", WITHOUT_REDIS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=env, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "REDIS_URL: needs what is not installed: pip install 'pico-a1111-proxy[fleet]'" in done.stderr
    assert "Traceback" not in done.stderr
