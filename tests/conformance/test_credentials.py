"""Servers that ask for credentials: those of our settings go up, and a client's own never do. Check 45."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from conformance.both import ORIGINAL, Both, assert_refused, assert_same, header
from fakes.a1111 import ScriptedA1111
from fakes.personalities import PERSONALITIES
from fakes.pictures import b64
from service import RAW, TXT2IMG, Service, open_service

RIGHT = ("user", "pa:ss, word")
SETTINGS: dict[str, dict[str, str]] = {
    "right": {"a1111_username": RIGHT[0], "a1111_password": RIGHT[1]},
    "wrong": {"a1111_username": RIGHT[0], "a1111_password": "another"},
    "absent": {},
}
# These three ask nobody, and that one asks for a token, which the settings can't give.
OPEN, TOKEN = ("sdcpp", "koboldcpp", "drawthings"), "xinference"
CASES = [(kind, given) for kind in PERSONALITIES for given in SETTINGS if kind not in OPEN or given == "right"]

pytestmark = pytest.mark.parametrize(("both", "given"), CASES, indirect=["both"])


@pytest.fixture(scope="module")
async def services(_upstream: ScriptedA1111) -> AsyncIterator[dict[str, Service]]:
    async with AsyncExitStack() as stack:
        yield {
            given: await stack.enter_async_context(open_service(a1111_base_url=_upstream.url, **settings))
            for given, settings in SETTINGS.items()
        }


def basic(username: str, password: str) -> str:
    return "Basic " + b64(f"{username}:{password}".encode())


@pytest.fixture
def locked(both: Both, services: dict[str, Service], given: str) -> Both:
    """A server that asks for credentials, behind a service that has the right ones, wrong ones or none."""
    return replace(both, through=services[given], made_with={"credentials": RIGHT})


def authorization(given: str) -> dict[str, str]:
    """What a client says that talks to the server itself."""
    known = SETTINGS[given]
    return {"authorization": basic(*known.values())} if known else {}


def is_let_in(kind: str, given: str) -> bool:
    return kind in OPEN or (given == "right" and kind != TOKEN)


async def test_check_45_those_of_the_settings_go_up(locked: Both, given: str) -> None:
    for method, path, body in (
        ("POST", TXT2IMG, locked.body()),
        ("GET", "/sdapi/v1/options", None),
        ("POST", "/sdapi/v1/interrupt", None),
        ("POST", "/internal/progress", {"id_task": "a"}),
    ):
        direct = await locked.ask_direct(method, path, body, **authorization(given))
        assert_same(direct, await locked.ask_through(method, ORIGINAL + path, body), path)
        if path == TXT2IMG:
            assert direct.status == (200 if is_let_in(locked.kind, given) else 401)
        else:
            assert_same(direct, await locked.ask_through(method, path, body), path)


async def test_check_45_a_clients_own_stay_here(locked: Both, given: str) -> None:
    for theirs in (basic(*RIGHT), f"Bearer {RIGHT[1]}", "Basic x"):
        for method, path, body in (("POST", ORIGINAL + TXT2IMG, locked.body()), ("GET", "/sdapi/v1/sd-models", None)):
            through = await locked.ask_through(method, path, body, authorization=theirs)
            if body:
                assert through.status == (200 if is_let_in(locked.kind, given) else 401)
            (seen,) = locked.upstream.seen
            sent = [value for name, value in seen.headers if name.lower() == "authorization"]
            assert sent == list(authorization(given).values())


async def test_check_45_who_is_not_let_in_hears_whose_fault_it_is(locked: Both, given: str) -> None:
    for how in ("frame", "preview", "json"):
        through = await locked.ask_through("POST", f"{TXT2IMG}?answer={how}", locked.body())
        if is_let_in(locked.kind, given):
            assert through.status == 200
            continue
        assert assert_refused(through, 401)["error"] == "Invalid A1111 credentials"
        assert header(through, "www-authenticate") is None
        assert RIGHT[1] not in through.body.decode()


async def test_check_45_the_live_preview_too(locked: Both, given: str) -> None:
    locked.made_with |= {"busy": True}
    through = await locked.ask_through("GET", "/sdapi/v1/progress", accept=RAW)
    direct = await locked.ask_direct("GET", "/sdapi/v1/progress", **authorization(given))
    assert through.status == direct.status
    assert direct.status in (200, 401, 404)
