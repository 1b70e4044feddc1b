"""Priorities: who says that its job can wait, and whose key says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from fakes.a1111 import ScriptedA1111
from fakes.jobs import DEFAULT
from pico_a1111_proxy.jobs import Job
from pico_a1111_proxy.web.guards import ApiKey
from pico_a1111_proxy.web.preferences import priority_of, wants_to_come_back
from pico_a1111_proxy.web.sdapi import RequestRules
from service import RAW, Service, open_service

SAID: list[tuple[str, str | None]] = [
    ("", None),
    ("respond-async", None),
    ("respond-async; priority=background", "background"),
    ("respond-async;priority=background", "background"),
    ("Respond-Async ; PRIORITY = Background", "background"),
    ('respond-async; x="a,b;c"; priority="background", wait=5', "background"),
    ("priority=background", "background"),
    ("priority=interactive", "interactive"),
    ("wait=5, priority=background", "background"),
    ("priority=background, respond-async", "background"),
    ("priority=interactive, respond-async; priority=background", "background"),
    ("respond-async; priority=urgent, priority=background", "background"),
    ("respond-async; priority=urgent", None),
    ("priority", None),
    ("priority=", None),
    ("priority=backgrounds", None),
    ("handling=lenient; priority=background", None),
    ('x="priority=background"', None),
    ('x=", priority=background"', None),
    # The first of each counts.
    ("priority=interactive, priority=background", "interactive"),
    ("respond-async; priority=interactive; priority=background", "interactive"),
    ("respond-async, respond-async; priority=background", None),
    # What is no list of preferences is read as far as it is one.
    (";;,,=;", None),
    ('"', None),
    ('x="open, priority=background', None),
    ("x\\, priority=background", "background"),
]


@pytest.mark.parametrize(("prefer", "priority"), SAID, ids=range(len(SAID)))
def test_what_a_preference_says(prefer: str, priority: str | None) -> None:
    assert priority_of(Headers({"prefer": prefer})) == priority


def test_several_headers_are_one_list() -> None:
    headers = Headers(raw=[(b"prefer", b"respond-async"), (b"prefer", b"priority=background")])
    assert (priority_of(headers), wants_to_come_back(headers)) == ("background", True)
    assert priority_of(Headers({})) is None


def test_a_long_header_takes_no_long_time() -> None:
    for prefer in ('"' * 50_000, 'a="' * 20_000, "\\" * 50_000, "respond-async;" * 5_000):
        assert priority_of(Headers({"prefer": prefer})) is None


# --- From a key to a job ----------------------------------------------------------------------------------------


async def job_of(prefer: str, key: str) -> Job:
    """The job of who says this and sends that key, one of two."""
    jobs = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        rules = RequestRules("json", 1000, image_urls=False)
        jobs.append(rules.of_client(Request(scope), Job("txt2img", b"{}", DEFAULT)))

    async def nothing(*_: Any) -> Message:
        raise AssertionError

    headers = [(b"prefer", prefer.encode()), (b"x-api-key", key.encode())]
    scope = {"type": "http", "path": "/x", "headers": headers, "state": {}}
    await ApiKey(app, ("a:background", "b"), ("b",))(scope, nothing, nothing)
    return jobs[0]


@pytest.mark.parametrize(
    ("prefer", "key", "priority"),
    [
        ("", "a:background", "interactive"),
        ("respond-async", "a:background", "interactive"),  # somebody is at the panel
        ("priority=background", "a:background", "background"),
        ("", "b", "background"),
        ("priority=interactive", "b", "background"),
        ("respond-async; priority=interactive", "b", "background"),
    ],
)
async def test_whose_job_can_wait(prefer: str, key: str, priority: str) -> None:
    assert (await job_of(prefer, key)).priority == priority


# --- What is told of it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefer", "status", "applied"),
    [
        ("respond-async", 202, "respond-async"),
        ("respond-async; priority=background", 202, "respond-async, priority=background"),
        ("respond-async, priority=interactive", 202, "respond-async, priority=interactive"),
        ("respond-async; priority=urgent", 202, "respond-async"),
        ("priority=background", 200, "priority=background"),
        ("respond-async, wait=60, priority=background", 200, "priority=background"),
        ("handling=lenient", 200, None),
    ],
)
async def test_what_was_applied_is_told(service: Service, prefer: str, status: int, applied: str | None) -> None:
    got = await service.txt2img({}, prefer=prefer, accept=RAW)
    assert (got.status, got.headers.get("Preference-Applied")) == (status, applied)
    if status == 202:
        assert (await service.ask("GET", f"{got.headers['Location']}/frame?wait=60")).status == 200


@pytest.fixture(scope="module")
async def locked(_upstream: ScriptedA1111) -> AsyncIterator[Service]:
    keys = {"service_api_key": "a, b", "background_keys": "b"}
    async with open_service(a1111_base_url=_upstream.url, **keys) as service:
        yield service


@pytest.mark.parametrize(("key", "applied"), [("a", "priority=interactive"), ("b", None)])
async def test_whose_key_is_for_background_work_can_ask_for_no_more(
    locked: Service, upstream: ScriptedA1111, key: str, applied: str | None
) -> None:
    got = await locked.frame({}, x_api_key=key, prefer="priority=interactive")
    assert (got.status, got.headers.get("Preference-Applied")) == (200, applied)
