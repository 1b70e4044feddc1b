"""The doctor: each thing that can be wrong on the way to an upstream, and what it says to do about it."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from fakes.a1111 import Reply, ScriptedA1111, answer, said
from fakes.pictures import png
from pico_a1111_proxy.doctor import examine
from pico_a1111_proxy.settings import Settings, read_settings

PATIENCE = 30  # seconds; reached only by a command that hangs

NAME = ("name", True, "127.0.0.1 is 127.0.0.1")
OPEN = ("credentials", True, "none asked for")
API = ("API", True, "on")
SAMPLERS = ("samplers", True, "1, such as Euler")
DRAWN = ("picture", True, "drawn, and made a frame of 115200 bytes")


async def findings(url: str, **settings: Any) -> list[tuple[str, bool, str]]:
    asked = read_settings(env_file=None, a1111_base_url=url, **settings)
    return [(finding.what, finding.good, finding.words) async for finding in examine(asked)]


def connected(upstream: ScriptedA1111) -> list[tuple[str, bool, str]]:
    return [NAME, ("connection", True, f"something answers at 127.0.0.1:{upstream.port}")]


def has_basic(upstream: ScriptedA1111, user: str) -> bool:
    return upstream.looks[-1].header("authorization") == "Basic " + base64.b64encode(user.encode()).decode()


async def test_all_is_well(upstream: ScriptedA1111) -> None:
    assert await findings(upstream.url) == [*connected(upstream), OPEN, API, SAMPLERS, DRAWN]
    (request,) = upstream.generations
    assert request.target == "/sdapi/v1/txt2img"
    assert request.body.startswith(b'{"prompt": ')


async def test_the_demo_is_well_by_itself() -> None:
    (first, *_, last) = await findings("demo:")

    assert first[1]
    assert last == DRAWN


async def test_an_unknown_name() -> None:
    assert await findings("http://nobody.invalid:7860") == [
        ("name", False, "nobody.invalid is not known here: check the spelling, or use the IP address")
    ]


async def test_a_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    name, (what, good, words) = await findings(f"http://127.0.0.1:{port}")
    assert name == NAME
    assert (what, good) == ("connection", False)
    assert words.startswith(f"127.0.0.1:{port}: It refuses connections: is it running? Start")
    assert words.endswith("Start the web UI with --listen --api and compare the port with the one it prints")


@pytest.mark.parametrize("status", [401, 403])
async def test_credentials_are_asked_for_and_there_are_none(upstream: ScriptedA1111, status: int) -> None:
    upstream.samplers = said({"detail": "Not authenticated"}, status)

    assert await findings(upstream.url) == [
        *connected(upstream),
        ("credentials", False, "it asks for credentials: set A1111_USERNAME and A1111_PASSWORD to those of --api-auth"),
    ]
    assert upstream.generations == []


async def test_credentials_are_refused(upstream: ScriptedA1111) -> None:
    upstream.samplers = said({"detail": "Incorrect username or password"}, 401)

    assert await findings(upstream.url, a1111_username="ann", a1111_password="a:b") == [
        *connected(upstream),
        ("credentials", False, "A1111_USERNAME and A1111_PASSWORD are refused: they must be those of --api-auth"),
    ]
    assert has_basic(upstream, "ann:a:b")


async def test_credentials_are_accepted(upstream: ScriptedA1111) -> None:
    found = await findings(upstream.url, a1111_username="ann", a1111_password="secret")

    assert found[2:] == [("credentials", True, "accepted"), API, SAMPLERS, DRAWN]


async def test_the_api_is_off(upstream: ScriptedA1111) -> None:
    upstream.samplers = upstream.standing = said({"detail": "Not Found"}, 404)
    what, good, words = (await findings(upstream.url))[-1]

    assert (what, good) == ("picture", False)
    assert words == "Upstream A1111 answered 404: Not Found (was it started with --api?)"


async def test_a_server_without_a_list_of_samplers_may_still_draw(upstream: ScriptedA1111) -> None:
    upstream.samplers = said({"detail": "Not Found"}, 404)

    found = await findings(upstream.url)
    assert found[-1] == DRAWN
    assert "some other servers have no such list" in found[-2][2]


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(body=b"<html>a router</html>", headers=(("content-type", "text/html"),)), 200),
        (Reply(302, headers=(("location", "/login"),)), 302),
        (said({"error": "boom"}, 500), 500),
        (said({"name": "Euler"}), 200),
    ],
)
async def test_something_else_answers_there(upstream: ScriptedA1111, reply: Reply, status: int) -> None:
    upstream.samplers = reply

    assert (await findings(upstream.url))[-1] == (
        "API",
        False,
        f"it answered {status}, which is no A1111 API: is A1111_BASE_URL the web UI's address?",
    )
    assert upstream.generations == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (said({"error": "OutOfMemoryError", "detail": "", "body": "", "errors": "CUDA"}, 500), "(OutOfMemoryError)"),
        (said({"images": []}), "The upstream's answer holds no picture"),
        (answer("no picture"), "Failed to process image: none of the upstream's images is a picture"),
        (answer(png()[:50]), "Failed to process image: "),
        (Reply(mute=True), "It hung up before the answer was complete"),
    ],
)
async def test_no_picture_comes(upstream: ScriptedA1111, reply: Reply, words: str) -> None:
    upstream.standing = reply
    *before, (what, good, told) = await findings(upstream.url)

    assert before == [*connected(upstream), OPEN, API, SAMPLERS]
    assert (what, good) == ("picture", False)
    assert words in told


async def test_it_draws_one_picture_and_looks_once(upstream: ScriptedA1111) -> None:
    looks = len(upstream.looks)
    await findings(upstream.url)

    assert len(upstream.generations) == 1
    assert len(upstream.looks) <= looks + 2  # its own look, and perhaps that of the tests' service


async def doctor(folder: Path, **ours: str) -> tuple[int | None, list[str], str]:
    """The command: exit status, lines of standard output, standard error."""
    env = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    command = [sys.executable, "-W", "error", "-m", "pico_a1111_proxy", "doctor"]
    process = await asyncio.create_subprocess_exec(
        *command, env={**env, **ours}, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode, out.decode().splitlines(), err.decode()


async def test_the_command_tells_it_line_by_line(upstream: ScriptedA1111, tmp_path: Path) -> None:
    assert await doctor(tmp_path, A1111_BASE_URL=upstream.url) == (
        0,
        [
            "name         ok     127.0.0.1 is 127.0.0.1",
            f"connection   ok     something answers at 127.0.0.1:{upstream.port}",
            "credentials  ok     none asked for",
            "API          ok     on",
            "samplers     ok     1, such as Euler",
            "picture      ok     drawn, and made a frame of 115200 bytes",
            "All is well.",
        ],
        "",
    )


async def test_the_command_fails_at_the_first_fault(upstream: ScriptedA1111, tmp_path: Path) -> None:
    upstream.samplers = said({"detail": "Not authenticated"}, 401)
    status, lines, errors = await doctor(tmp_path, A1111_BASE_URL=upstream.url)

    assert (status, errors) == (1, "")
    assert lines[2:] == [
        "credentials  WRONG  it asks for credentials: set A1111_USERNAME and A1111_PASSWORD to those of --api-auth"
    ]


async def test_a_redis_that_is_away_is_told_first() -> None:
    settings = read_settings(env_file=None, redis_url="redis://127.0.0.1:1")
    findings = [finding async for finding in examine(settings)]
    assert [(finding.what, finding.good) for finding in findings] == [("redis", False)]
    assert "is REDIS_URL right?" in findings[0].words
