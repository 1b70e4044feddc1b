"""The log: one line a request, and with DEBUG_MODE what was said, without secrets and without pictures."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import structlog

from fakes.a1111 import ScriptedA1111, answer, said
from fakes.clients import post
from fakes.pictures import b64, encode, gradient, png
from pico_a1111_proxy.logs import set_up_logs
from pico_a1111_proxy.web.access import DEEPEST_SHOWN, KEPT_BYTES, AccessLog, redact
from service import RAW, TXT2IMG, Service, open_service

PICTURE = b64(png())  # so small that its length does not give it away
LARGE = b64(encode(gradient((200, 200))))
KEY = "k3y-of-ours"


class Log:
    """What was written, and its lines as documents."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    async def told(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """The lines of an event, once there are so many: a line is written after its answer has gone out."""
        for _ in range(1000):
            found = [line for line in self.lines if line["event"] == event]
            if len(found) >= count:
                return found
            await asyncio.sleep(0)
        raise AssertionError(self.text)


@contextmanager
def logging_to_memory(form: str, *, debug: bool) -> Iterator[Log]:
    """Set the logs up as `serve` does, and put back what was there."""
    root = logging.getLogger()
    before, level, stderr, configuration = list(root.handlers), root.level, sys.stderr, structlog.get_config()
    stream = sys.stderr = io.StringIO()
    try:
        set_up_logs(form, debug)
        yield Log(stream)
    finally:
        sys.stderr = stderr
        root.handlers[:] = before
        root.setLevel(level)
        structlog.configure(**configuration)


@asynccontextmanager
async def logged(upstream: ScriptedA1111, *, debug: bool, **settings: Any) -> AsyncIterator[tuple[Service, Log]]:
    with logging_to_memory("json", debug=debug) as log:
        async with open_service(a1111_base_url=upstream.url, debug_mode=debug, **settings) as service:
            yield service, log


async def test_a_request_is_one_line(upstream: ScriptedA1111) -> None:
    async with logged(upstream, debug=False) as (service, log):
        await service.frame({"prompt": "a secret garden"}, "?display=default&api_key=hunter2", x_request_id="mine-1")
        *_, line = await log.told("request", 2)

    assert line.pop("timestamp")
    assert line.pop("ms") >= 0
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "access",
        "request_id": "mine-1",
        "method": "POST",
        "path": TXT2IMG,
        "status": 200,
        "bytes": 115200,
        "cache": "miss",
    }
    for unsaid in ("hunter2", "garden", "display", PICTURE):
        assert unsaid not in log.text


@pytest.mark.parametrize(
    ("request_line", "path", "status"),
    [
        ("GET /health HTTP/1.1", "/health", 200),
        ("GET /none HTTP/1.1", "/none", 404),
        ("GET /%1b[2J%0aevent=forged%c3%a9 HTTP/1.1", "/%1B%5B2J%0Aevent=forged%C3%A9", 404),
        ("GET /a%20b;c=@d HTTP/1.1", "/a%20b;c=@d", 404),
    ],
)
async def test_a_path_can_not_forge_a_line(upstream: ScriptedA1111, request_line: str, path: str, status: int) -> None:
    async with logged(upstream, debug=False) as (service, log):
        async with service.connect() as client:
            await client.ask(f"{request_line}\r\nHost: pico\r\n\r\n".encode())
        *_, line = await log.told("request", 2)

    assert (line["path"], line["status"], line["cache"]) == (path, status, "-")


async def test_a_surprise_is_in_the_log_and_not_in_the_answer() -> None:
    sent: list[Any] = []

    async def surprise(*_: Any) -> None:
        raise RuntimeError("a path such as /etc/passwd")

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "state": {"request_id": "mine-3"}}
    with logging_to_memory("json", debug=False) as log:
        await AccessLog(surprise, debug=False)(scope, receive, send)
        told, line = log.lines

    assert (sent[0]["status"], json.loads(sent[1]["body"])["code"]) == (500, 500)
    assert b"passwd" not in sent[1]["body"]
    assert "RuntimeError: a path such as /etc/passwd" in told["exception"]
    assert (told["event"], line["event"], line["status"]) == ("surprise", "request", 500)
    assert told["request_id"] == line["request_id"] == "mine-3"


async def test_debug_tells_both_sides(upstream: ScriptedA1111) -> None:
    body = {"prompt": "a lighthouse", "steps": 3}
    async with logged(upstream, debug=True) as (service, log):
        await service.txt2img(body, accept="application/json", x_request_id="mine-2")
        asked = (await log.told("asked", 2))[-1]
        answered = (await log.told("answered", 2))[-1]

    assert asked["body"] == body
    assert asked["headers"]["accept"] == "application/json"
    assert answered["headers"]["content-type"] == "application/json"
    assert set(answered["body"]) == {"images", "parameters", "info"}
    assert answered["body"]["images"] == ["<153600 characters>"]
    assert {line["request_id"] for line in (asked, answered)} == {"mine-2"}
    await log.told("request", 2)
    # By its id: the watch looks at the upstream when it likes.
    ours = [line["event"] for line in log.lines if line.get("request_id") == "mine-2"]
    assert ours == ["asked", "answered", "request"]


async def test_debug_leaves_secrets_and_pictures_out(upstream: ScriptedA1111) -> None:
    body = {
        "init_images": [PICTURE, "data:image/png;base64," + LARGE],
        "mask": PICTURE,
        "auth": "ann:hunter2",
        "url": "http://ann:hunter2@gpu:7860/x",
        "override_settings": {"api_key": "hunter2", "passwords": ["hunter2"], "login_auth": {"user": "hunter2"}},
    }
    upstream.standing = answer(png(), parameters=body)
    headers = {"Cookie": "session=hunter2", "Proxy-Authorization": "Basic hunter2", "Referer": "http://x/?k=hunter2"}
    async with logged(upstream, debug=True, service_api_key=KEY) as (service, log):
        for accept in ("application/json", RAW, "image/png"):
            given = await service.txt2img(body, "?answer=json", accept=accept, x_api_key=KEY, **headers)
            assert given.status == 200
        await service.txt2img(body, authorization="Bearer " + KEY)
        await service.txt2img(body, x_api_key="wrong-hunter2")
        answered = await log.told("answered", 6)

    assert answered[-1]["body"]["error"] == "Invalid or missing API key"
    for unsaid in ("hunter2", KEY, PICTURE[:40], LARGE[:40]):
        assert unsaid not in log.text
    assert '"url":"http://***@gpu:7860/x"' in log.text.replace('": "', '":"')


@pytest.mark.parametrize("accept", [RAW, "image/png"])
async def test_debug_measures_what_is_no_json(upstream: ScriptedA1111, accept: str) -> None:
    async with logged(upstream, debug=True) as (service, log):
        given = await service.txt2img({}, accept=accept)
        assert (await log.told("answered", 2))[-1]["body"] == f"<{len(given.body)} bytes>"


@pytest.mark.parametrize(
    ("body", "status", "shown"),
    [
        (b"{bad", 422, "<4 bytes>"),
        (b"\xff\x00", 422, "<2 bytes>"),
        (b"", 422, "<0 bytes>"),
        (b"[" * 100_000, 422, "<100000 bytes>"),
        (b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", 200, None),
        (b'{"a":"' + b"x" * KEPT_BYTES + b'"}', 200, f"<{KEPT_BYTES + 8} bytes>"),
    ],
)
async def test_debug_survives_any_body(upstream: ScriptedA1111, body: bytes, status: int, shown: str | None) -> None:
    async with logged(upstream, debug=True) as (service, log), service.connect() as client:
        assert (await client.ask(post(TXT2IMG, body, "Accept: " + RAW))).status == status
        asked = (await log.told("asked", 2))[-1]
        await log.told("request", 2)

    assert asked["body"] == shown or shown is None
    assert "Traceback" not in log.text


async def test_without_debug_nothing_that_was_said_is_told(upstream: ScriptedA1111) -> None:
    upstream.standing = said({"detail": "words of the upstream"}, 500)
    async with logged(upstream, debug=False) as (service, log):
        await service.txt2img({"prompt": "a lighthouse"})
        await log.told("request", 2)

    assert {line["event"] for line in log.lines} <= {"request", "upstream", "stopping"}
    assert "lighthouse" not in log.text


def test_redacting_changes_only_a_copy() -> None:
    deep: Any = "bottom"
    for _ in range(2000):
        deep = [deep]
    value = {
        "prompt": "x" * 201,
        "short": "x" * 200,
        "n": 1.5,
        "none": None,
        "api_key": "",
        "list": [PICTURE, {}],
        "d": deep,
    }
    shown = redact(value)

    assert shown["prompt"] == "<201 characters>"
    assert (shown["short"], shown["n"], shown["none"], shown["api_key"]) == ("x" * 200, 1.5, None, "")
    assert shown["list"] == [f"<{len(PICTURE)} characters>", {}]
    assert json.dumps(shown["d"]) == "[" * (DEEPEST_SHOWN - 1) + '"..."' + "]" * (DEEPEST_SHOWN - 1)
    assert value["list"][0] == PICTURE


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_local_variables(form: str) -> None:
    with logging_to_memory(form, debug=False) as log:
        password = "hunter2"
        try:
            raise ValueError("a bug" if password else "")
        except ValueError:
            structlog.get_logger("t").exception("surprise")
            logging.getLogger("other").exception("told by a library")

    assert log.text.count("ValueError: a bug") == 2
    assert "hunter2" not in log.text.replace('password = "hunter2"', "")


def test_the_console_is_for_eyes_and_has_no_colours_in_a_file() -> None:
    with logging_to_memory("console", debug=False) as log:
        structlog.get_logger("t").info("request", path="/a b", status=200)
        logging.getLogger("library").warning("words of %s", "its own")
        structlog.get_logger("t").debug("unsaid")

    first, second = log.text.splitlines()
    assert "request" in first
    assert "path='/a b' status=200" in first
    assert "words of its own" in second
    assert "\x1b" not in log.text


@pytest.mark.parametrize("name", ["asyncio", "aiohttp.client", "PIL.PngImagePlugin", "uvicorn.error"])
def test_libraries_are_quiet_below_a_warning_even_in_debug(name: str) -> None:
    with logging_to_memory("json", debug=True) as log:
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("trouble")

    assert [line["event"] for line in log.lines] == ["trouble"]
